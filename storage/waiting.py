"""Imported leads on their way to people: those that wait for a free rep, and those before marketing's eyes.

What is not here: importing (`imports`), who gets which lead (`release_waiting`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, case, func, or_, select, text

from bot.domain.funnel import Status
from storage.foldings import RELEASED
from storage.leads import LeadRow, list_by_ids
from storage.models import Journal, Leads, Offers, Outbox
from storage.models_intake import Imports
from storage.rows import as_row, table_of

_leads = table_of(Leads)
_offers = table_of(Offers)
_outbox = table_of(Outbox)
_journal = table_of(Journal)
_imports = table_of(Imports)

#: As the partial index has it: SQLite does not see that `waiting = 1` says the same.
_WAITS = text("leads.waiting")
#: Before a person's number: the lock under which one process gives them a list.
_LOCK = 0x0B_A7_0E << 32
#: Why an imported lead is in review.
IMPORTED = "imported"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a lead stands among those that wait: the fast lane first, then by score, then the oldest."""

    fast_lane: bool
    score: int
    id: int


@dataclass(frozen=True, slots=True)
class Unanswered:
    """How many offers somebody has to answer, and how many of them came in a list of imported leads."""

    many: int
    released: int


def has_waiting(conn: Connection) -> bool:
    """Whether any lead waits for a free rep."""
    return conn.execute(select(_leads.c.id).where(_WAITS).limit(1)).first() is not None


def count_waiting(conn: Connection) -> int:
    """How many leads wait for a free rep."""
    return int(conn.execute(select(func.count(_leads.c.id)).where(_WAITS)).scalar_one())


def list_waiting(conn: Connection, after: Place | None, limit: int) -> list[LeadRow]:
    """The next of those that wait, best first."""
    query = select(_leads.c.id).where(_WAITS)
    if after is not None:
        behind = or_(
            _leads.c.score < after.score,
            and_(_leads.c.score == after.score, _leads.c.id > after.id),
        )
        slow = _leads.c.fast_lane.is_(False)
        query = query.where(or_(slow, behind) if after.fast_lane else and_(slow, behind))
    # The numbers come from the index alone; a whole row is read only for those wanted.
    order = (_leads.c.fast_lane.desc(), _leads.c.score.desc(), _leads.c.id)
    return list_by_ids(conn, list(conn.execute(query.order_by(*order).limit(limit)).scalars()))


def place_of(lead: LeadRow) -> Place:
    """Where a lead stands among those that wait."""
    return Place(lead.fast_lane, lead.score, lead.id)


def lock_waiting(conn: Connection, lead_ids: Collection[int]) -> dict[int, LeadRow]:
    """Those of `lead_ids` that still wait and that nobody else has in hand, locked until the transaction ends."""
    rows = conn.execute(
        select(_leads)
        .where(_leads.c.id.in_(list(lead_ids)), _WAITS)
        .order_by(_leads.c.id)
        .with_for_update(skip_locked=True)
    )
    return {int(row.id): as_row(LeadRow, row) for row in rows}


def claim_rep(conn: Connection, person_id: int) -> bool:
    """Only one transaction at a time gives somebody a list; False: another one is at it. SQLite has one writer."""
    if conn.dialect.name == "sqlite":
        return True
    lock = func.pg_try_advisory_xact_lock(_LOCK + person_id)
    return bool(conn.execute(select(lock)).scalar_one())


def count_unanswered(conn: Connection, person_ids: Collection[int]) -> dict[int, Unanswered]:
    """The open offers of these people."""
    released = case((_outbox.c.reason.startswith(f"{RELEASED}:"), 1), else_=0)
    rows = conn.execute(
        select(_offers.c.rep_id, func.count(), func.sum(released))
        .join(_outbox, _outbox.c.dedupe_key == "card:" + _offers.c.id, isouter=True)
        .where(_offers.c.rep_id.in_(list(person_ids)), _offers.c.state == "open")
        .group_by(_offers.c.rep_id)
    )
    return {int(rep): Unanswered(int(many), int(some or 0)) for rep, many, some in rows}


def list_untold(conn: Connection, lead_ids: Collection[int], kind: str) -> list[int]:
    """Those of `lead_ids` whose journal has no entry of this kind."""
    told = select(_journal.c.subject_id).where(
        _journal.c.subject_kind == "lead",
        _journal.c.subject_id.in_(list(lead_ids)),
        _journal.c.kind == kind,
    )
    known = set(conn.execute(told).scalars())
    return [i for i in lead_ids if i not in known]


def is_import_under_way(conn: Connection, mode: str, since: datetime) -> bool:
    """Whether an import that began after `since` has not ended: better leads may still come."""
    query = select(_imports.c.id).where(
        _imports.c.mode == mode, _imports.c.ended_at.is_(None), _imports.c.started_at > since
    )
    return conn.execute(query.limit(1)).first() is not None


# ------------------------------------------------------------------ before marketing's eyes


def list_reviews(conn: Connection, limit: int = 200) -> list[LeadRow]:
    """Leads in review: first those that came back and whose clock runs, then imported ones; oldest first."""
    rows = conn.execute(
        select(_leads)
        .where(_leads.c.status == Status.REVIEW.value, _leads.c.kind != "history")
        .order_by(_leads.c.reason == IMPORTED, _leads.c.status_at, _leads.c.id)
        .limit(limit)
    )
    return [as_row(LeadRow, row) for row in rows]


def count_reviews(conn: Connection) -> int:
    """How many leads are in review."""
    query = select(func.count(_leads.c.id)).where(
        _leads.c.status == Status.REVIEW.value, _leads.c.kind != "history"
    )
    return int(conn.execute(query).scalar_one())
