"""Settling posts in doubt by looking: one reading of a conversation, or of a thread, for all that is in doubt there.

Found: it was sent. Not found: it goes again under the same delivery id, and is looked for once more later; of two that
stand there the newer is removed. Where nobody can look, what somebody waits for goes again (it may stand there twice),
the rest is left out. One conversation at a time; any worker may do it. What is not here: the reading
(`read_back`), sending (`deliver`), writing down what was found (`deliver_settle`), what is left out (`doubt_rules`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from bot.clock import Clock
from bot.gateways.slack import SlackBusy, SlackFailure, SlackRefused
from bot.logs import get_logger
from bot.services import deliver_rules as rules
from bot.services.deliver_call import InThread
from bot.services.deliver_settle import MakeWork, Settlement
from bot.services.deliver_types import Drop, RenderRow
from bot.services.doubt_rules import MAY_BE_SKIPPED, DoubtWaits
from bot.services.read_back import Histories, Place, Reader, Reading
from bot.services.work import Work
from storage import doubts
from storage.cards import CardRow
from storage.database import Database
from storage.deliveries import OutboxRow

#: Seconds between looks at the outbox.
POLL = 1.0
#: Seconds: after a call without an answer, doubled each time, at most; when our token is not accepted.
FIRST_REST, LONGEST_REST, TOKEN_REST = 2.0, 60.0, 30.0

log = get_logger(__name__)


class Looker(Histories, Protocol):
    """What settling needs of Slack: `bot.gateways.slack.SlackGateway`."""

    async def delete(self, channel: str, ts: str) -> None: ...


class DoubtSettler:
    """Settles what is in doubt. `run()` until `stop()`; `drain()` for one go."""

    def __init__(
        self,
        *,
        database: Database,
        gateway: Looker,
        settlement: Settlement,
        render: RenderRow,
        make_work: MakeWork,
        clock: Clock,
        run_in_thread: InThread,
        worker: str,
        waits: DoubtWaits = DoubtWaits(),  # noqa: B008 - frozen
    ) -> None:
        self._database = database
        self._gateway = gateway
        self._settlement = settlement
        self._render = render
        self._make_work = make_work
        self._clock = clock
        self._in_thread = run_in_thread
        self._worker = worker
        self._waits = waits
        self._stopping = False
        self._stopped = asyncio.Event()
        self._busy = asyncio.Lock()
        self._rest_until: datetime | None = None
        self._failures = 0
        self._reader = Reader(gateway, clock, self._renew)

    async def run(self) -> None:
        """Settle until `stop()`, looking at the outbox every second."""
        while not self._stopping:
            try:
                await self.drain()
            except (
                Exception
            ):  # whatever it is: settling must not end; the leases bring the rows back
                log.exception("doubts_not_settled")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), POLL)

    async def drain(self) -> int:
        """Settle until nothing may be looked up now; how many rows were taken up."""
        taken = 0
        async with self._busy:
            while rows := await self._claim():
                taken += len(rows)
                await self._settle_lane(rows)
        return taken

    async def stop(self, grace: float = 10.0) -> None:
        """Begin nothing more, and give the conversation at hand `grace` seconds."""
        self._stopping = True
        self._stopped.set()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._busy.acquire(), grace)
            self._busy.release()

    async def _claim(self) -> list[OutboxRow]:
        resting = self._rest_until is not None and self._rest_until > self._clock.real()
        if self._stopping or resting:
            return []
        return await self._in_thread(self._claim_lane)

    def _claim_lane(self) -> list[OutboxRow]:
        real = self._clock.real()
        with self._database.read() as conn:  # a look that keeps no writer waiting
            if not doubts.has_work(conn, real=real):
                return []
        with self._database.write() as conn:
            return doubts.claim_lane(conn, real=real, worker=self._worker)

    async def _settle_lane(self, rows: Sequence[OutboxRow]) -> None:
        places = await self._in_thread(self._places, rows)
        left = [row for some in places.values() for row in some]
        readings: dict[Place, Reading] = {}
        try:
            for place, some in places.items():
                reading = None
                if place.channel:  # else nobody can be reached there any more: delivery says so
                    # A reply may have gone into the conversation itself, or under another root, when it went first.
                    whole = place.whole
                    if whole not in readings:
                        readings[whole] = await self._read(whole, rows)
                    reading = readings[whole]
                    if place.thread_ts:
                        reading = reading.joined(await self._read(place, some))
                for row in some:
                    await self._settle(place, row, reading)
                    left.remove(row)
        except SlackFailure as failure:
            await self._in_thread(self._put_off, left, self._rest(failure))

    # ------------------------------------------------------------------ where it went

    def _places(self, rows: Sequence[OutboxRow]) -> dict[Place, list[OutboxRow]]:
        found: dict[Place, list[OutboxRow]] = {}
        for row in rows:
            with self._database.read() as conn:
                work = self._make_work(conn)
                found.setdefault(self._place(work, row), []).append(row)
        return found

    def _place(self, work: Work, row: OutboxRow) -> Place:
        """As delivery would decide now. As though it stood there: also what nobody needs any more is found."""
        channel = row.slack_channel or rules.destination_of(work, row)
        try:
            rendered = self._render(work, row, _standing(row, channel, work.now))
        except Exception:  # a bug there must not keep the rest of the conversation in doubt
            log.exception("place_unknown", row=row.id, template=row.template)
            return Place(channel)
        thread = None if isinstance(rendered, Drop) else rendered.thread_of
        return Place(channel, rules.thread_ts_of(work, thread, channel) or "")

    async def _read(self, place: Place, rows: Sequence[OutboxRow]) -> Reading:
        reading = await self._reader.read(place, rows)
        self._failures = 0
        return reading

    def _rest(self, failure: SlackFailure) -> datetime:
        """Until when nothing is looked up: not this conversation's fault."""
        if isinstance(failure, SlackBusy):
            wait = failure.retry_after
        elif isinstance(failure, SlackRefused):
            wait = TOKEN_REST
        else:
            self._failures += 1
            wait = min(LONGEST_REST, FIRST_REST * 2 ** min(self._failures - 1, 10))
        log.warning("doubts_wait", cause=str(failure), seconds=wait)
        self._rest_until = self._clock.real() + timedelta(seconds=wait)
        return self._rest_until

    # ------------------------------------------------------------------ what follows

    async def _settle(self, place: Place, row: OutboxRow, reading: Reading | None) -> None:
        if reading is None:
            await self._send_again(row, "no conversation")
            return
        times = reading.times(row)
        if row.state != "doubt" and not times and not reading.covers(row):
            await self._in_thread(self._put_off, [row], self._clock.real())
        elif row.state != "doubt":
            await self._settle_again(place, row, times, reading.unreadable)
        elif times:
            more = timedelta(0) if len(times) > 1 else None
            if row.doubts > 1 and more is None:
                more = self._waits.look_again
            log.info("doubt_settled", row=row.id, template=row.template, found=len(times))
            await self._in_thread(
                self._settlement.found, row, place.channel, times[0], look_again=more
            )
        else:
            await self._not_found(row, reading)

    async def _not_found(self, row: OutboxRow, reading: Reading) -> None:
        real = self._clock.real()
        since = row.doubt_since or real
        if row.not_before > real or not reading.covers(row):
            await self._in_thread(self._put_off, [row], real)  # its time is still to come
        elif row.template in MAY_BE_SKIPPED and reading.unreadable:
            log.warning(
                "left_out_in_doubt", row=row.id, template=row.template, error=reading.unreadable
            )
            why = f"left out: {row.reason}, and nobody can look ({reading.unreadable})"
            await self._in_thread(self._settlement.skipped_in_doubt, row, why)
        elif row.template in MAY_BE_SKIPPED and since + self._waits.look_again > real:
            # It must never be seen twice, and nobody waits for it: not before it can hardly be on its way any more.
            await self._in_thread(self._put_off, [row], since + self._waits.look_again)
        elif rules.gives_up(row):
            error = f"given up: {row.reason}"
            log.error("undeliverable", row=row.id, template=row.template, error=error)
            await self._in_thread(self._settlement.failed, row, error, {})
        else:
            await self._send_again(row, reading.unreadable)

    async def _send_again(self, row: OutboxRow, unreadable: str) -> None:
        if row.state != "doubt":
            await self._in_thread(self._rechecked, row)
            return
        if unreadable:  # it may stand there twice from now on
            log.warning("sent_again_unseen", row=row.id, template=row.template, error=unreadable)
        else:
            log.info("sent_again", row=row.id, template=row.template, doubts=row.doubts)
        await self._in_thread(self._settlement.again, row, self._clock.real(), row.reason)
        self._settlement.wake()

    async def _settle_again(
        self, place: Place, row: OutboxRow, times: Sequence[str], unreadable: str
    ) -> None:
        """Sent again some time ago: the oldest stays, the others go."""
        if not times:
            if unreadable:
                log.warning("not_looked_again", row=row.id, error=unreadable)
            await self._in_thread(self._rechecked, row)
            return
        if not await self._in_thread(self._settlement.kept, row, place.channel, times[0]):
            return
        row = replace(row, state="sent")
        for ts in times[1:]:
            try:
                await self._gateway.delete(place.channel, ts)
            except SlackRefused as refused:
                if refused.error in rules.TOKEN_ERRORS:
                    await self._in_thread(self._put_off, [row], self._rest(refused))
                    return
                if refused.error != "message_not_found":
                    log.error("double_not_removed", row=row.id, error=refused.error)
            except SlackFailure as failure:  # removing twice does no harm
                await self._in_thread(self._put_off, [row], self._rest(failure))
                return
            else:
                log.warning("double_removed", row=row.id, template=row.template)
        await self._in_thread(self._rechecked, row)

    # ------------------------------------------------------------------ short transactions

    def _put_off(self, rows: Sequence[OutboxRow], until: datetime) -> None:
        with self._database.write() as conn:
            for row in rows:
                doubts.put_off(conn, row, until)

    async def _renew(self, rows: Sequence[OutboxRow]) -> None:
        def renew() -> None:
            with self._database.write() as conn:
                doubts.renew(conn, rows, real=self._clock.real())

        await self._in_thread(renew)

    def _rechecked(self, row: OutboxRow) -> None:
        with self._database.write() as conn:
            doubts.settle_rechecked(conn, row)


def _standing(row: OutboxRow, channel: str, now: datetime) -> CardRow:
    """The card that the row would be if it stood there."""
    return CardRow(
        id=0, card_key=row.card_key, template=row.template, lead_id=row.lead_id,
        offer_id=row.offer_id, person_id=row.person_id, clock_id=row.clock_id,
        round=int(row.data.get("round", 0)), data=row.data, slack_channel=channel, slack_ts="",
        rendered_hash="", posted_at=now, closed=False,
    )  # fmt: skip
