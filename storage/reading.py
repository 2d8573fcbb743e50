"""Queries that only look: what cards, lists and answers show beside the rows themselves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, bindparam, func, or_, select
from sqlalchemy.sql.elements import ClauseElement

from bot.domain.funnel import Status
from storage.leads import LeadRow
from storage.models import Clocks, Leads, Notes, Offers, Playbooks, Timers, Touches
from storage.prepared import Prepared, among
from storage.rows import as_row, table_of
from storage.touches import TouchRow

_leads = table_of(Leads)
_offers = table_of(Offers)
_clocks = table_of(Clocks)
_timers = table_of(Timers)
_touches = table_of(Touches)
_notes = table_of(Notes)
_playbooks = table_of(Playbooks)


def remind_times(conn: Connection, lead_ids: Sequence[int]) -> dict[int, datetime]:
    """By running clock: when its last reminder before the due time comes (or came)."""
    return {int(clock): at for clock, at in _REMIND.fetch(conn, {"leads": list(lead_ids)})}


_REMIND_COLUMNS = (_clocks.c.id, func.max(_timers.c.due_at))
_REMIND = Prepared(
    lambda dialect: (
        select(*_REMIND_COLUMNS)
        .join(
            _timers,
            and_(
                _timers.c.subject_kind == "clock",
                _timers.c.subject_id == _clocks.c.id,
                _timers.c.lead_id == _clocks.c.lead_id,
            ),
        )
        .where(
            among(dialect, _clocks.c.lead_id, "leads"),
            _clocks.c.ended_at.is_(None),
            _timers.c.generation == _clocks.c.generation,
            _timers.c.step.like(bindparam("reminder", "%:remind")),
            _timers.c.due_at < _clocks.c.due_at,
        )
        .group_by(_clocks.c.id)
    ),
    _REMIND_COLUMNS,
)


def note_at(conn: Connection, lead_id: int, author_id: int | None, at: datetime) -> str:
    """What `author_id` wrote about a lead at that very instant (one transaction has one instant)."""
    return (
        conn.execute(
            select(_notes.c.body)
            .where(
                _notes.c.lead_id == lead_id,
                _notes.c.author_id == author_id,
                _notes.c.at == at,
            )
            .order_by(_notes.c.id.desc())
            .limit(1)
        ).scalar()
        or ""
    )


def touches_of(conn: Connection, touch_ids: Sequence[int]) -> dict[int, TouchRow]:
    """Touches by id."""
    rows = conn.execute(select(_touches).where(_touches.c.id.in_(touch_ids)))
    return {int(row.id): as_row(TouchRow, row) for row in rows}


def came_back_for(conn: Connection, campaign: str, reason: str) -> tuple[int, int]:
    """Of the live leads of a campaign: how many were rejected for `reason`, how many were offered."""
    mine = [_leads.c.campaign == campaign, _leads.c.kind == "live"]
    joined = select(func.count(func.distinct(_leads.c.id))).join(
        _offers, _offers.c.lead_id == _leads.c.id
    )
    rejected = joined.where(*mine, _offers.c.state == "rejected", _offers.c.reason == reason)
    return int(conn.execute(rejected).scalar_one()), int(
        conn.execute(joined.where(*mine)).scalar_one()
    )


def list_reviewed_by(conn: Connection, person_id: int) -> list[LeadRow]:
    """Leads in review that this person looks at, longest waiting first."""
    rows = conn.execute(
        select(_leads)
        .where(_leads.c.status == Status.REVIEW.value, _leads.c.reviewer_id == person_id)
        .order_by(_leads.c.status_at, _leads.c.id)
    )
    return [as_row(LeadRow, row) for row in rows]


def list_of_teams(
    conn: Connection, statuses: Iterable[Status], teams: Sequence[str], holders: Sequence[int]
) -> list[LeadRow]:
    """Live leads in `statuses` that belong to one of `teams` or are held by one of `holders`."""
    rows = conn.execute(
        select(_leads)
        .where(
            _leads.c.status.in_([s.value for s in statuses]),
            _leads.c.kind == "live",
            _leads.c.team.in_(teams) | _leads.c.owner_id.in_(holders),
        )
        .order_by(_leads.c.status_at, _leads.c.id)
    )
    return [as_row(LeadRow, row) for row in rows]


@dataclass(frozen=True, slots=True)
class DueRow:
    """A running clock of a lead, and no more than what says when it is due."""

    lead_id: int
    status: str
    clock_id: int
    kind: str
    due_at: datetime


_DUE_COLUMNS = (_leads.c.id, _leads.c.status, _clocks.c.id, _clocks.c.kind, _clocks.c.due_at)


def _due_rows(dialect: str) -> ClauseElement:
    return (
        select(*_DUE_COLUMNS)
        .join(_clocks, and_(_clocks.c.lead_id == _leads.c.id, _clocks.c.ended_at.is_(None)))
        .where(
            among(dialect, _leads.c.status, "statuses"),
            _leads.c.kind == "live",
            or_(
                among(dialect, _leads.c.team, "teams"), among(dialect, _leads.c.owner_id, "holders")
            ),
        )
        .order_by(_leads.c.status_at, _leads.c.id)
    )


_DUE = Prepared(_due_rows, _DUE_COLUMNS)


def due_of_teams(
    conn: Connection, statuses: Iterable[Status], teams: Sequence[str], holders: Sequence[int]
) -> list[DueRow]:
    """The running clocks of the leads that `list_of_teams` lists, in its order."""
    given = {
        "statuses": [s.value for s in statuses], "teams": list(teams), "holders": list(holders),
    }  # fmt: skip
    return [DueRow(*row) for row in _DUE.fetch(conn, given)]


def last_accepted(conn: Connection, person_id: int) -> tuple[int, datetime, datetime] | None:
    """(lead id, offered at, accepted at) of the newest offer that this person accepted, tests left out."""
    row = conn.execute(
        select(_offers.c.lead_id, _offers.c.offered_at, _offers.c.accepted_at)
        .join(_leads, _leads.c.id == _offers.c.lead_id)
        .where(
            _offers.c.rep_id == person_id,
            _offers.c.accepted_at.is_not(None),
            _leads.c.kind == "live",
        )
        .order_by(_offers.c.accepted_at.desc(), _offers.c.n.desc())
        .limit(1)
    ).one_or_none()
    return (int(row[0]), row[1], row[2]) if row is not None else None


def applied_at(conn: Connection, version: int) -> datetime | None:
    """When a version of the playbook was (last) put in force."""
    return conn.execute(
        select(_playbooks.c.applied_at).where(_playbooks.c.version == version)
    ).scalar_one_or_none()
