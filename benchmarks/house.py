"""A house in the middle of its work: people, leads they hold, clocks that run, cards that stand, timers that are due.

Written in bulk, the way the services would have left it. What is not here: what is measured on it.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, func, select, text

from benchmarks.generated import make_leads
from bot.domain.agreement import Agreement
from bot.domain.findable import search_text
from bot.domain.lead import LeadFacts
from bot.domain.sla import BREACH_STEP
from chaos.playbooks import agreement_of, playbook_text
from storage import people
from storage.database import Database
from storage.models import Cards, Clocks, Leads, Offers, Outbox, People, Timers
from storage.rows import blank_of, table_of

timers = table_of(Timers)
#: A Monday morning.
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
_REPS = 20  # a team, of three teams
_FEW = timedelta(seconds=5)
_A_LEAD = 8  # pending timers

#: Of 100 leads with something due: so many are at the reminder of their accept clock, at that of the first touch, at
#: the end of the first touch (the manager hears of it), and at the end of the accept clock (that, and the next rep).
MIX = {"accept reminder": 25, "touch reminder": 25, "touch breach": 45, "lapse": 5}
#: The same on a day on which every offer is answered.
NO_LAPSES = {"accept reminder": 25, "touch reminder": 25, "touch breach": 50}
#: Steps that fire for one such lead. The breach mark, a timer too, is not counted as one.
STEPS = {"accept reminder": 1, "touch reminder": 1, "touch breach": 1, "lapse": 2}


@dataclass(frozen=True, slots=True)
class House:
    """What was put there: so many leads have something due at `NOW`, `steps` steps in all."""

    leads: int
    steps: int


@cache
def agreement() -> Agreement:
    """Three teams of reps, open around the clock."""
    return agreement_of(playbook_text(_REPS))


def furnish(
    database: Database,
    due: int,
    *,
    later: int = 0,
    mix: Mapping[str, int] = MIX,
    seed: int = 5,
) -> House:
    """`due` leads with something due at NOW, in the order and mix of a working day, and `later` pending timers more,
    due in the days after."""
    dice = random.Random(seed)
    states = [name for name, share in mix.items() for _ in range(share)]
    with database.write() as conn:
        for person in agreement().people.values():
            people.ensure_person(conn, person.email, person.name)
        conn.execute(
            table_of(People).update().values(
                home_seen_at=NOW - timedelta(days=3), last_offered_at=NOW - timedelta(hours=1),
                slack_user_id=text("'U' || id"), slack_channel_id=text("'D' || id"),
            )
        )  # fmt: skip
        reps = [row.id for row in people.list_people(conn) if row.email.startswith("rep")]
        chosen: list[str] = []
        for start in range(0, due, len(states)):
            block = states.copy()
            dice.shuffle(block)
            chosen += block[: due - start]
        rows = _Rows(reps)
        for facts, state in zip(make_leads(due), chosen, strict=True):
            rows.add(facts, state)
        rows.write(conn)
    if later:
        _add_later(database, later)
    if not database.is_sqlite:  # as autovacuum does it a minute later
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as alone:
            alone.execute(text("VACUUM ANALYZE"))
    return House(due, sum(STEPS[state] for state in chosen))


class _Rows:
    """Rows of all tables, keys counted from 1 as the database will."""

    def __init__(self, reps: list[int]) -> None:
        self.reps = reps
        self.of: dict[type[Any], list[dict[str, Any]]] = {
            model: [] for model in (Leads, Offers, Clocks, Timers, Cards, Outbox)
        }

    def add(self, facts: LeadFacts, state: str) -> None:
        lead_id = len(self.of[Leads]) + 1
        rep = self.reps[lead_id % len(self.reps)]
        offer_id = f"offer{lead_id:011d}"
        team = ("emea", "americas", "apac")[(lead_id % len(self.reps)) * 3 // len(self.reps)]
        accepted = state.startswith("touch")
        ago = {
            "accept reminder": timedelta(minutes=10), "touch reminder": timedelta(minutes=45),
            "touch breach": timedelta(minutes=60), "lapse": timedelta(minutes=20),
        }[state]  # fmt: skip
        # Due within the last seconds, one after the other.
        offered = NOW - ago - _FEW + timedelta(milliseconds=lead_id % 4000)
        names = ("source", "external_id", "email", "first_name", "last_name", "company", "phone")
        self.of[Leads].append({
            **{name: getattr(facts, name) for name in names}, "email_key": facts.email.lower(),
            "status": "accepted" if accepted else "offered", "current_offer_id": offer_id,
            "owner_id": rep, "team": team, "playbook_version": 1, "sla_name": "standard",
            "score": 60, "reasons": [], "message": "We are looking for something that works. " * 4,
            "score_reasons": ["asked for a call"], "extra": {"utm": "x" * 40},
            "search_text": search_text(facts), "arrived_at": offered, "occurred_at": offered,
            "status_at": offered, "first_offered_at": offered,
            "accepted_at": offered + timedelta(minutes=4) if accepted else None,
        })  # fmt: skip
        self.of[Offers].append({
            "id": offer_id, "lead_id": lead_id, "round": 1, "n": 1, "rep_id": rep, "team": team,
            "rule": "rest", "why": "Next in turn.", "trace": [], "playbook_version": 1,
            "state": "accepted" if accepted else "open", "offered_at": offered, "show_at": offered,
            "delivered_at": offered + timedelta(seconds=1), "source": facts.source, "systems_seconds": 1,
            "accepted_at": offered + timedelta(minutes=4) if accepted else None,
        })  # fmt: skip
        self.of[Cards].append({
            "card_key": f"card:{offer_id}", "template": "lead_card", "lead_id": lead_id,
            "offer_id": offer_id, "person_id": rep, "round": 1, "data": {},
            "slack_channel": f"D{rep}", "slack_ts": f"1795424400.{lead_id:06d}",
            "rendered_hash": "x" * 64, "posted_at": offered,
        })  # fmt: skip
        self.of[Outbox].append({
            "dedupe_key": f"card:{offer_id}", "template": "lead_card", "priority": 2,
            "lane": f"dm:{rep}", "card_key": f"card:{offer_id}", "lead_id": lead_id,
            "offer_id": offer_id, "person_id": rep, "data": {}, "state": "sent",
            "created_at": offered, "show_at": offered, "not_before": offered,
            "settled_at": offered, "delivery_id": f"{lead_id:036d}",
        })  # fmt: skip
        place = (lead_id, offer_id, rep, team)
        if accepted:
            self._clock(place, "first_touch", "1h", offered, timedelta(hours=1), _TOUCH)
            self._clock(place, "decide", "21d", offered, timedelta(days=29), _DECIDE)
        else:
            self._clock(place, "accept", "20m", offered, timedelta(minutes=20), _ACCEPT)
        self._clock(place, "shelf_life", "24h clock", offered, timedelta(hours=24), _SHELF)

    def _clock(
        self, place: tuple[int, str, int, str], kind: str, within: str, started: datetime,
        span: timedelta, steps: Sequence[tuple[str, float]],
    ) -> None:  # fmt: skip
        lead_id, offer_id, rep, team = place
        clock_id = len(self.of[Clocks]) + 1
        kept = [name.split(":") for name, _ in steps if name != "100:breach"]
        self.of[Clocks].append({
            "lead_id": lead_id, "offer_id": None if kind == "shelf_life" else offer_id,
            "round": 1, "kind": kind, "person_id": rep, "team": team, "within": within,
            "steps": [
                {"percent": int(p[0]), "kind": p[1], "to": p[2] if len(p) > 2 else "", "now": False}
                for p in kept
            ],
            "started_at": started, "due_at": started + span, "playbook_version": 1,
        })  # fmt: skip
        for name, share in steps:
            at = started + span * share
            past = at < NOW - 2 * _FEW
            self.of[Timers].append({
                "lead_id": lead_id, "subject_kind": "clock", "subject_id": clock_id, "step": name,
                "generation": 1, "due_at": at, "state": "fired" if past else "armed",
                "fired_at": at if past else None,
            })  # fmt: skip

    def write(self, conn: Connection) -> None:
        for model, rows in self.of.items():
            table = table_of(model)
            blank = blank_of(table)
            for start in range(0, len(rows), 1000):
                conn.execute(
                    table.insert(), [{**blank, **row} for row in rows[start : start + 1000]]
                )
            self._check(conn, table, len(rows))

    def _check(self, conn: Connection, table: Table, many: int) -> None:
        if table.c.keys()[0] == "id" and table.name != "offers":
            highest = conn.execute(select(func.max(table.c.id))).scalar_one()
            if highest != many:
                raise ValueError(f"{table.name} has keys up to {highest}, not {many}")


_ACCEPT = [("50:remind", 0.5), ("100:escalate:manager", 1), ("100:reoffer", 1), ("100:breach", 1)]
_TOUCH = [("75:remind", 0.75), ("100:escalate:manager", 1), ("100:breach", 1)]
_DECIDE = [("100:escalate:manager", 1), ("100:breach", 1)]
_SHELF = [("100:escalate:above", 1), ("100:breach", 1)]


def _add_later(database: Database, many: int) -> None:
    """Pending timers of the next days, eight a lead, on leads of their own: what the claim has to step over."""
    leads = table_of(Leads)
    kept = ", ".join(c.name for c in leads.c if c.name not in ("id", "email_key", "search_text"))
    due = (
        "strftime('%Y-%m-%d %H:%M:%f', '2026-11-24', '+' || (i % 1209600) || ' seconds') || '000'"
        if database.is_sqlite
        else "timestamptz '2026-11-24 00:00Z' + (i % 1209600) * interval '1 second'"
    )
    more = -(-many // _A_LEAD)
    with database.write() as conn:
        first = 1 + int(conn.execute(select(func.max(leads.c.id))).scalar_one())
        conn.execute(
            text(
                f"INSERT INTO leads ({kept}, search_text) SELECT {kept}, '' "  # noqa: S608 - names and texts of ours
                f"FROM leads, ({_numbers(database)}) AS n WHERE leads.id = 1"
            ),
            {"many": more},
        )
        conn.execute(
            text(
                "INSERT INTO timers (lead_id, subject_kind, subject_id, step, generation, due_at, state, attempts) "  # noqa: S608 - texts of ours
                f"SELECT :first + i % :more, 'later', i, '100:breach', 1, {due}, 'armed', 0 "
                f"FROM ({_numbers(database)}) AS n"
            ),
            {"many": many, "more": more, "first": first},
        )


def _numbers(database: Database) -> str:
    """A query of the numbers up to `:many`, as `i`."""
    if database.is_sqlite:
        return (
            "WITH RECURSIVE up(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM up WHERE i < :many) "
            "SELECT i FROM up"
        )
    return "SELECT generate_series(1, :many) AS i"


def count_fired(database: Database) -> int:
    """Timers that fired at NOW, or gave way then to a higher one."""
    return _count(database, timers.c.fired_at == NOW)


def count_sending(database: Database) -> int:
    """Those of them that are more than the mark of a breach."""
    return _count(database, timers.c.fired_at == NOW, timers.c.step != BREACH_STEP)


def due_left(database: Database) -> int:
    """Timers that should have fired by NOW and did not."""
    return _count(database, timers.c.state == "armed", timers.c.due_at <= NOW)


def _count(database: Database, *where: ColumnElement[bool]) -> int:
    with database.read() as conn:
        return int(
            conn.execute(select(func.count()).select_from(timers).where(*where)).scalar_one()
        )
