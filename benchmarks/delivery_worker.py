"""One worker that delivers, as a process of its own: ready, then "go" on its input. What is not here: measuring."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from benchmarks.house import agreement
from bot.clock import Clock
from bot.gateways.slack import SlackGateway
from bot.services.deliver import Deliverer
from bot.services.deliver_types import Drop, Rendered
from bot.services.pacing import Limits
from bot.services.runtime import Runtime
from bot.services.work import Work
from storage.cards import CardRow
from storage.database import Database
from storage.deliveries import OutboxRow

READY = "ready"


def _render(work: Work, row: OutboxRow, card: CardRow | None) -> Rendered | Drop:
    return Rendered({"text": f"You have a new lead, number {row.id}."})


def _nothing(work: Work, row: OutboxRow, error: str = "") -> None:
    pass


async def _deliver(given: dict[str, Any]) -> None:
    database = Database(given["url"])
    runtime = Runtime(database, Clock(), agreement())
    async with SlackGateway("xoxb-sandbox-0", given["slack"]) as gateway:
        deliverer = Deliverer(
            database=database, gateway=gateway, render=_render, make_work=runtime.make_work,
            clock=runtime.clock, run_in_thread=runtime.call, after_sent=_nothing,
            after_failure=_nothing, worker=given["name"], in_flight=given["in_flight"],
            limits=Limits(per_minute={}),
        )  # fmt: skip
        with database.read():  # the first connection is no part of delivering
            pass
        print(READY, flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        await deliverer.run()


if __name__ == "__main__":
    asyncio.run(_deliver(json.loads(sys.argv[1])))
