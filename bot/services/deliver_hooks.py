"""Delivering webhooks: claim, put together, send, settle. Beside `deliver`, and with nothing shared but the database.

At most `in_flight` calls at a time, so a receiver that hangs keeps nobody waiting but itself. Whatever happens between
claim and settling, the row's lease brings it back under the same id: the receiver gets each change at least once, and
those of a lead in their order. What is not here: what is told (`tell_crm`), the schedule (`hook_rules`).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bot.clock import Clock
from bot.gateways.webhook_answers import Answer
from bot.logs import get_logger
from bot.services import tell_crm
from bot.services.hook_rules import HookPace, HookRules, is_about_message
from bot.services.hook_settle import HookSettlement, MakeWork
from storage import hooks
from storage.database import Database, is_passing
from storage.deliveries import OutboxRow

T = TypeVar("T")

#: Seconds: between looks at the outbox when nobody wakes us; before a row that could not be put together is tried
#: again; between tries to write down what happened, while the database is away.
POLL = 1.0
UNREADY = 60.0
SETTLE_RETRIES = (0.2, 0.5, 1.0, 2.0, 4.0)

log = get_logger(__name__)


class Receiver(Protocol):
    """What delivery needs of the receiver: `bot.gateways.webhook_out.WebhookReceiver`."""

    @property
    def key(self) -> str: ...

    async def post(self, message_id: str, event: Mapping[str, Any], at: datetime) -> Answer: ...


class InThread(Protocol):
    """Runs a call in the worker pool; `asyncio.to_thread` is one."""

    def __call__(self, call: Callable[..., T], /, *args: Any, **kwargs: Any) -> Awaitable[T]: ...


class HookDeliverer:
    """Sends what the outbox holds for the receiver. `run()` until `stop()`; `drain()` for one go."""

    def __init__(
        self,
        *,
        database: Database,
        receiver: Receiver,
        make_work: MakeWork,
        clock: Clock,
        run_in_thread: InThread,
        worker: str,
        rules: HookRules | None = None,
        in_flight: int = 8,
        on_notice: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._receiver = receiver
        self._make_work = make_work
        self._clock = clock
        self._in_thread = run_in_thread
        self._worker = worker
        self._rules = rules or HookRules()
        self._most = in_flight
        self._pace = HookPace(self._rules)
        self._settlement = HookSettlement(
            database, make_work, receiver.key, self._rules, on_notice=on_notice
        )
        self._tasks: set[asyncio.Task[None]] = set()
        self._claiming = asyncio.Lock()
        self._woken = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = False
        self._was_disabled = False
        self._jitter = random.Random()  # noqa: S311 - spreads retries, guards nothing
        #: For health: what keeps the receiver from being told; "" when nothing does.
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
                while await self._start_some():
                    pass
                wait = self._pace.wait(self._clock.real(), POLL)
            except Exception:  # whatever it is: delivery must not end
                log.exception("hook_claim_failed")
                await asyncio.sleep(POLL)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), wait)

    async def drain(self) -> int:
        """Deliver until nothing may be sent now; how many rows were taken up. Does not wait for a retry."""
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

    async def stop(self, grace: float = 5.0) -> None:
        """Start nothing more, give the calls in flight `grace` seconds; what is cut off then is sent again."""
        self._stopping = True
        self._woken.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(min(grace, 2.0)), self._claiming:
                pass  # a claim under way: what it finds goes back, too
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _start_some(self) -> int:
        async with self._claiming:
            if self._stopping:
                return 0
            room = self._pace.room(self._clock.real(), len(self._tasks), self._most)
            if room <= 0 and not self._was_disabled:
                return 0
            rows = await self._in_thread(self._claim, room)
            for row in rows:
                task = asyncio.create_task(self._deliver(row), name=f"hook {row.id}")
                self._tasks.add(task)
                task.add_done_callback(self._done)
            return len(rows)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._woken.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            # The row stays `sending`: its lease brings it back.
            log.error("hook_failed", task=task.get_name(), exc_info=error)

    def _claim(self, room: int) -> list[OutboxRow]:
        real = self._clock.real()
        with self._database.read() as conn:  # a look that keeps no writer waiting
            receiver = hooks.read_receiver(conn, self._receiver.key)
            disabled = receiver is not None and receiver.disabled_at is not None
            if self._was_disabled and not disabled:
                self._pace.start_anew()  # mended, somebody says: no waiting for the next probe
                self.trouble = ""
            self._was_disabled = disabled
            if disabled:
                self.trouble = "the webhook receiver is disabled; run: baton webhook enable"
                return []
            if room <= 0 or not hooks.has_work(conn, real=real):
                return []
        with self._database.write() as conn:
            return hooks.claim(
                conn, real=real, worker=self._worker, limit=room, probing=self._pace.is_broken
            )

    async def _deliver(self, row: OutboxRow) -> None:
        try:
            event = await self._in_thread(self._put_together, row)
        except Exception as error:  # a bug, or the database is away: nothing was sent
            log.exception("hook_not_put_together", row=row.id)
            until = self._clock.real() + timedelta(seconds=UNREADY)
            why = f"not put together: {type(error).__name__}"
            await self._settle(lambda: self._settlement.put_off(row, until, why))
            return
        if event is None:
            await self._settle(lambda: self._settlement.nothing_to_tell(row, "the lead is gone"))
            return
        if self._stopping:  # claimed, not on its way: somebody else may have it at once
            at_once = self._clock.real()
            await self._settle(lambda: self._settlement.put_off(row, at_once, "handed over"))
            return
        closed = self._pace.closed_until(self._clock.real())
        if closed is not None:  # since we claimed it, the receiver asked to be left alone
            await self._settle(lambda: self._settlement.put_off(row, closed, "paused"))
            return
        answer = await self._receiver.post(tell_crm.message_id(row), event, self._clock.real())
        if answer.ok:
            self._pace.answered()
            self.trouble = ""
            settled = await self._settle(lambda: self._settlement.taken(row))
        else:
            settled = await self._failed(row, answer)
        if not settled:
            log.warning("hook_lease_lost", row=row.id)

    async def _failed(self, row: OutboxRow, answer: Answer) -> bool:
        real = self._clock.real()
        pause = self._rules.pause(answer)
        if pause is not None:
            self._pace.pause(real + timedelta(seconds=pause))
        elif is_about_message(answer):
            self._pace.answered()
        else:
            self._pace.failed(real)
        if self._pace.is_broken and not self.trouble:
            self.trouble = f"the webhook receiver fails: {answer.code}"
        log.warning("hook_not_taken", row=row.id, lead=row.lead_id, why=answer.code)
        wait = max(self._rules.backoff(row.attempts, self._jitter.random()), pause or 0.0)
        return await self._settle(lambda: self._settlement.failed(row, answer, wait))

    def _put_together(self, row: OutboxRow) -> dict[str, Any] | None:
        with self._database.read() as conn:
            return tell_crm.payload(self._make_work(conn), row)

    async def _settle(self, write: Callable[[], bool]) -> bool:
        """Write it down, patiently while the database is away. False: the lease was lost."""
        for wait in SETTLE_RETRIES:
            try:
                return await self._in_thread(write)
            except (DBAPIError, PoolTimeout) as error:
                if isinstance(error, DBAPIError) and not is_passing(error):
                    raise
            await asyncio.sleep(wait)
        return await self._in_thread(write)
