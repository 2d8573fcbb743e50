"""The watchdog against rows that somebody broke: what is broken is found within two looks, and mended or told.

In this process, on a clock that the experiment moves: Baton and the stand-in Slack of the stories. First an hour of a
house in which all is well: no look may find anything. Then rounds: of each kind one thing is broken behind Baton's
back, and two minutes pass. What the experiment asks afterwards it asks the tables itself, not the watchdog. What is
not here: Baton hanging as a whole (`deadman`).
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, select, text

from bot.domain.funnel import Action
from bot.services.answer_offer import recycle
from bot.services.move_lead import SYSTEM, Ending
from bot.services.offer_lead import Guard, current_offer, enter_review
from bot.services.work import Work
from chaos.experiment import Experiment, Ground
from chaos.verdict import Verdict
from storage import leads
from storage.models_running import Alarms
from storage.rows import table_of
from storage.types import UtcDateTime
from tests.story import Story
from tests.story_house import playbook_text, story_of

#: Minutes of a healthy house before anything is broken; in a shorter form half of what is broken.
HEALTHY, FULL = 60, 1000
#: Each kind three times.
EVERYDAY = 36
_MINUTE = timedelta(minutes=1)
_all_alarms = table_of(Alarms)


@dataclass(frozen=True, slots=True)
class Breakage:
    """One way to break something about a lead. `needs`: what the lead is beforehand. `wrong`: a query that gives a row
    as long as it is broken; both know `:lead`, `:now`, `:soon` and `:past`."""

    kind: str
    needs: str
    breaks: tuple[str, ...]
    wrong: str


_CLOCK = "(SELECT id FROM clocks WHERE lead_id = :lead AND kind = 'accept')"
_RUNS = """SELECT 1 FROM clocks WHERE lead_id = :lead AND ended_at IS NULL AND breached_at IS NULL
 AND NOT EXISTS (SELECT 1 FROM timers WHERE subject_kind = 'clock' AND subject_id = clocks.id
 AND generation = clocks.generation AND state = 'armed' AND step = '100:breach')"""
_REOFFER = """SELECT 1 FROM leads WHERE id = :lead AND status = 'offered' AND NOT EXISTS (
 SELECT 1 FROM timers WHERE lead_id = :lead AND state = 'armed' AND step LIKE '100:reoffer%')"""

BREAKAGES: tuple[Breakage, ...] = (
    Breakage("clock_unarmed", "offered", ("DELETE FROM timers WHERE lead_id = :lead",), _RUNS),
    Breakage(
        "step_missing",
        "offered",
        (
            "UPDATE clocks SET due_at = :soon WHERE lead_id = :lead AND kind = 'accept'",
            "UPDATE timers SET due_at = :soon "
            "WHERE lead_id = :lead AND step LIKE '100:%' AND subject_id IN accept_clock",
            "DELETE FROM timers WHERE lead_id = :lead AND step LIKE '100:reoffer%'",
        ),
        _REOFFER,
    ),
    Breakage(
        "clock_missing",
        "offered",
        (
            "UPDATE leads SET status_at = :past WHERE id = :lead",
            "UPDATE timers SET state = 'cancelled' WHERE lead_id = :lead",
            "UPDATE clocks SET ended_at = :now, outcome = 'stopped' WHERE lead_id = :lead",
        ),
        """SELECT 1 FROM leads WHERE id = :lead AND status = 'offered' AND NOT EXISTS (
        SELECT 1 FROM clocks WHERE lead_id = :lead AND kind = 'accept' AND ended_at IS NULL)""",
    ),
    Breakage(
        "clock_uncovered",
        "review",
        (
            "UPDATE clocks SET ended_at = NULL, outcome = '', due_at = :soon, breached_at = NULL "
            "WHERE lead_id = :lead AND kind = 'accept'",
            "UPDATE timers SET state = 'armed', due_at = :soon, fired_at = NULL "
            "WHERE lead_id = :lead AND step LIKE '100:%' AND subject_id IN accept_clock",
        ),
        "SELECT 1 FROM clocks WHERE lead_id = :lead AND kind = 'accept' AND ended_at IS NULL",
    ),
    Breakage(
        "timer_late",
        "offered",
        (
            "UPDATE timers SET lead_id = NULL, due_at = :past "
            "WHERE lead_id = :lead AND step LIKE '75:%' AND subject_id IN accept_clock",
        ),
        "SELECT 1 FROM timers WHERE lead_id IS NULL AND state = 'armed' AND subject_kind = 'clock' "
        "AND subject_id IN accept_clock",
    ),
    Breakage(
        "timer_parked",
        "offered",
        (
            "UPDATE timers SET state = 'parked', attempts = 5, due_at = :past "
            "WHERE lead_id = :lead AND step LIKE '75:%' AND subject_id IN accept_clock",
        ),
        "SELECT 1 FROM timers WHERE lead_id = :lead AND state = 'parked'",
    ),
    Breakage(
        "message_late",
        "unsent",
        ("UPDATE outbox SET not_before = :never WHERE lead_id = :lead AND state = 'pending'",),
        "SELECT 1 FROM outbox WHERE lead_id = :lead AND state = 'pending' AND not_before > :soon",
    ),
    Breakage(
        "message_stuck",
        "unsent",
        (
            "UPDATE outbox SET state = 'sending', lease_until = NULL, claimed_by = 'gone', attempts = 1, "
            "first_try_at = :now WHERE lead_id = :lead AND state = 'pending' AND template = 'lead_card'",
        ),
        "SELECT 1 FROM outbox WHERE lead_id = :lead AND state = 'sending'",
    ),
    Breakage(
        "message_doubt",
        "unsent",
        (
            "UPDATE outbox SET state = 'doubt', doubts = 1, doubt_since = :past, first_try_at = :past, "
            "lease_until = :never, not_before = :never, attempts = 1 "
            "WHERE lead_id = :lead AND state = 'pending' AND template = 'lead_card'",
        ),
        "SELECT 1 FROM outbox WHERE lead_id = :lead AND state = 'doubt'",
    ),
    Breakage(
        "offer_missing",
        "offered",
        ("UPDATE offers SET state = 'withdrawn' WHERE lead_id = :lead AND state = 'open'",),
        """SELECT 1 FROM leads WHERE id = :lead AND status = 'offered' AND NOT EXISTS (
        SELECT 1 FROM offers WHERE id = leads.current_offer_id AND state = 'open')""",
    ),
    Breakage(
        "offer_dangling",
        "review",
        ("UPDATE offers SET state = 'open', ended_at = NULL WHERE lead_id = :lead",),
        "SELECT 1 FROM offers WHERE lead_id = :lead AND state = 'open'",
    ),
    Breakage(
        "wake_missing",
        "nurturing",
        (
            "UPDATE timers SET state = 'cancelled' WHERE lead_id = :lead AND step = 'wake'",
            "UPDATE leads SET wake_at = :soon WHERE id = :lead",
        ),
        """SELECT 1 FROM leads WHERE id = :lead AND status = 'nurturing' AND NOT EXISTS (
        SELECT 1 FROM timers WHERE lead_id = :lead AND state = 'armed' AND step = 'wake')""",
    ),
)


def corruptions(ground: Ground) -> Verdict:
    """Break `size` things."""
    return asyncio.run(_run(ground))


async def _run(ground: Ground) -> Verdict:
    seeded = random.Random(ground.seed)
    verdict = Verdict(ground.size, ground.seed)
    # Nobody is ever full: what is broken is broken on leads before reps.
    book = playbook_text().replace(
        "timezone: Europe/Vienna}", "timezone: Europe/Vienna, open_cap: 5000}"
    )
    async with story_of(ground.url, playbook=book) as story:
        minutes = min(HEALTHY, max(3, ground.size // 2))
        false = await _healthy(story, minutes)
        left = list(range(ground.size))
        found, mended, told = Counter[str](), 0, 0
        while left:
            batch = [BREAKAGES[place % len(BREAKAGES)] for place in left[: len(BREAKAGES)]]
            del left[: len(BREAKAGES)]
            seeded.shuffle(batch)
            # Whatever is to be broken on its way is made last: what comes to rest is sent.
            batch.sort(key=lambda each: each.needs == "unsent")
            broken = [(each, await _prepared(story, each, seeded)) for each in batch]
            for each, lead in broken:
                await _change(story, each, lead)
            before = await _alarms(story)
            for _ in range(2):  # two looks, two minutes
                await story.house.overseer.watchdog.audit()
                await story.settle()
                story.time.instant += _MINUTE
            await story.settle()
            alarms = await _alarms(story)
            for each, lead in broken:
                mine = [
                    alarm
                    for number, alarm in alarms.items()
                    if number not in before and _is_about(alarm, each, lead)
                ]
                still = await _is_wrong(story, each, lead)
                found[each.kind] += bool(mine)
                mended += not still
                told += still and any(a["told"] for a in mine)
                if not mine:
                    verdict.faults.append(f"{each.kind} of lead {lead} was not found")
                elif still and not any(a["told"] for a in mine):
                    verdict.faults.append(f"{each.kind} of lead {lead} was neither mended nor told")
        if false:
            verdict.faults.append(f"{false} false alarms in {minutes} healthy minutes")
        verdict.figures = {
            "broken": ground.size,
            "kinds": len(BREAKAGES),
            "found": sum(found.values()),
            "mended": mended,
            "told": told,
            "healthy minutes": minutes,
            "false alarms": false,
        }
    return verdict


def _is_about(alarm: dict[str, Any], breakage: Breakage, lead: int) -> bool:
    # A timer that has lost its lead cannot say whose it is: one is broken in each round.
    return alarm["kind"] == breakage.kind and alarm["lead"] in (lead, None)


async def _healthy(story: Story, minutes: int) -> int:
    """Leads come in, are looked at, lapse and are reminded of; a look a minute. How much was found."""
    found = 0
    for minute in range(minutes):
        await story.workspace.post_lead(_lead(f"h{minute}", hot=minute % 3 == 0))
        await story.fast_forward(minutes=1)
        audit = await story.house.overseer.watchdog.audit()
        found += audit.found if audit is not None else 0
    return found


async def _prepared(story: Story, breakage: Breakage, seeded: random.Random) -> int:
    """A fresh lead as the breakage needs it."""
    name = f"x{seeded.getrandbits(64):x}"
    await story.workspace.post_lead(_lead(name, hot=False))
    if breakage.needs != "unsent":
        await story.settle()
    lead = await _ask(story, "SELECT id FROM leads WHERE external_id = :name", name=name)
    if breakage.needs == "review":
        await story.house.runtime.write(lambda work: _to_review(work, lead))
    elif breakage.needs == "nurturing":
        await story.house.runtime.write(lambda work: _to_rest(work, lead))
    return lead


def _to_review(work: Work, lead_id: int) -> None:
    lead = leads.lock_lead(work.conn, lead_id)
    offer = current_offer(work, lead) if lead is not None else None
    if lead is None or offer is None:
        raise RuntimeError(f"lead {lead_id} is before nobody")
    enter_review(
        work, lead, Action.EXHAUST, SYSTEM, reason="lapsed_out",
        guard=Guard(offer_id=offer.id), ending=Ending(offer, "lapsed"),
    )  # fmt: skip


def _to_rest(work: Work, lead_id: int) -> None:
    lead = leads.lock_lead(work.conn, lead_id)
    offer = current_offer(work, lead) if lead is not None else None
    if offer is None:
        raise RuntimeError(f"lead {lead_id} is before nobody")
    reason = work.agreement.recycle_reasons[0].code
    recycle(work, work.roster.by_id[offer.rep_id], offer.id, reason, None)


def _lead(name: str, *, hot: bool) -> dict[str, Any]:
    return {
        "source": "contact_me" if hot else "webinar", "external_id": name,
        "email": f"jo@{name}.example", "first_name": "Jo", "last_name": "Novak", "company": name,
        "country": "AT", "language": "de", "source_score": 80,
    }  # fmt: skip


# ------------------------------------------------------------------ behind Baton's back


async def _change(story: Story, breakage: Breakage, lead: int) -> None:
    def change(conn: Connection) -> None:
        for sql in breakage.breaks:
            conn.execute(_bound(story, sql, lead))

    await _with(story, change)


async def _is_wrong(story: Story, breakage: Breakage, lead: int) -> bool:
    return bool(
        await _with(story, lambda conn: conn.execute(_bound(story, breakage.wrong, lead)).first())
    )


async def _alarms(story: Story) -> dict[int, dict[str, Any]]:
    """All alarms so far, by their number."""
    rows = await _with(story, lambda conn: conn.execute(select(_all_alarms)).all())
    return {
        row.id: {"kind": row.kind, "lead": row.data.get("lead"), "told": row.told_at}
        for row in rows
    }


async def _ask(story: Story, sql: str, **values: Any) -> int:
    return int(await _with(story, lambda conn: conn.execute(text(sql), values).scalar_one()))


async def _with(story: Story, deed: Callable[[Connection], Any]) -> Any:
    def run() -> Any:
        with story.house.runtime.database.write() as conn:
            return deed(conn)

    return await story.house.runtime.in_thread(run)


def _bound(story: Story, sql: str, lead: int) -> Any:
    now = story.time.instant
    instants = {
        "now": now, "soon": now + 4 * _MINUTE, "past": now - 15 * _MINUTE,
        "never": now + timedelta(days=3650),
    }  # fmt: skip
    sql = sql.replace("accept_clock", _CLOCK)
    query = text(sql)
    used = {name: at for name, at in instants.items() if f":{name}" in sql}
    if ":lead" in sql:
        query = query.bindparams(lead=lead)
    for name, at in used.items():
        query = query.bindparams(bindparam(name, at, type_=UtcDateTime()))
    return query


EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment(
        name="corruptions",
        about="rows broken behind Baton's back, of twelve kinds",
        criterion="all found within two looks (2 min), mended or told; no false alarm in a healthy hour (everyday: "
        "18 min)",
        broken_by="without the queries for clocks and offers 2 of 12 were not found; with repairs and telling "
        "taken out none of 12 was mended or told",
        everyday=EVERYDAY,
        full=FULL,
        run=corruptions,
    ),
)
