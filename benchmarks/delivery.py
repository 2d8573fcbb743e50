"""How fast two workers deliver beside one: PostgreSQL, ten calls in flight each, a Slack that takes 150 ms for a call.

Workers are processes of their own, with real gateways; Slack counts nothing here, else its limits would be measured.
What is not here: the worker (`delivery_worker`), Slack's limits (`bot.services.pacing`).
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime

from aiohttp import web

from benchmarks.delivery_worker import READY
from benchmarks.places import ROOT, Ground, NotMeasured, burning
from benchmarks.row import Bar, Found, Row, interleave
from storage import outbox
from storage.database import Database
from storage.models import People
from storage.rows import table_of

IN_FLIGHT = 10
SECONDS = 0.15
CONVERSATIONS, EACH = 300, 2
_PATIENCE = 120.0


def two_workers(ground: Ground) -> Found:
    """Messages a second by two workers and by one, in turn."""
    with _slack() as url:
        sides = interleave(
            {
                "one worker": lambda: _measure(ground, url, 1),
                "two workers": lambda: _measure(ground, url, 2),
            }
        )
    return Found(
        {
            "two workers": sides.figure("two workers", "messages/s"),
            "one worker": sides.figure("one worker", "messages/s"),
            "ratio": sides.ratio("two workers", "one worker"),
        },
        (
            f"{CONVERSATIONS} conversations, {EACH} messages each, a call takes {SECONDS * 1000:.0f} ms: one worker "
            f"cannot do more than {IN_FLIGHT / SECONDS:.0f} messages/s.",
        ),
    )


def _measure(ground: Ground, slack: str, workers: int) -> float:
    each = 1 if ground.small else EACH
    with ground.postgres() as url, ExitStack() as stack:
        database = Database(url)
        stack.callback(database.dispose)
        _fill(database, each)
        running = [stack.enter_context(_worker(url, slack, n)) for n in range(workers)]
        for process in running:
            stack.enter_context(burning(process.pid, 0.05))
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            if process.stdout.readline().strip() != READY:
                raise NotMeasured("a worker did not start")
        began = time.perf_counter()
        for process in running:
            assert process.stdin is not None  # noqa: S101 - it is a pipe
            process.stdin.write("go\n")
            process.stdin.flush()
        while _count(database, "state <> 'sent'"):
            if time.perf_counter() - began > _PATIENCE:
                raise NotMeasured("not delivered within two minutes")
            time.sleep(0.05)
        seconds = time.perf_counter() - began
        if workers > 1 and _count(database, "claimed_by = 'w1'") < CONVERSATIONS * each / 4:
            raise NotMeasured("one of the workers hardly did anything")
        return CONVERSATIONS * each / seconds


def _fill(database: Database, each: int) -> None:
    now = datetime.now(UTC)
    with database.write() as conn:
        conn.execute(
            table_of(People).insert(),
            [
                {"email": f"rep{n}@acme.example", "name": f"Rep {n}", "slack_user_id": f"U{n}",
                 "slack_channel_id": f"D{n}"}
                for n in range(CONVERSATIONS)
            ],
        )  # fmt: skip
        ids = conn.execute(table_of(People).select().order_by(table_of(People).c.id)).scalars()
        for place, person in enumerate(list(ids) * each):
            outbox.enqueue_post(
                conn, template="handover", card_key=f"m{place}", lane=f"dm:{person}", now=now,
                real=now, priority=outbox.PRIORITY_OFFER, person_id=person,
            )  # fmt: skip


def _count(database: Database, where: str) -> int:
    with database.read() as conn:
        return int(conn.exec_driver_sql(f"SELECT count(*) FROM outbox WHERE {where}").scalar() or 0)  # noqa: S608


@contextmanager
def _worker(url: str, slack: str, number: int) -> Iterator[subprocess.Popen[str]]:
    given = {"url": url, "slack": slack, "name": f"w{number}", "in_flight": IN_FLIGHT}
    process = subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", "benchmarks.delivery_worker", json.dumps(given)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def _slack() -> Iterator[str]:
    """Takes every message, after a while. In a thread of its own."""
    loop, started, where = asyncio.new_event_loop(), threading.Event(), [""]

    async def take(request: web.Request) -> web.Response:
        body = await request.json()
        await asyncio.sleep(SECONDS)
        return web.json_response({"ok": True, "channel": body.get("channel"), "ts": "1.1"})

    async def serve() -> web.AppRunner:
        app = web.Application()
        app.router.add_post("/api/{method}", take)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        where[0] = f"http://{host}:{port}/api/"
        return runner

    def run() -> None:
        asyncio.set_event_loop(loop)
        runner = loop.run_until_complete(serve())
        started.set()
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.close()

    thread = threading.Thread(target=run, name="slack")
    thread.start()
    started.wait(10)
    try:
        yield where[0]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


ROWS = (
    Row(
        name="delivery",
        measures=(
            "Messages a second by two workers beside one: PostgreSQL, 10 calls in flight per worker, 300 conversations"
        ),
        peer="one worker",
        bars=(Bar("ratio", ">=", 1.8),),
        run=two_workers,
    ),
)
