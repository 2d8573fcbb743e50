"""The peers of the timers: three engines that run jobs that do nothing, over the same PostgreSQL server, as durable.

Each is used as its documentation says, with tables of its own in a fresh database. What counts is the stretch in which
it works: from its first job to the moment when all are settled in the database. Starting and stopping a worker is left
out. What is not here: Baton's side (`timers`).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import procrastinate
import psycopg
from apscheduler.events import EVENT_JOB_EXECUTED, JobExecutionEvent
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from pgqueuer import PsycopgDriver, Queries, QueueManager
from pgqueuer.models import Job
from sqlalchemy import make_url

from benchmarks.places import NotMeasured

_PATIENCE = 60.0


def plain(url: str) -> str:
    """The URL as psycopg takes it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def procrastinate_rate(url: str, jobs: int) -> float:
    """Empty jobs a second: one worker, ten at a time, as it is quickest."""
    return asyncio.run(_procrastinate(plain(url), jobs))


async def _procrastinate(url: str, jobs: int) -> float:
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=url))
    began = 0.0

    @app.task(name="nothing")
    async def nothing() -> None:
        nonlocal began
        began = began or time.perf_counter()

    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        await nothing.batch_defer_async(*({} for _ in range(jobs)))
        worker = asyncio.create_task(
            app.run_worker_async(wait=True, concurrency=10, install_signal_handlers=False)
        )
        seconds = await _until_settled(
            url,
            "SELECT count(*) FROM procrastinate_jobs WHERE status = 'succeeded'",
            jobs,
            lambda: began,
        )
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)
    return jobs / seconds


def pgqueuer_rate(url: str, jobs: int) -> float:
    """Empty jobs a second: one worker, a hundred at a time."""
    return asyncio.run(_pgqueuer(plain(url), jobs))


async def _pgqueuer(url: str, jobs: int) -> float:
    began = 0.0
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
        driver = PsycopgDriver(conn)
        queries = Queries(driver)
        await queries.install()
        await queries.enqueue(["nothing"] * jobs, [None] * jobs, [0] * jobs)
        manager = QueueManager(queries)

        @manager.entrypoint("nothing")
        async def nothing(_: Job) -> None:
            nonlocal began
            began = began or time.perf_counter()

        worker = asyncio.create_task(manager.run(batch_size=100))
        seconds = await _until_settled(
            url,
            "SELECT count(*) FROM pgqueuer_log WHERE status = 'successful'",
            jobs,
            lambda: began,
        )
        manager.shutdown.set()
        await asyncio.gather(worker, return_exceptions=True)
    return jobs / seconds


def apscheduler_rate(url: str, jobs: int) -> float:
    """Empty jobs a second from the SQLAlchemy job store, as many threads as it has."""
    logging.getLogger("apscheduler").setLevel(logging.CRITICAL)
    done = 0
    last = 0.0

    def count(_: JobExecutionEvent) -> None:
        nonlocal done, last
        done, last = done + 1, time.perf_counter()

    scheduler = BackgroundScheduler(
        jobstores={"default": SQLAlchemyJobStore(url=url)},
        job_defaults={"misfire_grace_time": None},
        timezone="UTC",
    )
    scheduler.add_listener(count, EVENT_JOB_EXECUTED)
    scheduler.start(paused=True)
    due = datetime.now(UTC) - timedelta(seconds=1)
    for n in range(jobs):
        scheduler.add_job(_nothing, "date", run_date=due, id=str(n))
    began = time.perf_counter()
    scheduler.resume()
    while done < jobs and time.perf_counter() - began < _PATIENCE:
        time.sleep(0.005)
    scheduler.shutdown(wait=True)
    if done != jobs:
        raise NotMeasured(f"APScheduler ran {done} of {jobs} jobs")
    return jobs / (last - began)


def _nothing() -> None:
    pass


async def _until_settled(url: str, count: str, jobs: int, began: Callable[[], float]) -> float:
    """Seconds from the first job to the moment at which the database says that all are done."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
        deadline = time.perf_counter() + _PATIENCE
        while time.perf_counter() < deadline:
            row = await (await conn.execute(count)).fetchone()
            if row is not None and row[0] >= jobs:
                return time.perf_counter() - began()
            await asyncio.sleep(0.01)
    raise NotMeasured(f"not all of {jobs} jobs were settled in {_PATIENCE:.0f} s: {count}")
