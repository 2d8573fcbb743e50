"""The frame around every use case: a bounded pool, one transaction, the clock, retries, waking after a commit.

Asynchronous shell, synchronous core: handlers await `write` or `read` with a plain function of `Work`.
SQLite: one writer and two readers; PostgreSQL: about eight threads. What is not here: any use case.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from bot.clock import Clock, elapsed
from bot.domain.agreement import Agreement
from bot.domain.retention import Retention
from bot.services.meter import NO_METER, Meter
from bot.services.spot_erased import Erased
from bot.services.work import Work
from storage import playbooks
from storage.database import Database, is_away, is_passing

T = TypeVar("T")
log = logging.getLogger(__name__)

#: A transaction that met a deadlock, a lost connection or a busy file is tried again this often.
TRIES = 4
#: Seconds for which a database that is away is tried again before the caller is told.
PATIENCE = 1.0


class ShutDown(Exception):
    """This process must write no more; the message says why."""


@dataclass
class Wakers:
    """Called after a commit that left something to do; set by wiring."""

    delivery: Callable[[], None] = lambda: None
    tick: Callable[[], None] = lambda: None
    hooks: Callable[[], None] = lambda: None
    #: The other processes on this database.
    others: Callable[[], None] = lambda: None

    def ring(self) -> None:
        """All of this process."""
        self.delivery()
        self.tick()
        self.hooks()


class Runtime:
    """Runs use cases. One per process; made by wiring."""

    def __init__(
        self, database: Database, clock: Clock, agreement: Agreement, *, movable_clock: bool = False
    ) -> None:
        self.database = database
        self.clock = clock
        self.agreement = agreement
        self.wakers = Wakers()
        self._shut = ""
        #: A webhook receiver is configured; set by whoever knows the settings, before the first transaction.
        self.tells_crm = False
        #: Knows again whoever was erased; set likewise, when there is a key.
        self.erased = Erased()
        #: How long what is kept; likewise.
        self.retention = Retention()
        self.meter: Meter = NO_METER
        #: The sandbox moves business time by a row: then every transaction reads it first.
        self._movable = movable_clock
        writers, readers = (1, 2) if database.is_sqlite else (6, 2)
        self._writers = ThreadPoolExecutor(writers, thread_name_prefix="write")
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="read")
        #: So many threads at most work for delivery: the others are for those who wait for an answer.
        self._behind = asyncio.Semaphore(1 if database.is_sqlite else 3)
        self._tasks: set[asyncio.Task[Any]] = set()

    async def write(self, use_case: Callable[[Work], T]) -> T:
        """Run `use_case` in one writing transaction; woken after the commit is whoever has something to do.

        Raises `ShutDown` after `shut`.
        """
        if self._shut:
            raise ShutDown(self._shut)
        result, wake = await self._in(self._writers, lambda: self._transact(use_case))
        if wake:
            self.wakers.ring()
            self.wakers.others()
        return result

    def shut(self, why: str) -> None:
        """Write no more: the tables are not ours any longer."""
        self._shut = why

    async def read(self, query: Callable[[Work], T]) -> T:
        """Run `query` in a transaction that only reads."""
        return await self._in(self._readers, lambda: self.run_now(query, self.database.read()))

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Run plain synchronous work that opens its own transactions (delivery) in the writers' pool."""
        return await self._in(self._writers, work)

    async def call(self, call: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """`in_thread` with arguments, as delivery wants it. Few at a time: whoever clicks comes between them."""
        async with self._behind:
            return await self._in(self._writers, lambda: call(*args, **kwargs))

    def make_work(self, conn: Connection) -> Work:
        """The context of one transaction."""
        if self._movable:
            self.clock.set_offset(timedelta(seconds=playbooks.read_offset(conn)))
        return Work(
            conn,
            self.clock.business(),
            self.clock.real(),
            self.agreement,
            tells_crm=self.tells_crm,
            retention=self.retention,
            erased=self.erased,
            meter=self.meter,
        )

    def run_now(
        self, use_case: Callable[[Work], T], transaction: AbstractContextManager[Connection]
    ) -> T:
        """Run a use case here and now, in the calling thread."""
        with transaction as conn:
            return use_case(self.make_work(conn))

    def write_now(self, use_case: Callable[[Work], T]) -> T:
        """`write` for start-up and command lines, without a loop."""
        return self._transact(use_case)[0]

    def read_now(self, query: Callable[[Work], T]) -> T:
        """`read` for start-up and command lines, without a loop."""
        return self.run_now(query, self.database.read())

    def in_background(self, job: Coroutine[Any, Any, Any]) -> None:
        """Start something on the loop whose loss costs nothing; its failure is logged, never raised."""
        task = asyncio.get_running_loop().create_task(job)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    async def drain(self, seconds: float) -> None:
        """Let background jobs finish, at most `seconds`."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=seconds)

    def close(self) -> None:
        """Stop the pools and close the database."""
        self._writers.shutdown(wait=True)
        self._readers.shutdown(wait=True)
        self.database.dispose()

    def _transact(self, use_case: Callable[[Work], T]) -> tuple[T, bool]:
        began = elapsed()
        for attempt in range(1, TRIES + 1):
            try:
                with self.database.write() as conn:
                    work = self.make_work(conn)
                    result = use_case(work)
                return result, work.wake
            except DBAPIError as error:
                if attempt == TRIES or not is_passing(error):
                    raise
                if is_away(error) and elapsed() - began > PATIENCE:
                    raise  # whoever waits for an answer is to have it soon
                log.warning("transaction tried again", extra={"attempt": attempt})
                # Two that met must not meet again: a real, short, random pause in this worker thread.
                time.sleep(random.uniform(0.01, 0.05) * attempt)  # noqa: S311 - no secret
        raise AssertionError("unreachable")

    async def _in(self, pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(pool, work)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.warning("background job failed", exc_info=task.exception())
