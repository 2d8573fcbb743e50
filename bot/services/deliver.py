"""Delivering the outbox to Slack: claim, render, send, settle. The one asynchronous service.

Database work runs in the pool, calls on the event loop, at most `in_flight` at a time. Whatever happens between claim
and settling, the row's lease brings it back. What is not here: what a row's fate is (`deliver_rules`), writing it down
(`deliver_settle`), when something may be sent (`pacing`).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bot.clock import Clock
from bot.gateways.slack import (
    Posted,
    SlackBusy,
    SlackFailure,
    SlackInDoubt,
    SlackRefused,
    SlackUnreachable,
)
from bot.logs import get_logger
from bot.services import deliver_rules as rules
from bot.services.deliver_rules import Method, NoWay, Send, Skip
from bot.services.deliver_settle import AfterFailure, AfterSent, MakeWork, Settlement
from bot.services.deliver_types import RenderRow
from bot.services.pacing import Pace
from storage import deliveries, foldings
from storage.database import Database, is_passing
from storage.deliveries import IN_DOUBT, OutboxRow

T = TypeVar("T")

#: Seconds: between looks at the outbox when nobody wakes us; a pause when the token is not accepted; between tries to
#: write down what happened, while the database is away.
POLL = 1.0
TOKEN_PAUSE = 30.0
SETTLE_RETRIES = (0.2, 0.5, 1.0, 2.0, 4.0)

log = get_logger(__name__)


class Messenger(Protocol):
    """What delivery needs of Slack: `bot.gateways.slack.SlackGateway`."""

    async def post(
        self, channel: str, message: Mapping[str, Any], *, delivery_id: str,
        thread_ts: str | None = None, broadcast: bool = False,
    ) -> Posted: ...  # fmt: skip

    async def update(self, channel: str, ts: str, message: Mapping[str, Any]) -> Posted: ...

    async def publish_home(self, user: str, view: Mapping[str, Any]) -> None: ...


class InThread(Protocol):
    """Runs a call in the worker pool; `asyncio.to_thread` is one."""

    def __call__(self, call: Callable[..., T], /, *args: Any, **kwargs: Any) -> Awaitable[T]: ...


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
        spacing: timedelta = timedelta(seconds=1),
    ) -> None:
        self._database = database
        self._gateway = gateway
        self._render = render
        self._make_work = make_work
        self._clock = clock
        self._in_thread = run_in_thread
        self._worker = worker
        self._most = in_flight
        self._pace = Pace(spacing)
        self._settlement = Settlement(
            database, make_work, after_sent, after_failure, on_wake=self.wake
        )
        self._tasks: set[asyncio.Task[None]] = set()
        self._claiming = asyncio.Lock()
        self._woken = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
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
                while await self._start_some():
                    pass
                wait = self._pace.wait(self._clock.real(), POLL)
            except Exception:  # whatever it is: delivery must not end
                log.exception("claim_failed")
                await asyncio.sleep(POLL)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), wait)

    async def drain(self) -> int:
        """Deliver until nothing may be sent now; how many rows were taken up. Does not wait for pacing."""
        self._loop = asyncio.get_running_loop()
        taken = 0
        while True:
            started = await self._start_some()
            taken += started
            if not started and not self._tasks:
                return taken
            if not started:
                await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)

    async def stop(self, grace: float = 10.0) -> None:
        """Start nothing more, and give the calls in flight `grace` seconds to end and be settled."""
        self._stopping = True
        self._woken.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace)

    async def _start_some(self) -> int:
        async with self._claiming:
            real = self._clock.real()
            room = self._pace.room(real, len(self._tasks), self._most)
            if room <= 0 or self._stopping:
                return 0
            rows = await self._in_thread(self._claim, room, self._pace.paced_lanes(real))
            for row in rows:
                task = asyncio.create_task(self._deliver(row), name=f"deliver {row.id}")
                self._tasks.add(task)
                task.add_done_callback(self._done)
            return len(rows)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._woken.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            # The row stays `sending`: its lease brings it back.
            log.error("delivery_failed", task=task.get_name(), exc_info=error)

    def _claim(self, room: int, paced: frozenset[str]) -> list[OutboxRow]:
        now, real = self._clock.business(), self._clock.real()
        with self._database.read() as conn:  # a look that keeps no writer waiting
            if not deliveries.has_work(conn, now=now, real=real):
                return []
            floods = foldings.find_floods(conn, now=now)
        for flood in floods:
            with self._database.write() as conn:
                foldings.fold(conn, flood, now=now, real=real)
        with self._database.write() as conn:
            return deliveries.claim(
                conn, now=now, real=real, worker=self._worker, limit=room, paced_lanes=paced,
                posts=self._pace.closed_until(Method.POST, real) is None,
                edits=self._pace.closed_until(Method.EDIT, real) is None,
                homes=self._pace.closed_until(Method.HOME, real) is None,
                probing=self._pace.is_broken,
            )  # fmt: skip

    async def _deliver(self, row: OutboxRow) -> None:
        try:
            decided = await self._in_thread(self._plan, row)
        except Exception as error:  # a bug, or the database is away: nothing was sent
            log.exception("not_rendered", row=row.id, template=row.template)
            await self._again(row, f"not rendered: {type(error).__name__}")
            return
        if isinstance(decided, Skip):
            await self._settle(lambda: self._settlement.skipped(row, decided))
        elif isinstance(decided, NoWay):
            await self._fail(row, decided.error, row.data)
        else:
            await self._send(row, decided)

    def _plan(self, row: OutboxRow) -> Send | Skip | NoWay:
        with self._database.read() as conn:
            return rules.plan(self._make_work(conn), row, self._render)

    async def _send(self, row: OutboxRow, send: Send) -> None:
        real = self._clock.real()
        if (until := self._pace.closed_until(send.method, real, row.lane)) is not None:
            # Since we claimed it, another call was made or told to wait.
            await self._put_off(row, until, "paced")
            return
        if send.method is Method.POST:
            self._pace.note_post(row.lane, real)
        try:
            posted = await self._call(row, send)
        except SlackRefused as refused:
            self._pace.answered()
            await self._refused(row, send, refused.error)
        except SlackBusy as busy:
            self._pace.answered()
            until = self._clock.real() + timedelta(seconds=busy.retry_after)
            self._pace.pause(send.method, until)
            await self._put_off(row, until, "busy")
        except SlackFailure as failure:  # unreachable or in doubt
            self._no_answer(failure)
            await self._after_no_answer(row, send, failure)
        else:
            self._pace.answered()
            self.trouble = ""
            if not await self._settle(
                lambda: self._settlement.sent(row, send, posted.channel, posted.ts)
            ):
                log.warning("lease_lost", row=row.id, template=row.template)

    async def _call(self, row: OutboxRow, send: Send) -> Posted:
        """One call; a second one, with the text alone, when Slack refuses the blocks: it posted nothing then."""
        if send.method is Method.HOME:
            await self._gateway.publish_home(send.channel, send.body)
            return Posted(send.channel, "")
        try:
            return await self._call_with(row, send, send.body)
        except SlackRefused as refused:
            text = send.body.get("text")
            if refused.error not in rules.BLOCK_ERRORS or not text or "blocks" not in send.body:
                raise
            log.error("blocks_refused", row=row.id, template=row.template, error=refused.error)
            return await self._call_with(row, send, {"text": text[:3000]})

    async def _call_with(self, row: OutboxRow, send: Send, message: dict[str, Any]) -> Posted:
        if send.method is Method.EDIT:
            return await self._gateway.update(send.channel, send.ts, message)
        return await self._gateway.post(
            send.channel, message, delivery_id=row.delivery_id, thread_ts=send.thread_ts,
            broadcast=send.broadcast,
        )  # fmt: skip

    async def _refused(self, row: OutboxRow, send: Send, error: str) -> None:
        until = self._clock.real() + timedelta(seconds=TOKEN_PAUSE)
        if error in rules.TOKEN_ERRORS or error == rules.SCOPE_ERROR:
            if error == rules.SCOPE_ERROR:
                self._pace.pause(send.method, until)
            else:
                self._pace.pause_all(until)
            self.trouble = f"Slack refuses {send.method.value}: {error}"
            log.error("slack_refuses_us", method=send.method.value, error=error)
            await self._put_off(row, until, error)
        else:
            await self._fail(row, error, send.names)

    def _no_answer(self, failure: SlackFailure) -> None:
        self._pace.failed(self._clock.real())
        if self._pace.is_broken and not self.trouble:
            self.trouble = "Slack does not answer"
            log.error("slack_does_not_answer", cause=str(failure))

    async def _after_no_answer(self, row: OutboxRow, send: Send, failure: SlackFailure) -> None:
        if rules.gives_up(row):
            await self._fail(row, f"given up: {failure}", send.names)
        elif isinstance(failure, SlackInDoubt) and send.method is Method.POST:
            log.warning("in_doubt", row=row.id, template=row.template, cause=str(failure))
            await self._again(row, deliveries.doubt(row.reason, str(failure)))
        else:
            what = "unreachable" if isinstance(failure, SlackUnreachable) else "no answer"
            await self._again(row, _keep_doubt(row, f"{what}: {failure}"))

    async def _fail(self, row: OutboxRow, error: str, names: dict[str, Any]) -> None:
        log.error("undeliverable", row=row.id, template=row.template, error=error)
        try:
            await self._settle(lambda: self._settlement.failed(row, error, names))
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


def _keep_doubt(row: OutboxRow, reason: str) -> str:
    """Once in doubt, a row stays known as such, until and after it is sent."""
    return row.reason if row.reason.startswith(IN_DOUBT) else reason
