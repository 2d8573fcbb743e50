"""What entrants of a challenge had the chance to do: the leads that were put before them, and those leads' journals.

A handful of statements, paged by lead: of a hundred thousand leads only those are read in which somebody who takes
part was offered something in time. What is not here: what is made of it (`bot.domain.feats`, `bot.domain.points`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    and_,
    bindparam,
    exists,
    func,
    literal_column,
    or_,
    select,
)  # fmt: skip

from storage.models import Absences, Journal, Leads, Offers
from storage.models_intake import Activities
from storage.prepared import Prepared, among, unindexed
from storage.rows import table_of

_leads = table_of(Leads)
_offers = table_of(Offers)
_journal = table_of(Journal)
_absences = table_of(Absences)
_activities = table_of(Activities)

#: So many leads' journals are read with one statement.
PAGE = 500


class Entry(NamedTuple):
    """What is read of a journal's entry. There are tens of thousands of them: a dataclass of ours takes longer to make
    than the row to read."""

    lead_id: int
    at: datetime
    kind: str
    actor_id: int | None
    data: dict[str, Any]


_COLUMNS = (
    _journal.c.subject_id,
    _journal.c.at,
    _journal.c.kind,
    _journal.c.actor_id,
    _journal.c.data,
)


def _by_reps(dialect: str) -> ColumnElement[bool]:
    """Offers to these people. SQLite is to look by time: of years of somebody's offers only weeks matter."""
    if dialect == "sqlite":
        given = func.json_each(bindparam("reps", type_=JSON)).table_valued("value")
        return literal_column("+offers.rep_id", _offers.c.rep_id.type).in_(select(given.c.value))
    return among(dialect, _offers.c.rep_id, "reps")


_LEADS = Prepared(
    lambda dialect: (
        select(_offers.c.lead_id)
        .join(_leads, _leads.c.id == _offers.c.lead_id)
        .where(
            _leads.c.kind == "live",
            _by_reps(dialect),
            _offers.c.offered_at >= bindparam("since", type_=_offers.c.offered_at.type),
            _offers.c.offered_at < bindparam("until", type_=_offers.c.offered_at.type),
        )
        .distinct()
        .order_by(_offers.c.lead_id)
    ),
    (_offers.c.lead_id,),
)
_ENTRIES = Prepared(
    lambda dialect: (
        select(*_COLUMNS)
        .where(_journal.c.subject_kind == "lead", among(dialect, _journal.c.subject_id, "leads"))
        .order_by(_journal.c.subject_id, _journal.c.seq)
    ),
    _COLUMNS,
)
_NEWS = Prepared(
    lambda dialect: (
        select(_journal.c.id)
        .where(
            _journal.c.at >= bindparam("since", type_=_journal.c.at.type),
            or_(
                and_(
                    unindexed(dialect, _journal.c.subject_kind) == "person",
                    among(dialect, _journal.c.subject_id, "reps"),
                ),
                and_(
                    unindexed(dialect, _journal.c.subject_kind) == "lead",
                    exists().where(
                        _offers.c.lead_id == _journal.c.subject_id,
                        among(dialect, _offers.c.rep_id, "reps"),
                    ),
                ),
            ),
        )
        .limit(1)
    ),
    (_journal.c.id,),
)


def list_leads(
    conn: Connection, reps: Collection[int], since: datetime, until: datetime
) -> list[int]:
    """Live leads of which one of these people was offered something in [since, until)."""
    given = {"reps": sorted(reps), "since": since, "until": until}
    return [int(found) for (found,) in _LEADS.fetch(conn, given)]


def iter_journals(conn: Connection, lead_ids: Sequence[int]) -> Iterator[tuple[int, list[Entry]]]:
    """The whole journal of each of these leads, a lead at a time, in the order of their ids."""
    for start in range(0, len(lead_ids), PAGE):
        lead_page = sorted(lead_ids[start : start + PAGE])
        rows = map(Entry._make, _ENTRIES.fetch(conn, {"leads": lead_page}))
        for lead_id, entries in groupby(rows, key=itemgetter(0)):
            yield int(lead_id), list(entries)


def has_news(conn: Connection, reps: Collection[int], since: datetime) -> bool:
    """Whether anything was written since then (logged, not happened) about one of these people, or about a lead that
    was ever put before one of them."""
    return bool(_NEWS.fetch(conn, {"reps": sorted(reps), "since": since}))


def list_absences(
    conn: Connection, people: Collection[int], since: datetime, until: datetime
) -> dict[int, list[tuple[datetime, datetime | None]]]:
    """When each of these people was away, as far as it touches [since, until); until None: without an end."""
    rows = conn.execute(
        select(_absences.c.person_id, _absences.c.from_at, _absences.c.until_at)
        .where(
            _absences.c.person_id.in_(list(people)),
            _absences.c.from_at < until,
            _absences.c.until_at.is_(None) | (_absences.c.until_at > since),
        )
        .order_by(_absences.c.person_id, _absences.c.from_at, _absences.c.id)
    )
    found: dict[int, list[tuple[datetime, datetime | None]]] = {}
    for person_id, from_at, until_at in rows:
        if until_at is None or from_at < until_at:  # one that was ended before it began is none
            found.setdefault(int(person_id), []).append((from_at, until_at))
    return found


def reported_between(conn: Connection, since: datetime, until: datetime) -> bool:
    """Whether a CRM or dialler reported any activity in [since, until)."""
    query = select(_activities.c.id).where(
        _activities.c.received_at >= since, _activities.c.received_at < until
    )
    return conn.execute(query.limit(1)).first() is not None
