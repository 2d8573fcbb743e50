"""`kill -9` at each of the six points of a send, and answers that come too late: nothing is lost, nothing stays double.

Messages of every kind of place are put into the outbox: direct messages, threads, lists that carry escalations, boards
in conversations that can and that cannot be read. A sender process is killed in the middle of them again and again (on
PostgreSQL two at a time), 15 % of all answers are late, a third of those even after somebody looked. Time runs `SCALE`
times as fast, so that leases and waits are as long against each other as in production. The oracle is the stand-in
Slack's log of every message ever shown. What is not here: the process that dies (`sender`).
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import func, or_, select

from bot.clock import Clock
from bot.demo import channels_of, people_of
from bot.services.runtime import Runtime
from bot.services.work import Work
from chaos.books import damage
from chaos.experiment import POSTGRES, Experiment, Ground
from chaos.nursery import Doorman, Nursery, nursery
from chaos.playbooks import agreement_of, playbook_text
from chaos.sender import POINTS, QuickTime
from chaos.verdict import Verdict
from sandbox.app import Sandbox, SandboxConfig, create_sandbox
from sandbox.config import DEFAULT_BOT_TOKEN, DEFAULT_SCOPES
from sandbox.server import free_socket, serve
from storage import outbox, people
from storage.database import Database
from storage.models import Cards, Outbox
from storage.rows import table_of

SCALE = 40.0
POSTS_A_LIFE = 4
#: After this long without a death, or without one message less, something hangs (seconds).
STUCK_SECONDS = 120.0
#: As the product calls them; if it forgets that they may be skipped but not doubled, it shows here.
BOARDS = ("leaderboard", "manager_digest")
#: A channel whose history the app may not read.
BLIND = "C0REVIEW"
_outbox = table_of(Outbox)
_cards = table_of(Cards)


@dataclass(slots=True)
class Office:
    """The database, the stand-in, and what was decided so far."""

    ground: Ground
    runtime: Runtime
    sandbox: Sandbox
    doorman: Doorman
    task: dict[str, Any]
    rng: random.Random
    dms: list[str]
    managers: list[int]
    decided: int = 0
    deaths: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def decide(self, many: int) -> None:
        """So many messages, of all kinds."""

        def decide(work: Work) -> None:
            for _ in range(many):
                self._decide(work)

        self.runtime.write_now(decide)

    def _decide(self, work: Work) -> None:
        n = self.decided
        self.decided += 1
        dm = f"ch:{self.rng.choice(self.dms)}"
        post = partial(
            outbox.enqueue_post, work.conn, card_key=f"card:{n}", now=work.now, real=work.real,
            offer_id=str(n), priority=outbox.PRIORITY_OFFER,
        )  # fmt: skip
        kind = n % 10
        if kind < 5:
            post(template="lead_card", lane=dm)
        elif kind == 5:
            post(template="reminder", lane=dm, offer_id=str(self.rng.randrange(n)))
        elif kind in (6, 7):
            manager = self.rng.choice(self.managers)
            post(
                template="escalation", lane=f"dm:{manager}", person_id=manager, clock_id=n + 1,
                priority=outbox.PRIORITY_ESCALATION,
            )  # fmt: skip
        elif kind == 8:
            post(template=self.rng.choice(BOARDS), lane=self.rng.choice([dm, f"ch:{BLIND}"]))
        else:
            post(template="review_card", lane=f"ch:{BLIND}")

    def waiting(self) -> int:
        """Rows that are not settled, or are still to be looked up again."""
        open_ = _outbox.c.state.in_(("pending", "sending", "doubt"))
        query = select(func.count()).where(or_(open_, _outbox.c.recheck_at.is_not(None)))
        return int(self.runtime.read_now(lambda work: work.conn.execute(query).scalar_one()))

    def edit_all(self) -> None:
        """Every card is to show something new."""

        def edit(work: Work) -> None:
            for card in work.conn.execute(select(_cards)).all():
                outbox.enqueue_edit(
                    work.conn, template=card.template, card_key=card.card_key, now=work.now,
                    lane=f"ch:{card.slack_channel}", real=work.real, offer_id=card.offer_id,
                    data=card.data,
                )  # fmt: skip

        self.runtime.write_now(edit)


@asynccontextmanager
async def office(ground: Ground, scale: float) -> AsyncIterator[Office]:
    """An empty outbox, people with conversations, and a stand-in Slack with late answers."""
    text = playbook_text(4)
    agreement = agreement_of(text)
    began = time.time()
    clock = QuickTime(began, scale)
    config = SandboxConfig(
        signing_secret="unused", events_url="http://127.0.0.1:9/",  # noqa: S106
        intake_url="http://127.0.0.1:9/", intake_secret="unused",  # noqa: S106
        people=people_of(agreement), channels=channels_of(agreement), clock=_Shown(clock),
        real=lambda: clock().timestamp(),
        scopes=DEFAULT_SCOPES | {"im:history"},
    )  # fmt: skip
    sandbox = create_sandbox(config)
    faults = sandbox.workspace.faults
    faults.seed(ground.seed)
    faults.add("chat.postMessage", "accept_then_late", count=None, probability=0.10, seconds=0.8)
    faults.add("chat.postMessage", "late_accept", count=None, probability=0.05, seconds=180 / scale)
    runtime = Runtime(Database(ground.url), Clock(clock), agreement)
    dms = [sandbox.workspace.open_dm(user).id for user in sandbox.workspace.people]
    managers = runtime.write_now(partial(_meet, sandbox=sandbox))
    doorman = Doorman(sandbox.asgi)
    await sandbox.start()
    try:
        async with serve(doorman, free_socket()) as slack:
            task = {
                "url": ground.url, "slack": slack, "token": DEFAULT_BOT_TOKEN, "began": began,
                "scale": scale, "playbook": text, "point": "", "skip": 0, "version": 1,
            }  # fmt: skip
            rng = random.Random(ground.seed)
            yield Office(ground, runtime, sandbox, doorman, task, rng, dms, managers)
    finally:
        await sandbox.stop()
        runtime.close()


class _Shown:
    """The stand-in's clock: the same quick time."""

    def __init__(self, source: QuickTime) -> None:
        self._source = source

    def now(self) -> Any:
        return self._source()

    async def advance(self, seconds: int) -> None:
        raise AssertionError("it runs by itself")

    def next_step_at(self) -> None:
        return None


