"""One client process: signed clicks to one Baton over HTTP, several at a time.

What is not here: the start signal and the verdict (`http_clicks`).
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp

from chaos.signed import click_request

_AT_ONCE = 8


async def send_all(task: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Send every click of `task`; what each was answered, and when."""
    waiting = list(reversed(task["clicks"]))
    found: list[dict[str, Any]] = []
    limit = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(trust_env=False, timeout=limit) as session:

        async def client() -> None:
            while waiting:
                action, user, channel, offer = waiting.pop()
                body, headers = click_request(
                    task["signing"], action, user, channel, "1.000001", offer
                )
                began = time.monotonic()
                try:
                    async with session.post(
                        task["url"] + "/slack/events", data=body, headers=headers
                    ) as answer:
                        status = answer.status
                except (aiohttp.ClientError, TimeoutError) as error:
                    status = 0
                    print(type(error).__name__, file=sys.stderr)
                found.append(
                    {"offer": offer, "status": status, "from": began, "to": time.monotonic()}
                )

        await asyncio.gather(*(client() for _ in range(_AT_ONCE)))
    return found


def send_at_signal(
    task: Mapping[str, Any], wait_for_the_signal: Callable[[], None]
) -> list[dict[str, Any]]:
    """Click, once the signal was given."""
    wait_for_the_signal()
    return asyncio.run(send_all(task))
