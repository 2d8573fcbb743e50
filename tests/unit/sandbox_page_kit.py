"""What the tests of the sandbox's page share: a clock with one step ahead, and a client that is the page's script."""

from __future__ import annotations

from typing import Any

import httpx

from sandbox.clock import START, ManualClock
from sandbox.model import Message, Person
from tests.unit.sandbox_kit import ANN, Stage


class SteppingClock(ManualClock):
    """A clock with a step a quarter of an hour after the start."""

    def next_step_at(self) -> Any:
        step = START.replace(minute=15)
        return step if self.now() < step else None


def client_of(slack: Stage, headers: dict[str, str] | None = None) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(slack.sandbox.asgi)
    return httpx.AsyncClient(transport=transport, base_url=slack.url, headers=headers)


async def shown(browser: httpx.AsyncClient, person: Person, **place: str) -> str:
    answer = await browser.get("/page/app", params={"as": person.email, **place})
    assert answer.status_code == 200
    return answer.text


async def do(
    browser: httpx.AsyncClient, what: str, person: Person = ANN, **data: Any
) -> dict[str, Any]:
    answer = await browser.post(f"/page/{what}", json={"person": person.email, **data})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def dm(slack: Stage, person: Person) -> str:
    return slack.workspace.dm_id(person.user_id)


def card(slack: Stage, person: Person, text: str = "a card", **more: Any) -> Message:
    return slack.workspace.add_message(dm(slack, person), text, **more)
