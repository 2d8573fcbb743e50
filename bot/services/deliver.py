"""Delivering the outbox to Slack: claim, render, send, settle. The one asynchronous service.

Database work runs in the pool, calls on the event loop, at most `in_flight` at a time. Whatever happens between claim
and settling, the row's lease brings it back. What is not here: what a row's fate is (`deliver_rules`), writing it down
(`deliver_settle`), when something may be sent (`pacing`).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bot.clock import Clock, elapsed
from bot.gateways.slack import (
    SlackBusy,
    SlackFailure,
    SlackInDoubt,
    SlackRefused,
    SlackUnreachable,
)
from bot.logs import get_logger
from bot.services import deliver_rules as rules
from bot.services.deliver_call import InThread, Messenger, call_slack
from bot.services.deliver_claim import Claims
from bot.services.deliver_rules import Method, NoWay, Send, Skip
from bot.services.deliver_settle import AfterFailure, AfterSent, MakeWork, Settlement
from bot.services.deliver_types import RenderRow
from bot.services.doubt_rules import DoubtWaits
from bot.services.pacing import METHOD_OF, REST, Limits, Pace
from storage.claims import kind_of
from storage.database import Database, is_passing
from storage.deliveries import IN_DOUBT, LEASE, OutboxRow
from storage.paces import PaceRow

T = TypeVar("T")
#: What is to be done with a row; an exception: that could not be found out.
Decided = Send | Skip | NoWay | Exception

#: Seconds: between looks at the outbox when nobody wakes us; a pause when the token is not accepted; between tries to
#: write down what happened, while the database is away.
POLL = 1.0
TOKEN_PAUSE = 30.0
#: Seconds: calls that end within so long are followed by one claim, which costs hardly more for ten rows than for one;
#: commits within so long after a look wait for the next; rows are decided on for so long in one go (a click may wait).
GATHER = 0.02
PAUSE = 0.02
SLICE = 0.008
SETTLE_RETRIES = (0.2, 0.5, 1.0, 2.0, 4.0)

log = get_logger(__name__)


class Deliverer:
    """Sends what the outbox holds. `run()` until `stop()`; `drain()` for one go."""

    def __init__(
        self,
        *,
        database: Database,
        gateway: Messenger,
        render: RenderRow,
        make_work: MakeWork,
        clock: Clock,
        run_in_thread: InThread,
        after_sent: AfterSent,
        after_failure: AfterFailure,
        worker: str,
        in_flight: int = 16,
        limits: Limits | None = None,
        doubt_waits: DoubtWaits = DoubtWaits(),  # noqa: B008 - frozen
        alone: bool | None = None,
    ) -> None:
        self._database = database
        self._gateway = gateway
        self._render = render
        self._make_work = make_work
        self._clock = clock
        self._in_thread = run_in_thread
        self._worker = worker
        self._most = in_flight
        self._pace = Pace(limits)
        # On SQLite one worker delivers, its lock file says so.
        shared = not (database.is_sqlite if alone is None else alone)
        self._claims = Claims(database, self._pace, clock, worker, shared=shared)
        #: Shared with whoever settles what is in doubt.
        self.settlement = self._settlement = Settlement(
            database, make_work, after_sent, after_failure, on_wake=self.wake,
            waits=doubt_waits,
        )  # fmt: skip
        self._tasks: set[asyncio.Task[None]] = set()
        self._claiming = asyncio.Lock()
        self._woken = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._gathering: asyncio.TimerHandle | None = None
        self._rested_at = 0.0
        self._stopping = False
        self._jitter = random.Random()  # noqa: S311 - spreads retries, guards nothing
        #: For health: what keeps delivery from working; "" when nothing does.
        self.trouble = ""

    def wake(self) -> None:
        """Look at the outbox now. From any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._woken.set)

    async def run(self) -> None:
        """Deliver until `stop()`: when woken, when a call ended, and at least every second."""
        self._loop = asyncio.get_running_loop()
        while not self._stopping:
            self._woken.clear()
            wait = POLL
            try:
                await self._start_some()
                wait = self._pace.wait(self._clock.real(), POLL)
            except Exception:  # whatever it is: delivery must not end
                log.exception("claim_failed")
                await asyncio.sleep(POLL)
            rest = 0.0 if self._claims.shared else min(PAUSE, wait)
            self._rested_at = self._loop.time() + rest
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), wait)
                if (left := self._rested_at - self._loop.time()) > 0:
                    await asyncio.sleep(left)

    async def drain(self) -> int:
        """Deliver until nothing may be sent now; how many rows were taken up. Does not wait for pacing."""
        self._loop = asyncio.get_running_loop()
        taken = 0
        while True:
            were_busy = bool(self._tasks)
            started = await self._start_some()
            taken += started
            if not started and self._tasks:
                await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            elif not started and not were_busy:  # else: what ended meanwhile may have let others go
                return taken

    async def stop(self, grace: float = 8.0) -> None:
        """Start nothing more. What is claimed and not on its way goes back at once; calls in flight get `grace`
        seconds to end and be settled, then they are in doubt."""
        self._stopping = True
        self._woken.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(grace):
                async with self._claiming:  # a claim under way: what it finds goes back, too
                    pass
                while self._tasks:
                    await asyncio.wait(self._tasks)
        late = set(self._tasks)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=2.0)

    async def _start_some(self) -> int:
        async with self._claiming:
            if self._stopping:
                return 0
            probing = 0
            if self._pace.breaker.is_told:  # another may have been answered since
                await self._in_thread(self._claims.look_again)
            room = self._pace.room(self._clock.real(), len(self._tasks), self._most)
            if room.most <= 0:
                return 0
            if self._pace.breaker.is_open:
                if not await self._is_back():
                    return 0
                # Whatever is on its way may end in doubt, too.
                probing = max(1, self._most - len(self._tasks))
            taken = waiting = await self._in_thread(self._claims.take, room, probing=probing)
            if probing and taken:
                self._pace.breaker.tried(self._clock.real())
                if self._claims.shared:
                    await self._settle(self._claims.tell_open)
            elif probing:
                await self._nothing_to_try(probing)
            while waiting:
                ready = await self._in_thread(self._decide, waiting)
                waiting = waiting[len(ready) :]
                for row, decided in ready:
                    self._begin(row, decided)
            return len(taken)

    def _begin(self, row: OutboxRow, decided: Decided) -> None:
        task = asyncio.create_task(self._deliver(row, decided), name=f"deliver {row.id}")
        self._tasks.add(task)
        task.add_done_callback(self._done)

    async def _nothing_to_try(self, most: int) -> None:
        """Slack answers, but no message can show that it takes messages: none waits, or too many are in doubt."""
        real = self._clock.real()
        until = self._pace.closed_until(Method.POST, real)
        if until is None and await self._in_thread(self._claims.count_doubtful) < most:
            await self._close()
            return
        self._pace.breaker.rest(min(until or real + REST, real + REST))
        if self._claims.shared:
            await self._settle(self._claims.tell_open)

    async def _is_back(self) -> bool:
        """Ask Slack something that does no harm, however often it is asked. One process at a time."""
        if self._claims.shared and not await self._in_thread(self._claims.is_turn):
            return False
        try:
            await self._gateway.auth_test()
        except (SlackUnreachable, SlackInDoubt) as failure:
            await self._no_answer(failure)
            return False
        except SlackFailure:  # it says no; but it answers
            pass
        return True

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._gathering is None and self._loop is not None:
            self._gathering = self._loop.call_later(GATHER, self._go_on)
        if not task.cancelled() and (error := task.exception()) is not None:
            # The row stays `sending`: its lease brings it back.
            log.error("delivery_failed", task=task.get_name(), exc_info=error)

    def _go_on(self) -> None:
        self._gathering = None
        self._rested_at = 0.0
        self._woken.set()

    def _decide(self, rows: Sequence[OutboxRow]) -> list[tuple[OutboxRow, Decided]]:
        """The first of these rows, and what is to be done with each: decided together, for what they need is mostly the
        same, but not for longer than `SLICE`."""
        decided: list[Decided] = []
        until = elapsed() + SLICE
        # What goes wrong there, that row: by itself. Those after it with the next slice.
        with suppress(Exception), self._database.read() as conn:
            work = self._make_work(conn)
            for row in rows:
                decided.append(rules.plan(work, row, self._render))
                if elapsed() > until:
                    break
        if not decided:
            decided.append(self._plan(rows[0]))
        with suppress(DBAPIError, PoolTimeout):  # they are claimed: away or not, they go
            self._claims.look_again()
        return list(zip(rows, decided, strict=False))

    def _plan(self, row: OutboxRow) -> Decided:
        try:
            with self._database.read() as conn:
                return rules.plan(self._make_work(conn), row, self._render)
        except Exception as error:  # a bug, or the database is away: nothing was sent
            log.exception("not_rendered", row=row.id, template=row.template)
            return error

    async def _deliver(self, row: OutboxRow, decided: Decided) -> None:
        if not isinstance(decided, Send):
            self._not_called(row)
        if isinstance(decided, Skip):
            await self._settle(lambda: self._settlement.skipped(row, decided))
        elif isinstance(decided, NoWay):
            await self._fail(row, decided.error, row.data)
        elif isinstance(decided, Send):
            await self._send(row, decided)
        else:
            await self._again(row, f"not rendered: {type(decided).__name__}")

    async def _send(self, row: OutboxRow, send: Send) -> None:
        real = self._clock.real()
        until = self._pace.closed_until(send.method, real, row.lane)
        if until is not None or self._stopping:
            # Since we claimed it, another call was made or told to wait; or we leave: somebody else may have it.
            self._not_called(row)
            await self._put_off(row, until or real, "paced" if until else "handed over")
            return
        # A Home tab that changes all the time is drawn once a second, too.
        bar = self._pace.note_post(row.lane, real) if send.method is not Method.EDIT else None
        try:
            posted = await call_slack(self._gateway, row, send)
        except SlackRefused as refused:
            await self._answered()
            await self._refused(row, send, refused.error)
        except SlackBusy as busy:
            until = self._clock.real() + timedelta(seconds=busy.retry_after)
            self._pace.note_trouble(row.lane, self._clock.real())
            await self._share(self._pace.pause(send.method, until))
            await self._answered()
            await self._put_off(row, until, "busy")
        except SlackFailure as failure:  # unreachable or in doubt
            self._pace.note_trouble(row.lane, self._clock.real())
            await self._no_answer(failure)
            await self._after_no_answer(row, send, failure)
        except asyncio.CancelledError:
            # We leave, and Slack hangs: nobody needs to wait for the lease to find that out.
            await self._after_no_answer(row, send, SlackInDoubt("cut off"))
            raise
        else:
            await self._answered()
            self.trouble = ""
            if not self._claims.shared or send.method is not Method.POST:
                bar = None
            if not await self._settle(
                lambda: self._settlement.sent(row, send, posted.channel, posted.ts, bar)
            ):
                log.warning("lease_lost", row=row.id, template=row.template)

    async def _refused(self, row: OutboxRow, send: Send, error: str) -> None:
        until = self._clock.real() + timedelta(seconds=TOKEN_PAUSE)
        if error in rules.TOKEN_ERRORS or error == rules.SCOPE_ERROR:
            is_scope = error == rules.SCOPE_ERROR
            pace = self._pace
            bar = pace.pause(send.method, until) if is_scope else pace.pause_all(until)
            if self._claims.shared:
                await self._share(bar)
            self.trouble = f"Slack refuses {send.method.value}: {error}"
            log.error("slack_refuses_us", method=send.method.value, error=error)
            await self._put_off(row, until, error)
        else:
            await self._fail(row, error, send.names, edited_ts=send.ts)

    async def _no_answer(self, failure: SlackFailure) -> None:
        self._pace.breaker.failed(self._clock.real())
        if not self._pace.breaker.is_open:
            return
        if not self.trouble:
            self.trouble = "Slack does not answer"
            log.error("slack_does_not_answer", cause=str(failure))
        if self._claims.shared:
            await self._settle(self._claims.tell_open)

    async def _answered(self) -> None:
        """Slack answered a message, whatever it said."""
        self._pace.breaker.answered_at = self._clock.real()
        await self._close()

    async def _close(self) -> None:
        was_open = self._pace.breaker.is_open
        self._pace.breaker.close()
        if was_open and self._claims.shared:
            await self._settle(self._claims.tell_closed)

    async def _share(self, row: PaceRow) -> None:
        await self._settle(lambda: self._claims.share(row))

    def _not_called(self, row: OutboxRow) -> None:
        if row.lease_until is not None:
            self._pace.give_back(METHOD_OF[kind_of(row)], row.lease_until - LEASE)

    async def _after_no_answer(self, row: OutboxRow, send: Send, failure: SlackFailure) -> None:
        if isinstance(failure, SlackInDoubt) and send.method is Method.POST:
            log.warning("in_doubt", row=row.id, template=row.template, cause=str(failure))
            await self._settle(lambda: self._settlement.doubtful(row, str(failure)))
        elif rules.gives_up(row):
            await self._fail(row, f"given up: {failure}", send.names)
        else:
            what = "unreachable" if isinstance(failure, SlackUnreachable) else "no answer"
            await self._again(row, _keep_doubt(row, f"{what}: {failure}"))

    async def _fail(
        self, row: OutboxRow, error: str, names: dict[str, Any], *, edited_ts: str = ""
    ) -> None:
        log.error("undeliverable", row=row.id, template=row.template, error=error)
        try:
            await self._settle(
                lambda: self._settlement.failed(row, error, names, edited_ts=edited_ts)
            )
        except Exception:
            log.exception("failure_not_told", row=row.id, template=row.template)
            # As after many attempts: this asks for somebody's eyes, not for haste.
            await self._again(replace(row, attempts=max(row.attempts, 7)), f"not told: {error}")

    async def _put_off(self, row: OutboxRow, until: datetime, reason: str) -> None:
        """Not the row's fault: this was no attempt."""
        why = _keep_doubt(row, reason)
        await self._settle(lambda: self._settlement.again(row, until, why, counts=False))

    async def _again(self, row: OutboxRow, reason: str) -> None:
        wait = rules.backoff(row.attempts, self._jitter.random())
        until = self._clock.real() + timedelta(seconds=wait)
        await self._settle(lambda: self._settlement.again(row, until, reason))

    async def _settle(self, write: Callable[[], T]) -> T:
        """Write it down, patiently while the database is away. False: the lease was lost."""
        for wait in SETTLE_RETRIES:
            try:
                return await self._in_thread(write)
            except (DBAPIError, PoolTimeout) as error:
                if isinstance(error, DBAPIError) and not is_passing(error):
                    raise
            await asyncio.sleep(wait)
        return await self._in_thread(write)


def _keep_doubt(row: OutboxRow, reason: str) -> str:
    """Once in doubt, a row stays known as such, until and after it is sent."""
    return row.reason if row.reason.startswith(IN_DOUBT) else reason
