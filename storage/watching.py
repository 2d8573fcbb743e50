"""What can be wrong between rows: queries that find it, cheap enough for every minute, at most `MOST` of a kind.

Each looks at what is open, by an index that holds little else; a whole table is never read. What would do harm only
when a time comes (a wake date, a clock's end) is looked for `AHEAD` of that time. What is not here: repairing
(`bot.services.repair_leads`), who is told (`bot.services.watch_house`), what goes on (`alarms`).
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, TextClause, bindparam, column, text

from bot.domain.agreement import StepKind, StepRule
from bot.domain.sla import step_name
from storage.types import Json, UtcDateTime

#: Of each kind so many are found at once; the rest when these are gone.
MOST = 100
AHEAD = timedelta(minutes=5)
TIMER_LATE = timedelta(minutes=2)
MESSAGE_LATE = timedelta(minutes=10)
SENDING_LONG = timedelta(minutes=5)
#: No wait between two tries of a message is longer.
PUT_OFF_FAR = timedelta(hours=2)
#: So many escalations a minute are not everyday.
STORM = 20
#: Of all queries on SQLite, of each on PostgreSQL.
MOST_SECONDS = 10.0
_LIMIT = text("SET LOCAL statement_timeout = 10000")


@dataclass(frozen=True, slots=True)
class Found:
    """Something is wrong. `subject`: `clock:7`; `lead_id`: whose it is, None for what has no lead."""

    kind: str
    subject: str
    lead_id: int | None = None

    @property
    def id(self) -> str:
        """The key of the subject alone."""
        return self.subject.partition(":")[2]


def _query(sql: str, *instants: str) -> TextClause:
    return text(sql).bindparams(*(bindparam(name, type_=UtcDateTime()) for name in instants))


def _look(sql: str, *instants: str) -> tuple[TextClause, tuple[str, ...]]:
    return _query(sql, *instants), instants


#: Each gives (subject, lead). Conditions are written out as the partial indexes have them: with parameters in their
#: place SQLite would not see that these fit.
_QUERIES: Mapping[str, tuple[TextClause, tuple[str, ...]]] = {
    # A clock that is not breached always has its breach armed, in its present generation.
    # (A parked one is found by itself.)
    "clock_unarmed": _look(
        """
        SELECT 'clock:' || clocks.id, clocks.lead_id FROM clocks
        WHERE clocks.ended_at IS NULL AND clocks.breached_at IS NULL AND NOT EXISTS (
            SELECT 1 FROM timers
            WHERE timers.subject_id = clocks.id AND timers.generation = clocks.generation
            AND timers.state = 'armed' AND timers.step = '100:breach')
        AND NOT EXISTS (
            SELECT 1 FROM timers
            WHERE timers.subject_kind = 'clock' AND timers.subject_id = clocks.id
            AND timers.step = '100:breach' AND timers.generation = clocks.generation
            AND timers.state = 'parked')
        LIMIT :most
        """
    ),
    # It would act on a lead that it no longer concerns.
    "clock_uncovered": _look(
        """
        SELECT 'clock:' || clocks.id, clocks.lead_id
        FROM (SELECT subject_id, generation FROM timers
              WHERE state = 'armed' AND due_at > :past AND due_at <= :ahead AND subject_kind = 'clock'
              ORDER BY due_at LIMIT 1000) AS near
        JOIN clocks ON clocks.id = near.subject_id
        JOIN leads ON leads.id = clocks.lead_id
        WHERE clocks.ended_at IS NULL AND NOT (
            (clocks.kind = 'route' AND leads.status = 'received')
            OR (clocks.kind = 'scrub' AND leads.status = 'scrub')
            OR (clocks.kind = 'accept' AND leads.status = 'offered')
            OR (clocks.kind = 'first_touch' AND leads.status = 'accepted')
            OR (clocks.kind = 'follow_up' AND leads.status = 'working')
            OR (clocks.kind = 'decide' AND leads.status IN ('accepted', 'working'))
            OR (clocks.kind = 'stalled' AND leads.status = 'qualified')
            OR (clocks.kind = 'shelf_life' AND leads.status IN ('offered', 'accepted'))
            OR (clocks.kind = 'review' AND leads.status = 'review'))
        LIMIT :most
        """,
        "past",
        "ahead",
    ),
    "timer_late": _look(
        """
        SELECT 'timer:' || id, lead_id FROM timers
        WHERE state = 'armed' AND due_at < :late AND subject_kind IN ('clock', 'lead', 'test')
        ORDER BY due_at LIMIT :most
        """,
        "late",
    ),
    "timer_parked": _look(
        """
        SELECT 'timer:' || id, lead_id FROM timers
        WHERE state = 'parked' AND subject_kind IN ('clock', 'lead', 'test') LIMIT :most
        """
    ),
    # Two branches, for each its own index.
    "message_late": _look(
        """
        SELECT 'outbox:' || id, lead_id FROM outbox
        WHERE way = 'slack' AND state = 'pending'
        AND (not_before > :far OR (show_at < :shown AND not_before < :real_late)) LIMIT :most
        """,
        "shown",
        "real_late",
        "far",
    ),
    "message_stuck": _look(
        """
        SELECT 'outbox:' || id, lead_id FROM outbox
        WHERE way IN ('slack', 'hook') AND state = 'sending'
        AND (lease_until IS NULL OR lease_until < :long_over OR lease_until > :far) LIMIT :most
        """,
        "long_over",
        "far",
    ),
    "message_doubt": _look(
        """
        SELECT 'outbox:' || id, lead_id FROM outbox
        WHERE way = 'slack' AND state = 'doubt'
        AND (doubt_since IS NULL OR doubt_since < :real_late OR lease_until > :far) LIMIT :most
        """,
        "real_late",
        "far",
    ),
    "offer_missing": _look(
        """
        SELECT 'lead:' || leads.id, leads.id FROM leads
        LEFT JOIN offers ON offers.id = leads.current_offer_id AND offers.lead_id = leads.id
        WHERE leads.status = 'offered' AND (offers.state IS NULL OR offers.state <> 'open')
        LIMIT :most
        """
    ),
    "offer_dangling": _look(
        """
        SELECT 'offer:' || offers.id, offers.lead_id FROM offers
        JOIN leads ON leads.id = offers.lead_id
        WHERE offers.rep_id IN (SELECT id FROM people) AND offers.state = 'open'
        AND (leads.status <> 'offered' OR leads.current_offer_id <> offers.id
             OR leads.current_offer_id IS NULL)
        LIMIT :most
        """
    ),
    "wake_missing": _look(
        """
        SELECT 'lead:' || leads.id, leads.id FROM leads
        WHERE leads.wake_at IS NOT NULL AND leads.wake_at < :ahead AND leads.status || '' = 'nurturing'
        AND NOT EXISTS (SELECT 1 FROM timers WHERE timers.lead_id = leads.id
                        AND timers.state IN ('armed', 'parked') AND timers.subject_kind = 'lead'
                        AND timers.step = 'wake' AND timers.due_at <= :ahead)
        LIMIT :most
        """,
        "ahead",
    ),
}

#: A lead in this status has this clock, where its agreement knows one.
_CLOCK_OF = {"offered": "accept", "received": "route", "scrub": "scrub", "review": "review"}
_CLOCK_MISSING = _query(
    """
    SELECT 'lead:' || leads.id, leads.id FROM leads
    WHERE leads.status = :status AND leads.kind <> 'test' AND NOT leads.waiting
    AND leads.status_at < :settled
    AND NOT EXISTS (SELECT 1 FROM clocks WHERE clocks.lead_id = leads.id
                    AND clocks.kind = :clock AND clocks.ended_at IS NULL)
    LIMIT :most
    """,
    "settled",
)
_ESCALATIONS = _query(
    """
    SELECT count(*) FROM (SELECT template, created_at FROM outbox ORDER BY id DESC LIMIT 2000) AS newest
    WHERE template = 'escalation' AND created_at > :minute
    """,
    "minute",
)

#: Clocks that end soon, with the steps agreed and a row for each that is armed.
_ENDING = _query(
    """
    SELECT clocks.id, clocks.lead_id, clocks.steps, timers.step
    FROM (SELECT subject_id, generation FROM timers
          WHERE state = 'armed' AND due_at > :now AND due_at <= :ahead
          AND subject_kind = 'clock' AND step = '100:breach'
          ORDER BY due_at LIMIT 300) AS near
    JOIN clocks ON clocks.id = near.subject_id AND clocks.generation = near.generation
    JOIN timers ON timers.subject_kind = 'clock' AND timers.subject_id = clocks.id
        AND timers.generation = clocks.generation AND timers.state = 'armed'
    WHERE clocks.ended_at IS NULL AND clocks.breached_at IS NULL
    """,
    "now",
    "ahead",
).columns(column("id"), column("lead_id"), column("steps", Json), column("step"))

#: All that `find` can find.
KINDS: tuple[str, ...] = (*_QUERIES, "clock_missing", "step_missing", "storm")


def find(
    conn: Connection, now: datetime, real: datetime, *, clocked: Collection[str]
) -> list[Found]:
    """All that is wrong, at most `MOST` of a kind. `now` is business time, `real` real time; `clocked`: the kinds of
    clocks that every lead has by the agreement."""
    instants = {
        "now": now,
        "ahead": now + AHEAD,
        "past": now - AHEAD,
        "late": now - TIMER_LATE,
        "shown": now - MESSAGE_LATE,
        "real_late": real - MESSAGE_LATE,
        "long_over": real - SENDING_LONG,
        "far": real + PUT_OFF_FAR,
    }
    found: list[Found] = []
    with _in_time(conn):
        for kind, (query, wanted) in _QUERIES.items():
            values = {name: instants[name] for name in wanted}
            rows = conn.execute(query, {**values, "most": MOST})
            found += [Found(kind, str(subject), lead) for subject, lead in rows]
        for status, clock in _CLOCK_OF.items():
            if clock in clocked:
                about = {"status": status, "clock": clock, "settled": now - TIMER_LATE}
                rows = conn.execute(_CLOCK_MISSING, {**about, "most": MOST})
                found += [Found("clock_missing", str(subject), lead) for subject, lead in rows]
        found += _without_steps(conn, now)
        minute = {"minute": now - timedelta(minutes=1)}
        if int(conn.execute(_ESCALATIONS, minute).scalar_one()) > STORM:
            found.append(Found("storm", "escalations:all"))
    return found


def _without_steps(conn: Connection, now: datetime) -> list[Found]:
    armed: dict[tuple[int, int], set[str]] = {}
    agreed: dict[tuple[int, int], set[str]] = {}
    for row in conn.execute(_ENDING, {"now": now, "ahead": now + AHEAD}):
        key = (int(row.id), int(row.lead_id))
        armed.setdefault(key, set()).add(str(row.step))
        agreed[key] = {_name_of(step) for step in row.steps if int(step["percent"]) >= 100}
    return [
        Found("step_missing", f"clock:{clock}", lead)
        for (clock, lead), names in agreed.items()
        if not names <= armed[(clock, lead)]
    ]


def _name_of(step: Mapping[str, Any]) -> str:
    rule = StepRule(
        int(step["percent"]), StepKind(step["kind"]), str(step["to"]), bool(step["now"])
    )
    return step_name(rule)


@contextmanager
def _in_time(conn: Connection) -> Iterator[None]:
    """No look takes longer than `MOST_SECONDS`: a watchdog that holds up what it watches is worse than none."""
    if conn.dialect.name == "sqlite":
        raw: sqlite3.Connection = conn.connection.driver_connection  # type: ignore[assignment]
        until = time.monotonic() + MOST_SECONDS
        raw.set_progress_handler(lambda: time.monotonic() > until, 20_000)
        try:
            yield
        finally:
            raw.set_progress_handler(None, 0)
    else:
        conn.execute(_LIMIT)  # to the end of the transaction
        yield
