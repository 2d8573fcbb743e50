"""An hour without Slack, while leads come in and clocks run; then it is back. In time that jumps, with Slack's limits.

Before it, some leads are with reps, so that their clocks run out meanwhile; in the middle of it some reps go on leave,
so that cards which wait are overtaken. What is not here: the time and the stand-in (`virtual`).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from bot.gateways.alerts import Alert, Outcome
from bot.services.deliver import Deliverer
from bot.services.fire_timers import BATCH, fire_due, until_next_due
from bot.services.follow_delivery import after_failure, after_sent
from bot.services.mark_absence import go_away
from bot.services.present import render_row
from bot.services.receive_leads import Incoming, Message, receive_leads
from bot.services.resolve_people import resolve_people
from bot.services.settle_doubts import DoubtSettler
from bot.services.tell_otherwise import PATIENCE, OtherWay
from bot.services.work import Work
from chaos.experiment import Experiment, Ground
from chaos.playbooks import agreement_of, playbook_text
from chaos.race import START, made_leads
from chaos.racer import facts_of
from chaos.verdict import Verdict
from chaos.virtual import InlineRuntime, Slack, inline, run_virtually, runtime_on, slack_of
from storage.database import Database
from storage.mails import DIGEST

REPS = 8  # a team, of three
IN_FLIGHT = 16  # of all workers together
#: Seconds after the first message in which all conversations with a breach have theirs.
FIRST = 2.0
#: Seconds: how long all is well before, how long Slack is away, how long it may take afterwards at most.
BEFORE, HOUR, AFTER = 600.0, 3600.0, 3600.0
#: Seconds between ticks when nothing is due; what a lead brings is due later than that.
TICK = 10.0
_POST, _EDIT = "chat.postMessage", "chat.update"


@dataclass(slots=True)
class _Ways:
    """Mail that arrives."""

    letters: list[tuple[datetime, Alert]] = field(default_factory=list)

    async def send(self, alert: Alert, at: datetime, to: Sequence[str] = ()) -> Outcome:
        self.letters.append((at, alert))
        return Outcome(took=("mail",))


@dataclass(slots=True)
class _House:
    """Workers on one database, a ticker, and the second way."""

    runtime: InlineRuntime
    slack: Slack
    ways: _Ways
    parts: list[Any] = field(default_factory=list)
    tasks: list[asyncio.Task[Any]] = field(default_factory=list)

    async def start(self, workers: int) -> None:
        runtime = self.runtime
        await resolve_people(runtime, self.slack.gateway("start"))
        delivery = []
        for n in range(workers):
            name = f"w{n + 1}"
            gateway = self.slack.gateway(name)
            deliverer = Deliverer(
                database=runtime.database, gateway=gateway, render=render_row,
                make_work=runtime.make_work, clock=runtime.clock, run_in_thread=inline,
                after_sent=after_sent, after_failure=after_failure, worker=name,
                in_flight=IN_FLIGHT // workers,
            )  # fmt: skip
            settler = DoubtSettler(
                database=runtime.database, gateway=gateway, settlement=deliverer.settlement,
                render=render_row, make_work=runtime.make_work, clock=runtime.clock,
                run_in_thread=inline, worker=name,
            )  # fmt: skip
            delivery.append(deliverer)
            self.parts += [deliverer, settler]
        other = OtherWay(
            runtime, self.ways, worker="w1", is_down=lambda: any(d.trouble for d in delivery)
        )
        running = [*(part.run() for part in self.parts), other.run(), self._tick()]
        self.tasks = [asyncio.create_task(each) for each in running]

    async def _tick(self) -> None:
        while True:
            while self.runtime.write_now(fire_due) >= BATCH:
                pass
            ahead = self.runtime.read_now(until_next_due)
            seconds = ahead.total_seconds() if ahead is not None else TICK
            await asyncio.sleep(min(TICK, max(0.1, seconds)))

    async def stop(self) -> None:
        for part in self.parts:
            await part.stop()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def send(self, leads: Sequence[dict[str, Any]]) -> None:
        """One message of leads."""
        now = self.runtime.clock.business()
        items = tuple(Incoming(i, facts_of(lead, now)) for i, lead in enumerate(leads))
        name = str(leads[0]["external_id"])
        self.runtime.write_now(
            partial(receive_leads, message=Message("hall", name, name, b"{}", items))
        )

    def count(self, sql: str) -> int:
        """One number."""
        with self.runtime.database.read() as conn:
            return int(conn.exec_driver_sql(sql).scalar() or 0)


WAITING = (
    "SELECT count(*) FROM outbox WHERE way = 'slack' AND (state IN ('pending', 'sending', 'doubt')"
    " OR (state = 'folded' AND settled_at IS NULL))"
)


def outage(ground: Ground) -> Verdict:
    """`size` leads arrive while Slack is away for an hour."""
    logging.disable(logging.ERROR)
    began = time.monotonic()
    try:
        verdict = run_virtually(_outage(ground))
    finally:
        logging.disable(logging.NOTSET)
    verdict.seconds = round(time.monotonic() - began, 1)
    return verdict


async def _outage(ground: Ground) -> Verdict:
    text = playbook_text(REPS)
    database = Database(ground.url)
    house = _House(
        runtime_on(database, text), slack_of(agreement_of(text), rates=True, seed=ground.seed),
        _Ways(),
    )  # fmt: skip
    slack, loop = house.slack, asyncio.get_running_loop()
    faults = slack.sandbox.workspace.faults
    await slack.sandbox.start()
    try:
        await house.start(1 if database.is_sqlite else 2)
        early = made_leads(max(6, ground.size // 10), name="early")
        for lead in early:
            house.send([lead])
            await asyncio.sleep(BEFORE / len(early))
        gone = loop.time()
        # At first messages still arrive, and nobody hears of it.
        faults.add(_POST, "accept_then_late", count=4, seconds=60.0)
        faults.add("*", "hang", count=None, seconds=60.0)
        for n, lead in enumerate(made_leads(ground.size)):
            house.send([lead])
            if n == ground.size // 2:
                house.runtime.write_now(_some_go_away)
            await asyncio.sleep(HOUR / ground.size)
        faults.clear()
        back = loop.time()
        due = _Due(house)
        while loop.time() < back + AFTER and house.count(WAITING):
            await asyncio.sleep(1.0)
        drained = loop.time() - back
        await asyncio.sleep(330.0)  # what was sent again after a doubt is looked for once more
        verdict = Verdict(ground.size, ground.seed)
        _judge(verdict, house, due, gone, back, drained)
    finally:
        await house.stop()
        await slack.sandbox.stop()
        database.dispose()
    return verdict


def _some_go_away(work: Work) -> None:
    members = [m for m in work.roster.by_id.values() if m.email.startswith("rep01.")]
    for member in members:
        manager = work.roster.by_email["manager." + member.email.partition(".")[2]]
        go_away(work, manager, member, None)


class _Due:
    """What waits at the moment when Slack is back."""

    def __init__(self, house: _House) -> None:
        with house.runtime.database.read() as conn:
            rows = conn.exec_driver_sql(
                "SELECT lane, edits, template FROM outbox WHERE way = 'slack'"
                " AND state IN ('pending', 'sending', 'doubt')"
            ).all()
        self.rows = len(rows)
        self.escalation_lanes = {row.lane for row in rows if row.template == "escalation"}


def _judge(
    verdict: Verdict, house: _House, due: _Due, gone: float, back: float, drained: float
) -> None:
    calls = house.slack.calls
    good = [c for c in calls if c.status == 200 and not c.error]
    after = [c for c in good if c.ended > back]
    doubtful = {c.delivery for c in calls if c.method == _POST and c.at >= gone
                and c.ended - c.at > 9 and c.at < back}  # fmt: skip
    if len(doubtful) > IN_FLIGHT:
        verdict.faults.append(f"{len(doubtful)} messages in doubt, more than {IN_FLIGHT} in flight")
    posts = [c for c in after if c.method == _POST]
    edits = [c for c in after if c.method == _EDIT]
    lanes = Counter(c.channel for c in posts)
    bound = max(max(lanes.values(), default=0), len(posts) / 5, len(edits) / 50 * 60) + 60
    if drained > bound:
        verdict.faults.append(f"drained in {drained:.0f} s, the bound is {bound:.0f} s")
    early = [c for c in calls if c.status == 429]
    verdict.faults += _lost(house) + _doubled(house) + _overtaken(house, posts)
    verdict.faults += _order(house, posts, due) + _mails(house, gone, back)
    verdict.figures |= {
        "leads during the outage": verdict.n, "waiting at its end": due.rows,
        "in doubt": len(doubtful), "asked whether it is back": sum(
            c.method == "auth.test" and gone < c.at < back for c in calls),
        "posts afterwards": len(posts), "edits afterwards": len(edits),
        "drained in s": round(drained), "bound in s": round(bound), "429s": len(early),
        "breaches told by mail": sum(len(_named(a)) for _, a in house.ways.letters),
        "mails": len(house.ways.letters),
    }  # fmt: skip


def _lost(house: _House) -> list[str]:
    """Every open offer has been shown, every breach told, and nothing waits or died."""
    found = []
    for what, sql in (
        ("rows still wait", WAITING),
        ("rows died", "SELECT count(*) FROM outbox WHERE state = 'dead'"),
        ("open offers were never shown",
         "SELECT count(*) FROM offers WHERE state = 'open' AND delivered_at IS NULL"),
        ("messages count as sent and do not stand there",
         "SELECT count(*) FROM outbox WHERE state = 'sent' AND NOT edits AND template <> 'home'"
         " AND way = 'slack' AND slack_ts = ''"),
    ):  # fmt: skip
        if many := house.count(sql):
            found.append(f"{many} {what}")
    return found


def _doubled(house: _House) -> list[str]:
    """No message stands there twice."""
    seen: Counter[str] = Counter()
    for messages in house.slack.sandbox.workspace.messages.values():
        for message in messages.values():
            delivery = str(((message.metadata or {}).get("event_payload") or {}).get("d") or "")
            if delivery and not message.deleted:
                seen[delivery] += 1
    return [f"delivery {d} stands there {n} times" for d, n in seen.items() if n > 1]


def _overtaken(house: _House, posts: Sequence[Any]) -> list[str]:
    """Nothing is posted of an offer or a clock that was over by then."""
    with house.runtime.database.read() as conn:
        rows = conn.exec_driver_sql(
            "SELECT b.delivery_id, b.template, o.ended_at AS offer_end, c.ended_at AS clock_end"
            " FROM outbox b LEFT JOIN offers o ON o.id = b.offer_id"
            " LEFT JOIN clocks c ON c.id = b.clock_id WHERE b.way = 'slack' AND NOT b.edits"
        ).all()
    of = {row.delivery_id: row for row in rows}
    found = []
    for call in posts:
        row = of.get(call.delivery)
        if row is None:
            continue
        end = {"lead_card": row.offer_end, "reminder": row.clock_end}.get(row.template)
        if end is not None and _seconds(end) < call.at - 1:
            found.append(f"{row.template} posted {call.at - _seconds(end):.0f} s after its end")
    return found


def _order(house: _House, posts: Sequence[Any], due: _Due) -> list[str]:
    """In each conversation in which a breach waits, that comes first; and all of them come among the first messages or
    in the first two seconds: those that are over by then are dropped one by one, while others are on their way."""
    with house.runtime.database.read() as conn:
        rows = conn.exec_driver_sql("SELECT delivery_id, template, lane FROM outbox").all()
    of = {row.delivery_id: (row.template, row.lane) for row in rows}
    first: dict[str, str] = {}
    for place, call in enumerate(posts):
        template, lane = of.get(call.delivery, ("", ""))
        if lane in first:
            continue
        first[lane] = template
        late = place > IN_FLIGHT + len(due.escalation_lanes) and call.at > posts[0].at + FIRST
        if lane in due.escalation_lanes and (late or template not in ("escalation", "breach_list")):
            return [f"{lane}: the first was {template}, message {place} of all"]
    return []


def _mails(house: _House, gone: float, back: float) -> list[str]:
    """Each breach that waited longer than its patience was told once by mail, no other."""
    told = Counter(lead for _, alert in house.ways.letters for lead in _named(alert))
    found = [f"lead {lead} was told {many} times" for lead, many in told.items() if many > 3]
    with house.runtime.database.read() as conn:
        rows = conn.exec_driver_sql(
            "SELECT e.lead_id, e.show_at, m.state AS mail FROM outbox e LEFT JOIN outbox m"
            " ON m.way = 'mail' AND m.dedupe_key = 'mail:' || e.id"
            " WHERE e.template = 'escalation' AND e.way = 'slack' AND NOT e.edits"
        ).all()
    patience = PATIENCE.total_seconds()
    # A receiver gets a mail every 15 minutes: what came after the last one was told by Slack.
    last = back - patience - DIGEST.total_seconds() - 60
    waited = [row for row in rows if gone < _seconds(row.show_at) < last]
    found += [
        f"lead {row.lead_id}: breached at {_seconds(row.show_at):.0f} s and not told otherwise"
        for row in waited
        if row.mail not in ("sent", "superseded")
    ]
    if not waited:
        found.append("no breach waited long enough: nothing was tried")
    return found


def _named(alert: Alert) -> list[str]:
    return [line.partition("#")[2].partition(")")[0] for line in alert.lines if "(lead #" in line]


def _seconds(at: datetime | str) -> float:
    """Since the beginning; SQLite gives text."""
    if isinstance(at, str):
        at = datetime.fromisoformat(at)
    if at.tzinfo is None:
        at = at.replace(tzinfo=START.tzinfo)
    return (at - START) / timedelta(seconds=1)


EXPERIMENTS = (
    Experiment(
        name="outage",
        about="an hour without Slack, while leads come in and clocks run",
        criterion=(
            "0 lost, 0 double, at most 16 in doubt, drained within the longest of posts per conversation at 1/s, posts "
            "at 300/min and edits at 50/min, plus 60 s; nothing posted that was over; breaches first, and those older "
            "than 15 minutes told by mail, once"
        ),
        broken_by=(
            "without the breaker 130 messages came into doubt; without the second look at what is rendered, "
            "reminders were posted up to 2,912 s after the end of their clocks; without the second way "
            "no breach older than 15 minutes was told (40 to 60 leads, SQLite)"
        ),
        everyday=60,
        full=1000,
        run=outage,
    ),
)