def _meet(work: Work, sandbox: Sandbox) -> list[int]:
    for person in list(work.agreement.people.values())[:3]:
        people.ensure_person(work.conn, person.email, person.name)
    rows = people.list_people(work.conn)
    for row in rows:
        known = sandbox.workspace.person_by_email(row.email)
        if known is None:
            raise RuntimeError(f"{row.email} is not in the workspace")
        people.save_person(
            work.conn, row.id, slack_user_id=known.user_id,
            slack_channel_id=sandbox.workspace.dm_id(known.user_id),
        )  # fmt: skip
    return [row.id for row in rows]


async def _kill(office: Office, nest: Nursery, points: Sequence[str]) -> None:
    """A life for each point, ended there."""
    for point in points:
        await asyncio.to_thread(office.decide, POSTS_A_LIFE)
        skip = office.rng.randrange(POSTS_A_LIFE - 1)
        pid = await nest.begin({**office.task, "point": point, "skip": skip})
        if point == "before the answer":
            office.doorman.doomed[pid] = skip
        ending = asyncio.create_task(nest.end())
        began = time.monotonic()
        while not (await asyncio.wait([ending], timeout=2.0))[0]:
            if time.monotonic() - began > STUCK_SECONDS:
                office.faults.append(f"nobody came to the point: {point}")
                os.kill(pid, signal.SIGKILL)
                break
            await asyncio.to_thread(office.decide, POSTS_A_LIFE)  # the other one was quicker
        ended = await ending
        office.doorman.doomed.pop(pid, None)
        if ended == signal.SIGKILL:
            office.deaths[point] += 1
        else:
            office.faults.append(f"a sender ended with {-ended} instead of dying: {point}")


async def _until_quiet(office: Office, nest: Nursery, version: int) -> float:
    """A sender that nobody kills, until all is settled; how long that took, in seconds of the quick time."""
    pid = await nest.begin({**office.task, "version": version})
    began = time.monotonic()
    try:
        least, since = 0, began
        while left := await asyncio.to_thread(office.waiting):
            if left < least or not least:
                least, since = left, time.monotonic()
            if time.monotonic() - since > STUCK_SECONDS:
                office.faults.append(f"{left} messages stayed open for {STUCK_SECONDS:g} s")
                break
            await asyncio.sleep(0.1)
    finally:
        os.kill(pid, signal.SIGKILL)
        await nest.end()
    return (time.monotonic() - began) * float(office.task["scale"])


