"""A process that sends what the outbox holds and is killed, by SIGKILL, at a chosen point of a send.

Run as `python -m chaos.sender`: it reads lives from stdin, one JSON line each, and forks a process for each, so that
an interpreter is started once for hundreds of deaths. The child runs the product's delivery and settling against the
database and the stand-in Slack that it is told; where it dies is decided by subclasses that live here alone. Point 4,
between Slack's doing and our reading, belongs to the stand-in (`sends.Doorman`). What is not here: the verdict
(`sends`).
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, event

from bot.clock import Clock
from bot.domain.agreement import Agreement
from bot.gateways.slack import Posted, SlackGateway
from bot.logs import configure_logging
from bot.services import deliver, settle_doubts
from bot.services.deliver import Deliverer
from bot.services.deliver_rules import Method, Send
from bot.services.deliver_types import Rendered
from bot.services.pacing import Limits
from bot.services.runtime import Runtime
from bot.services.settle_doubts import DoubtSettler
from bot.services.work import Work
from chaos.playbooks import agreement_of
from chaos.race import START
from storage import claims, deliveries, outbox
from storage.cards import CardRow
from storage.database import Database
from storage.deliveries import OutboxRow

#: Of one send, in order. The stand-in does "before the answer".
POINTS = (
    "before the claim's commit", "after the claim", "before the call", "before the answer",
    "after the answer", "after the commit",
)  # fmt: skip


class QuickTime:
    """A time source that runs `scale` times as fast as the wall clock, from `START` on."""

    def __init__(self, began: float, scale: float) -> None:
        self._began, self._scale = began, scale

    def __call__(self) -> Any:
        """The instant now."""
        return START + timedelta(seconds=(time.time() - self._began) * self._scale)


class Doom:
    """Kills this process when it comes to `point` for the `skip` + first time."""

    def __init__(self, point: str, skip: int) -> None:
        self._point, self._left = point, skip

    def at(self, point: str) -> None:
        """We are there."""
        if point == self._point:
            if not self._left:
                os.kill(os.getpid(), signal.SIGKILL)
            self._left -= 1


class DoomedGateway(SlackGateway):
    """Dies around the call."""

    doom: Doom

    async def post(
        self, channel: str, message: Mapping[str, Any], *, delivery_id: str,
        thread_ts: str | None = None, broadcast: bool = False,
    ) -> Posted:  # fmt: skip
        """The call, and the death before or after it."""
        self.doom.at("before the call")
        posted = await super().post(
            channel, message, delivery_id=delivery_id, thread_ts=thread_ts, broadcast=broadcast
        )
        self.doom.at("after the answer")
        return posted


class DoomedDeliverer(Deliverer):
    """Dies with a row in hand, or just after it was settled."""

    doom: Doom

    async def _deliver(self, row: OutboxRow, decided: deliver.Decided) -> None:
        self.doom.at("after the claim")
        await super()._deliver(row, decided)

    async def _send(self, row: OutboxRow, send: Send) -> None:
        await super()._send(row, send)
        if send.method is Method.POST:
            self.doom.at("after the commit")


def doom_claims(database: Database, doom: Doom) -> None:
    """Dies when a claim is about to be committed."""

    # Not by the statement's text: prepared ones do not pass SQLAlchemy's events.
    claim = claims.claim

    def seen(conn: Connection, *given: Any, **named: Any) -> list[OutboxRow]:
        rows = claim(conn, *given, **named)
        if rows:
            conn.info["claims"] = True
        return rows

    setattr(claims, "claim", seen)  # noqa: B010 - in this process alone

    @event.listens_for(database.engine, "commit")
    def _commit(conn: Any) -> None:
        if conn.info.pop("claims", False):
            doom.at("before the claim's commit")


def render(version: int, work: Work, row: OutboxRow, card: CardRow | None) -> Rendered:
    """What the message says: which one it is, what a list carries, and of which version it is."""
    text = f"{row.card_key} v{version}"
    if row.template in outbox.LISTS:
        data = card.data if card is not None else row.data
        text = f"carries {' '.join(str(each) for each in data['row_ids'])} . {text}"
    thread = f"card:{row.offer_id}" if row.template == "reminder" else None
    return Rendered({"text": text}, thread_of=thread, broadcast=thread is not None)


@cache
def agreed(text: str) -> Agreement:
    """Compiled before the first fork: it takes longer than a life."""
    return agreement_of(text)


def live(task: Mapping[str, Any]) -> None:
    """One life, until it is killed."""
    logging.disable(logging.CRITICAL)
    asyncio.run(_live(task))


async def _live(task: Mapping[str, Any]) -> None:
    deliver.POLL = settle_doubts.POLL = 0.1  # quick time: a second would be most of a minute
    doom = Doom(task["point"], task["skip"])
    clock = Clock(QuickTime(task["began"], task["scale"]))
    database = Database(task["url"])
    doom_claims(database, doom)
    runtime = Runtime(database, clock, agreed(task["playbook"]))
    worker = f"w{os.getpid()}"
    gateway = DoomedGateway(task["token"], f"{task['slack']}/w/{os.getpid()}/api/", timeout=0.5)
    gateway.doom = doom

    def shown(work: Work, row: OutboxRow, card: CardRow | None) -> Rendered:
        return render(task["version"], work, row, card)

    deliverer = DoomedDeliverer(
        database=database, gateway=gateway, render=shown, make_work=runtime.make_work, clock=clock,
        run_in_thread=runtime.call, after_sent=lambda _work, _row: None,
        after_failure=lambda _work, _row, _error: None, worker=worker,
        limits=Limits.of_a_stand_in(timedelta(0)),
    )  # fmt: skip
    deliverer.doom = doom
    settler = DoubtSettler(
        database=database, gateway=gateway, settlement=deliverer.settlement, render=shown,
        make_work=runtime.make_work, clock=clock, run_in_thread=runtime.call, worker=worker,
    )  # fmt: skip
    await gateway.open()
    if database.is_sqlite:
        await runtime.write(
            lambda work: deliveries.end_leases_of_the_dead(work.conn, real=work.real)
        )
    await asyncio.gather(deliverer.run(), settler.run())


def main() -> int:
    """Fork a life for each line, say its pid, wait for its end, say its signal."""
    configure_logging("CRITICAL", sys.stderr)
    for line in sys.stdin:
        task = json.loads(line)
        agreed(task["playbook"])
        gc.freeze()
        pid = os.fork()
        if pid == 0:
            try:
                live(task)
            finally:
                os._exit(1)
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print(-os.waitstatus_to_exitcode(status), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
