"""Baton hangs in one way or another: whoever waits for its heartbeat misses it, and its health says so.

Real processes; the watchdog looks more often than in real life, by a factor that the full form leaves away. What is not
here: what the watchdog finds in the tables (`corruptions`).
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager

import aiohttp
import psycopg
from aiohttp import web
from psycopg import sql
from sqlalchemy import make_url

from chaos.experiment import SQLITE, Experiment, Ground
from chaos.town import Baton, Town, town
from chaos.verdict import Verdict
from storage.database import Database

#: Seconds of real life: when pings must have stopped, when health must be red.
PINGS_STOP, RED = 120.0, 30.0
#: The everyday form: the watchdog looks so many times as often.
PACE = 45.0
FULL = 5

Fault = Callable[[Town, Baton, Ground], AbstractContextManager[None]]


@contextmanager
def _stopped(here: Town, baton: Baton, ground: Ground) -> Iterator[None]:
    baton.send(signal.SIGSTOP)
    try:
        yield
    finally:
        baton.send(signal.SIGCONT)


@contextmanager
def _hangs(here: Town, baton: Baton, ground: Ground) -> Iterator[None]:
    baton.send(signal.SIGUSR1)
    yield


@contextmanager
def _slow_look(here: Town, baton: Baton, ground: Ground) -> Iterator[None]:
    baton.send(signal.SIGUSR2)
    try:
        yield
    finally:
        baton.send(signal.SIGUSR2)


@contextmanager
def _no_token(here: Town, baton: Baton, ground: Ground) -> Iterator[None]:
    faults = here.sandbox.workspace.faults
    faults.add("*", "error", error="token_revoked", count=None)
    try:
        yield
    finally:
        faults.clear()


@contextmanager
def _no_database(here: Town, baton: Baton, ground: Ground) -> Iterator[None]:
    """Nobody gets in, whoever is in is thrown out; on SQLite somebody else keeps the file to themselves."""
    url = make_url(ground.url)
    if ground.kind == SQLITE:
        database = Database(ground.url)
        with database.write():
            yield
        database.dispose()
        return
    plain = url.set(drivername="postgresql", database="postgres")
    name = sql.Identifier(str(url.database))
    with psycopg.connect(plain.render_as_string(hide_password=False), autocommit=True) as conn:
        conn.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))
        conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
            [url.database],
        )
        try:
            yield
        finally:
            conn.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name))


#: What happens, and the door that says so. Slack that refuses us is no reason to be started anew: `/readyz` is not
#: `/healthz`.
FAULTS: dict[str, tuple[Fault, str]] = {
    "stopped": (_stopped, "/healthz"),
    "no database": (_no_database, "/healthz"),
    "token revoked": (_no_token, ""),
    "slow look": (_slow_look, ""),
    "loop hangs": (_hangs, "/healthz"),  # for ever: the last
}


def deadman(ground: Ground) -> Verdict:
    """Each fault once; `size` at least `FULL`: in real time."""
    return asyncio.run(_run(ground))


async def _run(ground: Ground) -> Verdict:
    pace = 1.0 if ground.size >= FULL else PACE
    verdict = Verdict(len(FAULTS), ground.seed)
    async with _listener() as (address, pings):
        env = {"BATON_HEARTBEAT_URL": address, "CHAOS_PACE": str(pace)}
        async with town(ground, reps=2, env=env) as here:
            baton = here.place("run")
            baton.module = "chaos.hasty"
            here.start(baton)
            await here.ready(baton)
            for name, (fault, door) in FAULTS.items():
                said = await _one(here, baton, ground, pings, fault, door, pace)
                verdict.figures[name] = said or "noticed"
                if said:
                    verdict.faults.append(f"{name}: {said}")
    verdict.figures["faster by"] = pace
    return verdict


async def _one(
    here: Town,
    baton: Baton,
    ground: Ground,
    pings: list[float],
    fault: Fault,
    door: str,
    pace: float,
) -> str:
    """A sentence when it was not noticed. Each fault but the last passes, and pings come again before the next."""
    if not await _pinged(pings, 1, 150 / pace + 40):
        return "it does not ping while all is well"
    with fault(here, baton, ground):
        began = time.monotonic()
        if door and not await _is_red(here.session, f"{baton.address}{door}", RED):
            return f"{door} was not red within {RED:g} s"
        # A look may be under way: what it finds is what was so before.
        await asyncio.sleep(max(0.0, PINGS_STOP / pace - (time.monotonic() - began)))
        before = len(pings)
        await asyncio.sleep(PINGS_STOP / pace)
        return f"{len(pings) - before} pings came afterwards" if len(pings) > before else ""


async def _pinged(pings: list[float], times: int, seconds: float) -> bool:
    until, before = time.monotonic() + seconds, len(pings)
    while time.monotonic() < until:
        if len(pings) >= before + times:
            return True
        await asyncio.sleep(0.1)
    return False


async def _is_red(session: aiohttp.ClientSession, url: str, seconds: float) -> bool:
    """Red is 503, and no answer within a probe's patience."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            async with asyncio.timeout(3), session.get(url) as answer:
                if answer.status == 503:
                    return True
        except (aiohttp.ClientError, TimeoutError):
            return True
        await asyncio.sleep(0.3)
    return False


@asynccontextmanager
async def _listener() -> AsyncIterator[tuple[str, list[float]]]:
    """Somebody who waits for pings: the address, and when each came."""
    pings: list[float] = []

    async def ping(request: web.Request) -> web.Response:
        pings.append(time.monotonic())
        return web.Response()

    app = web.Application()
    app.router.add_get("/ping", ping)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        port = runner.addresses[0][1]
        yield f"http://127.0.0.1:{port}/ping", pings
    finally:
        await runner.cleanup()


EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment(
        name="deadman",
        about="stopped, hanging, without database, token revoked, looks too slow",
        criterion="pings stop within 2 min in 5 of 5 (everyday: all 45 times as fast); /healthz red"
        " within 30 s where a restart helps",
        broken_by="with pings whatever a look finds: 2 pings came after the token was revoked",
        everyday=1,
        full=FULL,
        run=deadman,
    ),
)
