"""How fast two workers deliver beside one: PostgreSQL, ten calls in flight each, a Slack that takes 150 ms for a call.

Workers are processes of their own, with real gateways; so is Slack, which counts nothing here, else its limits would
be measured. What is not here: the worker (`delivery_worker`), Slack (`slow_slack`), its limits (`bot.services.pacing`).
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from benchmarks.delivery_worker import READY
from benchmarks.places import ROOT, Ground, NotMeasured, burning, cpu_seconds
from benchmarks.row import Bar, Figure, Found, Row, interleave
from storage import outbox
from storage.database import Database
from storage.models import People
from storage.rows import table_of

IN_FLIGHT = 10
SECONDS = 0.15
CONVERSATIONS, EACH = 200, 2
_PATIENCE = 120.0


@dataclass(slots=True)
class _Cost:
    """CPU a message, in milliseconds, a list a repetition: where two cores would end."""

    baton: list[float] = field(default_factory=list)
    slack: list[float] = field(default_factory=list)


def two_workers(ground: Ground) -> Found:
    """Messages a second by two workers and by one, in turn. Every process is fresh: there is nothing to warm up."""
    cost = _Cost()
    with _slack() as slack:
        sides = interleave(
            {
                "one worker": lambda: _measure(ground, slack, 1, cost),
                "two workers": lambda: _measure(ground, slack, 2, cost),
            },
            warm=False,
        )
    return Found(
        {
            "ratio": sides.ratio("two workers", "one worker"),
            "two workers": sides.figure("two workers", "messages/s"),
            "one worker": sides.figure("one worker", "messages/s"),
            "CPU of workers and server": Figure(tuple(cost.baton), "ms a message"),
            "CPU of the stand-in for Slack": Figure(tuple(cost.slack), "ms a message"),
        },
        (
            f"{CONVERSATIONS} conversations, {1 if ground.small else EACH} messages each, a call takes "
            f"{SECONDS * 1000:.0f} ms: one worker cannot do more than {IN_FLIGHT / SECONDS:.0f} messages/s.",
            "Workers, PostgreSQL and the stand-in share the cores: from 2,000 ms of CPU a second on two of them, "
            "the machine is measured and not the workers.",
        ),
    )


def _measure(ground: Ground, slack: _Slack, workers: int, cost: _Cost) -> float:
    each = 1 if ground.small else EACH
    with ground.postgres() as url, ExitStack() as stack:
        database = Database(url)
        stack.callback(database.dispose)
        _fill(database, each)
        running = [stack.enter_context(_worker(url, slack.url, n)) for n in range(workers)]
        for process in running:
            stack.enter_context(burning(process.pid, 0.05))
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            if process.stdout.readline().strip() != READY:
                raise NotMeasured("a worker did not start")
        ours = (ground.server_pid, *(process.pid for process in running))
        before, before_slack = sum(map(cpu_seconds, ours)), cpu_seconds(slack.pid)
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
        messages = CONVERSATIONS * each
        cost.baton.append((sum(map(cpu_seconds, ours)) - before) / messages * 1000)
        cost.slack.append((cpu_seconds(slack.pid) - before_slack) / messages * 1000)
        if workers > 1 and _count(database, "claimed_by = 'w1'") < messages / 4:
            raise NotMeasured("one of the workers hardly did anything")
        return messages / seconds


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


@dataclass(frozen=True, slots=True)
class _Slack:
    """The stand-in's process, and where it takes messages."""

    pid: int
    url: str


@contextmanager
def _slack() -> Iterator[_Slack]:
    process = subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", "benchmarks.slow_slack", str(SECONDS)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        port = process.stdout.readline().strip() if process.stdout is not None else ""
        if not port.isdigit():
            raise NotMeasured("the stand-in for Slack did not start")
        yield _Slack(process.pid, f"http://127.0.0.1:{port}/api/")
    finally:
        process.kill()
        process.communicate()


ROWS = (
    Row(
        name="delivery",
        measures=(
            f"messages a second by two workers beside one: PostgreSQL, {IN_FLIGHT} calls in flight a worker, "
            f"{CONVERSATIONS} conversations"
        ),
        peer="one worker",
        bars=(Bar("ratio", ">=", 1.8),),
        run=two_workers,
    ),
)
