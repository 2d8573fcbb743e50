"""Processes on one PostgreSQL: a commit of one wakes the other, a lost line is opened again, nothing is left behind.

What is not here: what they do once awake, the same over minutes (`chaos.workers`, `chaos.house`).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from bot.clock import Clock
from bot.gateways.slack import SlackGateway
from bot.joining import Joined
from bot.services.keep_watch import Presence, keep_watch
from bot.services.runtime import Runtime
from bot.services.work import Work
from chaos.playbooks import agreement_of, playbook_text
from storage import playbooks
from storage.database import Database
from tests.postgres import PostgresServer
from tests.schema import create_schema

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def runtime_on(url: str, clock: Clock | None = None) -> Runtime:
    return Runtime(Database(url), clock or Clock(), agreement_of(playbook_text(1)))


def joined(runtime: Runtime, name: str, *, worker: bool) -> Joined:
    gateway = SlackGateway("xoxb-none", "http://127.0.0.1:9/api/")
    return Joined(runtime, gateway, Presence(name, "worker" if worker else "web"), worker=worker)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.01)


def leave_something(work: Work) -> None:
    work.wake = True


@pytest.fixture
def postgres_url(postgres_server: PostgresServer, shared_folder: Path) -> Iterator[str]:
    with postgres_server.database(postgres_server.template(shared_folder, create_schema)) as url:
        yield url


@pytest.mark.postgres
async def test_a_commit_here_wakes_a_worker_there_and_a_lost_line_is_opened_again(
    postgres_url: str,
) -> None:
    web, worker = runtime_on(postgres_url), runtime_on(postgres_url)
    here, there = joined(web, "host:1", worker=False), joined(worker, "host:1", worker=True)
    woken: list[str] = []
    own: list[str] = []
    worker.wakers.delivery = lambda: woken.append("delivery")
    web.wakers.delivery = lambda: own.append("delivery")
    here.start()
    there.start()
    ear, bell = there._ear, here._bell
    assert ear is not None
    assert bell is not None
    try:
        await until(lambda: ear.opened == 1 and len(woken) == 1)
        await web.write(lambda work: None)
        await web.write(leave_something)
        await until(lambda: len(woken) > 1)
        assert len(own) == 1  # nobody wakes themselves a second time
        for _ in range(200):  # a burst shares a few rings
            bell.ring()
        await until(lambda: bell.rung >= 2)
        await asyncio.sleep(0.1)
        assert bell.rung < 10
        with web.database.read() as conn:
            conn.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name LIKE 'baton %%'"
            )
        await until(lambda: ear.opened == 2)
        heard = ear.heard
        bell.ring()  # lost with the line, or not: the one after it is heard
        await asyncio.sleep(1.1)
        bell.ring()
        await until(lambda: ear.heard > heard)
    finally:
        await here.stop()
        await there.stop()
        web.close()
        worker.close()
    assert not {"bell", "ear"} & {thread.name for thread in threading.enumerate()}


def test_each_process_beats_and_only_the_time_without_any_worker_counts_as_down(
    database_url: str,
) -> None:
    at = NOON
    runtime = runtime_on(database_url, Clock(lambda: at))
    try:
        one, two = Presence("a:1", "worker", NOON), Presence("b:1", "worker", NOON)
        web = Presence("c:1", "web")
        for each in (one, two):
            runtime.write_now(partial(keep_watch, me=each))
        runtime.write_now(
            lambda work: playbooks.beat(work.conn, web.name, NOON + timedelta(hours=2), role="web")
        )
        # One of them dies, the other goes on: nothing was down.
        for minutes in (0.5, 1, 1.5, 2):
            at = NOON + timedelta(minutes=minutes)
            runtime.write_now(lambda work: keep_watch(work, one))
        assert runtime.read_now(lambda work: playbooks.list_downtimes(work.conn)) == []
        # Both are gone for two hours, while the web side takes leads; both come back.
        at = NOON + timedelta(hours=2, minutes=2)
        down = [runtime.write_now(partial(keep_watch, me=each)).down for each in (one, two)]
        assert down == [timedelta(hours=2), timedelta(0)]
        assert runtime.read_now(lambda work: playbooks.list_downtimes(work.conn)) == [
            (NOON + timedelta(minutes=2), at)
        ]
        at = NOON + timedelta(days=3)
        runtime.write_now(lambda work: keep_watch(work, one))
        beats = runtime.read_now(lambda work: playbooks.list_beats(work.conn))
        assert [(b.worker, b.role, b.ticked_at) for b in beats] == [("a:1", "worker", at)]
    finally:
        runtime.close()


@pytest.mark.postgres
def test_workers_that_come_back_at_once_record_the_downtime_once(postgres_url: str) -> None:
    runtimes = [runtime_on(postgres_url, Clock(lambda: NOON)) for _ in range(3)]
    try:
        early = NOON - timedelta(hours=1)
        runtimes[0].write_now(lambda work: playbooks.beat(work.conn, "old:1", early))
        ready = threading.Barrier(3)

        def come_back(number: int) -> None:
            def watch(work: Work) -> None:
                work.roster  # noqa: B018 - the connection is there, and the snapshot taken
                ready.wait(10)
                keep_watch(work, Presence(f"new:{number}"))

            runtimes[number].write_now(watch)

        threads = [threading.Thread(target=come_back, args=(n,)) for n in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        found = runtimes[0].read_now(lambda work: playbooks.list_downtimes(work.conn))
        assert found == [(early, NOON)]
        beats = runtimes[0].read_now(lambda work: playbooks.list_beats(work.conn))
        assert len(beats) == 4
    finally:
        for runtime in runtimes:
            runtime.close()


async def test_nothing_is_opened_on_sqlite() -> None:
    runtime = runtime_on("sqlite://")
    alone = joined(runtime, "host:1", worker=True)
    assert (alone._bell, alone._ear) == (None, None)
    await runtime.write(leave_something)
    runtime.close()
