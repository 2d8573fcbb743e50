"""A payload of Slack that comes twice acts once: a line was cut before our ack, and Slack sent it over another.

The note that it acted is written in the transaction of the deed, so it holds for every process. Most deeds are fenced
by the offer anyway; more time, an excuse and a withdrawn touch are not. What is not here: telling payloads apart
(`handlers.payloads`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from bot.domain.refusal import Refusal
from bot.services.work import Work
from storage import inbox

T = TypeVar("T")

#: Slack sends a payload again within seconds, and a signed request is too old to be replayed after five minutes.
REMEMBERED_FOR = timedelta(days=1)
#: So many are forgotten at once.
FORGOTTEN_AT_ONCE = 1000


def act_once(work: Work, key: str, deed: Callable[[], T | Refusal]) -> T | Refusal | None:
    """What `deed` answers; None when this payload has acted before. A refused one may be refused again.

    `key` "": nothing is known of the payload, and it acts.
    """
    if key and not inbox.take_once(work.conn, key, work.real):
        return None
    answer = deed()
    if key and isinstance(answer, Refusal):
        inbox.take_back(work.conn, key)
    return answer


def forget_old(work: Work) -> int:
    """Forget what acted long ago; how many payloads."""
    return inbox.forget_taken(work.conn, work.real - REMEMBERED_FOR, FORGOTTEN_AT_ONCE)
