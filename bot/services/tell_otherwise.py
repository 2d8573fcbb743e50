"""Telling a breach otherwise: what Slack does not take for 15 minutes goes by mail or a signed webhook, once.

Decided as a row of the outbox and journalled when it was sent, so that no restart tells it twice. The message in Slack
stays where it is: it is the place to act. Looked at again before it is sent: a breach that is over, or that Slack has
shown meanwhile, is not told. What is not here: mail (`bot.gateways.alerts`), other trouble (`watch_house`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from bot.domain.lead import initials
from bot.gateways.alerts import Alert, Outcome
from bot.logs import get_logger
from bot.rendering.breach_mail import Breach, breach_mail
from bot.services.deliver_types import Drop
from bot.services.move_lead import SYSTEM, write
from bot.services.present import render_row
from bot.services.runtime import Runtime
from bot.services.work import Work
from storage import clocks, deliveries, leads, mails
from storage.deliveries import OutboxRow

#: So long Slack has for an escalation (business time).
PATIENCE = timedelta(minutes=15)
#: Seconds between looks.
EVERY = 15.0
#: Given up then: the card in Slack tells it, whenever that is.
GIVEN_UP = timedelta(hours=24)
_LONGEST = 300.0

log = get_logger(__name__)


class Ways(Protocol):
    """What this needs of the ways: `bot.gateways.alerts.AlertWays`."""

    async def send(self, alert: Alert, at: datetime, to: Sequence[str] = ()) -> Outcome: ...


class OtherWay:
    """Looks after breaches that Slack does not take. `run()` until it is cancelled; `look()` for one go.

    `is_down`: whether delivery is in trouble. `link`: for a person's conversation ("" for a channel), where to act.
    """

    def __init__(
        self, runtime: Runtime, ways: Ways, *, worker: str, is_down: Callable[[], bool],
        link: Callable[[str], str] = lambda channel: "",
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:  # fmt: skip
        self._runtime, self._ways, self._worker = runtime, ways, worker
        self._is_down, self._link, self._sleep = is_down, link, sleep

    async def run(self) -> None:
        """Look every 15 seconds."""
        while True:
            try:
                await self.look()
            except Exception:  # whatever it is: the next look may do
                log.exception("not_told_otherwise")
            await self._sleep(EVERY)

    async def look(self) -> int:
        """Decide what is to be told, and tell it; how many mails went."""
        if self._is_down():
            await self._runtime.write(_decide)
        sent = 0
        while await self._runtime.read(lambda work: mails.has_work(work.conn, real=work.real)):
            rows = await self._runtime.write(
                lambda work: mails.claim(work.conn, real=work.real, worker=self._worker)
            )
            if not rows:
                break
            sent += await self._tell(rows)
        return sent

    async def _tell(self, rows: list[OutboxRow]) -> bool:
        head = rows[0]
        told, over, mail = await self._runtime.read(lambda work: self._put_together(work, rows))
        if not told:
            await self._runtime.write(
                lambda work: mails.settle(
                    work.conn, head, rows, "superseded", "seen or over", real=work.real
                )
            )
            return False
        alert, to = mail
        outcome = await self._ways.send(alert, self._runtime.clock.real(), to)
        if outcome.ok:
            await self._runtime.write(lambda work: _settle(work, head, told, over, outcome))
            return True
        why = ", ".join(f"{way}: {code}" for way, code in outcome.failed) or "no way"
        log.warning("breach_mail_failed", row=head.id, why=why)
        await self._runtime.write(lambda work: _put_off(work, head, why))
        return False

    def _put_together(
        self, work: Work, rows: list[OutboxRow]
    ) -> tuple[list[OutboxRow], list[OutboxRow], tuple[Alert, tuple[str, ...]]]:
        """Those that are still to be told, those that are not, and the mail."""
        breaches: dict[int, Breach] = {}
        for row in rows:
            breach = _breach_of(work, row)
            if breach is not None:
                breaches[row.id] = breach
        told = [row for row in rows if row.id in breaches]
        over = [row for row in rows if row.id not in breaches]
        member = work.roster.by_id.get(rows[0].person_id or 0)
        channel = (member.row.slack_channel_id if member is not None else "") or ""
        subject, lines = breach_mail(list(breaches.values()), self._link(channel))
        # Under the oldest one's id: sent again after a crash, it is the same alert.
        alert = Alert(subject, lines, rows[0].delivery_id)
        return told, over, (alert, (member.email,) if member is not None else ())


def _decide(work: Work) -> int:
    """A row for each breach that waits too long. How many."""
    waiting = mails.list_untold(work.conn, before=work.now - PATIENCE)
    return sum(mails.enqueue(work.conn, row, now=work.now, real=work.real) for row in waiting)


def _breach_of(work: Work, row: OutboxRow) -> Breach | None:
    """None: Slack has shown it, or would not be told any more."""
    wanted = deliveries.read_delivery(work.conn, int(row.data["row"]))
    lead = leads.read_lead(work.conn, row.lead_id) if row.lead_id is not None else None
    if lead is None or wanted is None or not mails.is_unseen(work.conn, wanted.id):
        return None
    if isinstance(render_row(work, wanted, None), Drop):
        return None
    clock = clocks.read_clock(work.conn, row.clock_id) if row.clock_id is not None else None
    return Breach(lead.id, initials(lead.facts()), clock.kind if clock is not None else "")


def _settle(
    work: Work, head: OutboxRow, told: list[OutboxRow], over: list[OutboxRow], outcome: Outcome
) -> None:
    for lead_id in sorted({row.lead_id for row in told if row.lead_id is not None}):
        leads.lock_lead(work.conn, lead_id)
    settled = mails.settle(work.conn, head, told, "sent", "", real=work.real)
    if not settled:
        return
    for row in told:
        if row.lead_id is not None:
            data = {"to": row.person_id, "clock": row.clock_id, "ways": list(outcome.took)}
            write(work, row.lead_id, "told_otherwise", SYSTEM, data)
    mails.drop(work.conn, over, "seen or over", real=work.real)


def _put_off(work: Work, head: OutboxRow, why: str) -> bool:
    if head.first_try_at is not None and work.real - head.first_try_at > GIVEN_UP:
        return mails.settle(work.conn, head, [head], "dead", why, real=work.real)
    wait = min(_LONGEST, EVERY * 2.0 ** min(head.attempts - 1, 8))
    return mails.put_off(work.conn, head, why, real=work.real, wait=timedelta(seconds=wait))
