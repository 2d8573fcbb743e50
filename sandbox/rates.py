"""Slack's rate tiers: calls per method and minute, and one message a second per conversation with a small burst.

Sources: docs.slack.dev/apis/web-api/rate-limits; the bursts are not documented, the ones here are small on
purpose. All in real time. What is not here: faults that a test asks for (`faults`).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping

_TIER_1, _TIER_2, _TIER_3, _TIER_4 = 1, 20, 50, 100
#: Calls a minute. Methods that are not listed are special: hundreds a minute, not limited here.
PER_MINUTE = {
    "chat.update": _TIER_3,
    "chat.delete": _TIER_3,
    "chat.postEphemeral": _TIER_4,
    "conversations.open": _TIER_3,
    "conversations.history": _TIER_3,
    "conversations.replies": _TIER_3,
    "views.open": _TIER_4,
    "views.push": _TIER_4,
    "views.update": _TIER_4,
    "views.publish": _TIER_4,
    "users.info": _TIER_4,
    "users.lookupByEmail": _TIER_3,
    "users.list": _TIER_2,
    "apps.connections.open": _TIER_1,
}
POSTS_PER_MINUTE = 300
#: What apps get that are sold to others outside Slack's Marketplace: calls a minute, and messages a page.
SOLD_OUTSIDE = {"conversations.history": 1, "conversations.replies": 1}
SOLD_OUTSIDE_PAGE = 15
POST_BURST = 3
_WINDOW = 60.0


class Rates:
    """Counts calls. `take` says how long to wait, 0 for not at all."""

    def __init__(
        self, real: Callable[[], float], per_minute: Mapping[str, int] | None = None
    ) -> None:
        self._real = real
        self._per_minute = {**PER_MINUTE, **(per_minute or {})}
        self._calls: dict[str, deque[float]] = {}
        self._tokens: dict[str, tuple[float, float]] = {}

    def take(self, method: str, channel: str = "") -> int:
        """Count this call, or return the seconds of Retry-After (then it does not count)."""
        now = self._real()
        limit = POSTS_PER_MINUTE if method == "chat.postMessage" else self._per_minute.get(method)
        if limit is None:
            return 0
        calls = self._calls.setdefault(method, deque())
        while calls and calls[0] <= now - _WINDOW:
            calls.popleft()
        if len(calls) >= limit:
            return math.ceil(calls[0] + _WINDOW - now)
        if method == "chat.postMessage":
            tokens, at = self._tokens.get(channel, (float(POST_BURST), now))
            tokens = min(float(POST_BURST), tokens + max(0.0, now - at))
            if tokens < 1:
                return math.ceil(1 - tokens)
            self._tokens[channel] = (tokens - 1, now)
        calls.append(now)
        return 0
