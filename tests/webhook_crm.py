"""A CRM beside a story: a receiver on a port of its own, and the deliverer that serves it.

What is not here: how a receiver answers (`tests.webhook_door`).
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from bot.gateways.webhook_out import Limits, WebhookReceiver
from bot.services.deliver_hooks import HookDeliverer
from storage import hooks
from tests.story import Story
from tests.webhook_door import SECRET, Door, Letter, Reply, opened

OK = Reply(200)


class Crm:
    """The receiver of a story, and the deliverer that serves it. `reply`: how it answers from now on."""

    def __init__(self, story: Story, door: Door, receiver: WebhookReceiver) -> None:
        self.story, self.door, self.receiver = story, door, receiver
        runtime = story.house.runtime
        runtime.tells_crm = True
        self.deliverer = HookDeliverer(
            database=runtime.database, receiver=receiver, make_work=runtime.make_work,
            clock=runtime.clock, run_in_thread=runtime.call, worker="story",
        )  # fmt: skip

    def reply(self, answer: Reply | Callable[[Letter], Reply]) -> None:
        self.door.answer = answer if callable(answer) else lambda _: answer

    async def hears(self) -> list[dict[str, Any]]:
        """What came since it was last asked, each with a good signature."""
        before = len(self.door.letters)
        await self.deliverer.drain()
        fresh = self.door.letters[before:]
        for letter in fresh:
            letter.verify()
        return [json.loads(letter.body) for letter in fresh]

    async def later(self, **span: float) -> list[dict[str, Any]]:
        """Time passes; then as `hears`."""
        self.story.time.instant += timedelta(**span)
        return await self.hears()

    def states(self) -> list[str]:
        return [row.state for row in self.story.outbox() if row.way == "hook"]

    def is_disabled(self) -> bool:
        with self.story.house.runtime.database.read() as conn:
            row = hooks.read_receiver(conn, self.receiver.key)
        return row is not None and row.disabled_at is not None


@asynccontextmanager
async def crm_of(story: Story) -> AsyncIterator[Crm]:
    async with opened(lambda _: OK) as door:
        receiver = WebhookReceiver(door.url, SECRET, limits=Limits(0.5, 0.5, 0.1))
        try:
            yield Crm(story, door, receiver)
        finally:
            await receiver.close()
