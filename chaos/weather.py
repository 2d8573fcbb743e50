"""Bad weather: Slack is busy, fails or hangs in every other call. In time that jumps, with our real timeouts.

The messages are rows of the outbox with nothing behind them; delivery, the settling of doubts and the gateway are the
real ones. One conversation has fair weather, and must not suffer. What is not here: the time and the stand-in
(`virtual`), Slack away altogether (`outage`).
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import Counter
from dataclasses import dataclass, field

from sqlalchemy import Connection

from bot.services.deliver import Deliverer
from bot.services.deliver_types import Drop, Rendered
from bot.services.resolve_people import resolve_people
from bot.services.settle_doubts import DoubtSettler
from bot.services.work import Work
from chaos.experiment import Experiment, Ground
from chaos.playbooks import agreement_of, playbook_text
from chaos.verdict import Verdict
from chaos.virtual import Slack, Spoken, inline, run_virtually, runtime_on, slack_of
from storage import outbox
from storage.cards import CardRow
from storage.database import Database
from storage.deliveries import OutboxRow

REPS = 8  # a team, of three
FOUL = 12  # conversations; fewer than may be in flight
BUSY, BROKEN, HANGS = 0.30, 0.10, 0.05
#: Seconds: what Retry-After says; between messages to the fair conversation; the longest run.
RETRY_AFTER, EVERY, LONGEST = 1, 2.0, 14_400.0
#: A call that was on its way when the answer came cannot know of it (the longest way there and back).
ON_ITS_WAY = 0.25
P99 = 2.0
_POST = "chat.postMessage"


@dataclass(slots=True)
class _Sky:
    """What becomes of each call: drawn when it is made."""

    slack: Slack
    dice: random.Random
    fair: str
    drawn: Counter[str] = field(default_factory=Counter)

    def over(self, call: Spoken) -> None:
        """A fault for this very call, unless it goes to the fair conversation."""
        faults = self.slack.sandbox.workspace.faults
        faults.faults.clear()
        if call.method != _POST or call.channel == self.fair:
            return
        draw = self.dice.random()
        if draw < BUSY:
            self._plan("ratelimited", retry_after=RETRY_AFTER)
        elif draw < BUSY + BROKEN:
            self._plan(self.dice.choice(("http_500", "accept_then_reset")))
        elif draw < BUSY + BROKEN + HANGS:
            self._plan(self.dice.choice(("hang", "accept_then_late")), seconds=30.0)

    def _plan(self, kind: str, **values: float) -> None:
        self.drawn[kind] += 1
        self.slack.sandbox.workspace.faults.add(_POST, kind, **values)


def weather(ground: Ground) -> Verdict:
    """`size` messages."""
    logging.disable(logging.ERROR)
    began = time.monotonic()
    try:
        verdict = run_virtually(_weather(ground))
    finally:
        logging.disable(logging.NOTSET)
    verdict.seconds = round(time.monotonic() - began, 1)
    return verdict


async def _weather(ground: Ground) -> Verdict:
    text = playbook_text(REPS)
    database = Database(ground.url)
    runtime = runtime_on(database, text)
    slack, loop = (
        slack_of(agreement_of(text), rates=False, seed=ground.seed),
        asyncio.get_running_loop(),
    )
    await slack.sandbox.start()
    await resolve_people(runtime, slack.gateway("start"))
    people = runtime.read_now(lambda work: [m.id for m in work.roster.by_id.values()])
    fair = runtime.read_now(lambda work: work.roster.by_id[people[0]].row.slack_channel_id or "")
    sky = _Sky(slack, random.Random(ground.seed), fair)
    slack.prepare = sky.over
    parts: list[Deliverer | DoubtSettler] = []
    for name in ("w1",) if database.is_sqlite else ("w1", "w2"):
        gateway = slack.gateway(name)
        deliverer = Deliverer(
            database=database, gateway=gateway, render=_render, make_work=runtime.make_work,
            clock=runtime.clock, run_in_thread=inline, after_sent=_nothing, after_failure=_nothing,
            worker=name,
        )  # fmt: skip
        settler = DoubtSettler(
            database=database, gateway=gateway, settlement=deliverer.settlement, render=_render,
            make_work=runtime.make_work, clock=runtime.clock, run_in_thread=inline, worker=name,
        )  # fmt: skip
        parts += [deliverer, settler]
    for n in range(ground.size):
        runtime.write_now(lambda work: _decide(work, people[1 + n % FOUL], f"m{n}"))  # noqa: B023
    tasks = [asyncio.create_task(part.run()) for part in parts]
    began, number, asked = loop.time(), 0, {}
    while loop.time() < began + LONGEST:
        if _waiting(database) == 0:
            break
        asked[f"fair{number}"] = loop.time()
        runtime.write_now(lambda work: _decide(work, people[0], f"fair{number}"))  # noqa: B023
        number += 1
        for part in parts:
            if isinstance(part, Deliverer):
                part.wake()
        await asyncio.sleep(EVERY)
    took = loop.time() - began
    await asyncio.sleep(330.0)  # what was sent again after a doubt is looked for once more
    for part in parts:
        await part.stop()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await slack.sandbox.stop()
    verdict = Verdict(ground.size, ground.seed)
    _judge(verdict, database, slack, sky, asked, took)
    database.dispose()
    return verdict


def _decide(work: Work, person: int, key: str) -> None:
    outbox.enqueue_post(
        work.conn, template="handover", card_key=key, lane=f"dm:{person}", now=work.now,
        real=work.real, priority=outbox.PRIORITY_OFFER, person_id=person,
    )  # fmt: skip


def _render(work: Work, row: OutboxRow, card: CardRow | None) -> Rendered | Drop:
    return Rendered({"text": row.card_key})


def _nothing(work: Work, row: OutboxRow, error: str = "") -> None:
    pass


def _waiting(database: Database) -> int:
    with database.read() as conn:
        return _count(
            conn, "state IN ('pending', 'sending', 'doubt') AND NOT card_key LIKE 'fair%%'"
        )


def _count(conn: Connection, where: str) -> int:
    return int(conn.exec_driver_sql(f"SELECT count(*) FROM outbox WHERE {where}").scalar() or 0)  # noqa: S608


def _judge(
    verdict: Verdict, database: Database, slack: Slack, sky: _Sky, asked: dict[str, float],
    took: float,
) -> None:  # fmt: skip
    early, pauses = _early(slack)
    if early:
        verdict.faults.append(f"{early} calls before a Retry-After had ended")
    stands: Counter[str] = Counter()
    first: dict[str, float] = {}
    for messages in slack.sandbox.workspace.messages.values():
        for message in messages.values():
            if not message.deleted:
                stands[message.text] += 1
    for call in slack.calls:
        if call.method == _POST and call.channel == sky.fair and call.status == 200:
            first[call.delivery] = call.ended
    with database.read() as conn:
        lost = _count(conn, "state <> 'sent' AND NOT card_key LIKE 'fair%%'")
        rows = conn.exec_driver_sql("SELECT delivery_id, card_key FROM outbox").all()
        keys = {str(row.delivery_id): str(row.card_key) for row in rows}
        doubts = _count(conn, "doubts > 0")
    lost += sum(stands[f"m{n}"] == 0 for n in range(verdict.n))
    if lost:
        verdict.faults.append(f"{lost} messages lost")
    double = sum(many - 1 for many in stands.values() if many > 1)
    if double:
        verdict.faults.append(f"{double} messages stand there twice")
    waits = sorted(at - asked[keys[d]] for d, at in first.items() if keys.get(d, "") in asked)
    p99 = waits[min(len(waits) - 1, int(len(waits) * 0.99))] if waits else 0.0
    if p99 > P99 or not waits:
        verdict.faults.append(f"the fair conversation waited {p99:.2f} s (p99 of {len(waits)})")
    verdict.figures |= {
        "calls": sum(c.method == _POST for c in slack.calls), **dict(sorted(sky.drawn.items())),
        "pauses": pauses, "in doubt": doubts, "sent in s": round(took),
        "fair messages": len(waits), "fair p99 in s": round(p99, 2),
    }  # fmt: skip


def _early(slack: Slack) -> tuple[int, int]:
    """Calls of a method before the end of a pause that was asked for; and how many pauses there were."""
    early, pauses = 0, 0
    until: dict[str, tuple[float, float]] = {}  # method -> told at, pause ends at
    events = sorted(
        [(c.ended, 0, c) for c in slack.calls if c.status == 429]
        + [(c.at, 1, c) for c in slack.calls],
        key=lambda event: event[:2],
    )
    for at, kind, call in events:
        if kind == 0:
            pauses += 1
            told, ends = until.get(call.method, (at, 0.0))
            fresh = told if ends > at else at
            until[call.method] = (fresh, max(ends, at + call.retry_after))
        elif call.method in until:
            told, ends = until[call.method]
            early += told + ON_ITS_WAY < at < ends - 1e-6
    return early, pauses


EXPERIMENTS = (
    Experiment(
        name="weather",
        about="messages while Slack answers 30 % with 429, 10 % with errors and hangs in 5 %",
        criterion=(
            "0 calls of a method before its Retry-After has ended, whichever worker was told; 0 messages lost, 0 "
            "double; p99 of a conversation in fair weather at most 2 s"
        ),
        broken_by=(
            "without keeping pauses 57 of 123 calls came before a Retry-After had ended (60 messages, SQLite); with "
            "two workers that each keep only their own, 50 of 125 (PostgreSQL); without the share kept for fair "
            "weather, and with a breaker that waits for calls that hang, the fair conversation waited 27 to 29 s"
        ),
        everyday=300,
        full=1000,
        run=weather,
    ),
)