async def _run(ground: Ground, which: Sequence[str], scale: float) -> Verdict:
    verdict = Verdict(ground.size * len(which), ground.seed)
    many = 2 if ground.kind == POSTGRES else 1
    async with office(ground, scale) as here, AsyncExitStack() as stack:
        nests = [await stack.enter_async_context(nursery()) for _ in range(many)]
        began = time.monotonic()
        points = list(which) * ground.size
        here.rng.shuffle(points)
        await asyncio.gather(*(_kill(here, nest, points[n::many]) for n, nest in enumerate(nests)))
        # Those that come late and are looked for before: only who lives on can meet them.
        await asyncio.to_thread(here.decide, POSTS_A_LIFE * ground.size)
        settled = await _until_quiet(here, nests[0], 1)
        verdict.faults = here.faults
        _judge(verdict, here)
        await asyncio.to_thread(here.edit_all)
        await _until_quiet(here, nests[0], 2)
        _judge_edits(verdict, here)
        verdict.faults += damage(here.runtime.database)
        verdict.seconds = round(time.monotonic() - began, 1)
        verdict.figures |= {
            "kills by point": dict(here.deaths),
            "late answers": dict(here.sandbox.workspace.faults.done),
            "settled after the last kill, s of quick time": round(settled),
        }
    return verdict


def _judge(verdict: Verdict, here: Office) -> None:
    """Every message that was decided against what the stand-in ever showed."""
    shown: dict[str, list[Any]] = defaultdict(list)
    for messages in here.sandbox.workspace.messages.values():
        for message in messages.values():
            if message.metadata:
                shown[str(message.metadata["event_payload"]["d"])].append(message)
    query = select(_outbox).where(~_outbox.c.edits)
    rows = here.runtime.read_now(lambda work: work.conn.execute(query).all())
    carried = {row.dedupe_key: row for row in rows if row.template in outbox.LISTS}
    figures: Counter[str] = Counter()
    for row in rows:
        ever = shown[row.delivery_id]
        visible = [m for m in ever if not m.deleted]
        name = f"{row.template} {row.dedupe_key}, {row.state}"
        figures["decided"] += 1
        figures["doubts"] += row.doubts
        if row.state == "folded":
            texts = [m.text for m in shown[carried[row.reason].delivery_id] if not m.deleted]
            if row.settled_at is None or len(texts) != 1 or f" {row.id} " not in texts[0]:
                figures["lost"] += 1
                verdict.faults.append(f"{name}: lost by its list")
        elif row.template in BOARDS:
            figures["boards left out"] += row.state == "dead"
            figures["boards doubled"] += len(ever) > 1
            if (
                len(ever) > 1
                or row.state not in ("sent", "dead")
                or len(ever) < (row.state == "sent")
            ):
                verdict.faults.append(f"{name}: shown {len(ever)} times")
        else:
            blind = row.lane == f"ch:{BLIND}"
            figures["doubled where nobody can look"] += blind and len(visible) > 1
            figures["lost"] += not visible
            figures["doubled for good"] += not blind and len(visible) > 1
            figures["doubled for a while"] += not blind and len(ever) > 1
            if row.state != "sent" or not visible or (len(visible) > 1 and not blind):
                verdict.faults.append(f"{name}: stands there {len(visible)} times")
    if missing := here.decided - sum(row.template not in outbox.LISTS for row in rows):
        verdict.faults.append(f"{missing} rows are not there")
    verdict.figures |= dict(figures)


def _judge_edits(verdict: Verdict, here: Office) -> None:
    """Every card points at a message that can be seen, and was edited there."""
    cards = here.runtime.read_now(lambda work: work.conn.execute(select(_cards)).all())
    for card in cards:
        message = here.sandbox.workspace.message(card.slack_channel, card.slack_ts)
        if message is None or not message.text.endswith(" v2"):
            verdict.faults.append(f"{card.card_key}: its card points at nothing that changes")
    verdict.figures["cards"] = len(cards)


def kill_sends(ground: Ground, *, points: Sequence[str] = POINTS, scale: float = SCALE) -> Verdict:
    """`ground.size` kills at each of the points."""
    return asyncio.run(_run(ground, points, scale))


EXPERIMENTS = (
    Experiment(
        name="sends",
        about="kill -9 at the six points of a send, and 15 % late answers",
        criterion=(
            "size kills a point: 0 messages lost, 0 visible twice after quiescence (where history can be read), "
            "0 boards ever seen twice, every card points at the message that stays"
        ),
        broken_by=(
            "sent again without looking (30 kills, 123 messages, seed 7): 52 stood there up to six times for good, "
            "5 were lost by their lists, 6 boards were seen twice; without the second look 1 stood there twice; with "
            "boards sent again like offers 4 boards were seen twice"
        ),
        everyday=10,
        full=200,
        run=kill_sends,
    ),
)
