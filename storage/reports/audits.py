"""What became of every lead that was handed to sales, before Baton and since; every lead is counted once.

What is not here: what the figures mean (`bot.domain.audit`), how they are shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Subquery,
    and_,
    case,
    cast,
    exists,
    func,
    or_,
    select,
)

from bot.domain.audit import AGES, Cell, Tally, Untouched
from storage.models import Leads, Offers, Touches
from storage.models_intake import Histories
from storage.rows import as_row, table_of

_leads = table_of(Leads)
_offers = table_of(Offers)
_touches = table_of(Touches)
_histories = table_of(Histories)
_PAGE = 2_000
#: The team that has a lead, or had it before Baton.
_team = case((_leads.c.team != "", _leads.c.team), else_=func.coalesce(_histories.c.team, ""))


@dataclass(frozen=True, slots=True)
class AuditedLead:
    """One lead of an audit: ids and counts, no personal data."""

    id: int
    source: str
    external_id: str
    campaign: str
    kind: str
    status: str
    team: str
    arrived_at: datetime
    verified: int
    self_reported: int
    routed: int
    rejected: bool


@dataclass(frozen=True, slots=True)
class Scope:
    """Which leads an audit is about. `team` "": all."""

    now: datetime
    since: datetime | None = None
    team: str = ""


def tally_audit(conn: Connection, scope: Scope) -> list[Cell]:
    """The counts of every team, source, campaign and age that occurs."""
    one = _audited(scope)
    untouched, said_only = _untouched(one), and_(one.c.verified == 0, one.c.self_reported > 0)
    band = _age(one, scope.now)
    groups = (one.c.team, one.c.source, one.c.campaign, band, one.c.kind)
    rows = conn.execute(
        select(
            *groups,
            func.count(),
            _count(untouched),
            _count(said_only),
            _count(and_(untouched, one.c.rejected)),
            _count(one.c.routed >= 2),
        ).group_by(*groups)
    )
    return [
        Cell(team, source, campaign, int(age), kind == "history", Tally(*map(int, counts)))
        for team, source, campaign, age, kind, *counts in rows
    ]


def list_oldest_untouched(conn: Connection, scope: Scope, *, limit: int) -> list[Untouched]:
    """Those that have waited longest for anybody."""
    past = _histories
    seen = and_(_touches.c.lead_id == _leads.c.id, _touches.c.state != "withdrawn")
    query = (
        select(_leads.c.id, _team, _leads.c.arrived_at)
        .outerjoin(past, past.c.lead_id == _leads.c.id)
        .where(
            *_in_scope(scope),
            or_(past.c.lead_id.is_not(None), exists().where(_offers.c.lead_id == _leads.c.id)),
            _sum(past.c.touches, past.c.self_reported) == 0,
            ~exists().where(seen),
        )
        .order_by(_leads.c.arrived_at, _leads.c.id)
        .limit(limit)
    )
    return [Untouched(int(i), team, at) for i, team, at in conn.execute(query)]


def list_audited(conn: Connection, scope: Scope) -> Iterator[AuditedLead]:
    """Every lead of the audit by its number, read in pages."""
    one = _audited(scope)
    for row in conn.execute(select(one).order_by(one.c.id)).yield_per(_PAGE):
        yield as_row(AuditedLead, row)


def _audited(scope: Scope) -> Subquery:
    """One row a lead that was handed to sales: what is known of it from before Baton and since, added up."""
    offered = (
        select(
            _offers.c.lead_id,
            func.count().label("offers"),
            func.max(_as_number(_offers.c.state == "rejected")).label("rejected"),
        )
        .group_by(_offers.c.lead_id)
        .subquery()
    )
    touched = (
        select(
            _touches.c.lead_id,
            _count(_touches.c.state == "verified").label("verified"),
            _count(_touches.c.state == "self_reported").label("self_reported"),
        )
        .group_by(_touches.c.lead_id)
        .subquery()
    )
    past = _histories
    query = (
        select(
            *(
                _leads.c[name]
                for name in ("id", "source", "external_id", "campaign", "kind", "status")
            ),
            _team.label("team"),
            _leads.c.arrived_at,
            _sum(touched.c.verified, past.c.touches).label("verified"),
            _sum(touched.c.self_reported, past.c.self_reported).label("self_reported"),
            _sum(offered.c.offers, past.c.routed).label("routed"),
            or_(
                func.coalesce(offered.c.rejected, 0) > 0, func.coalesce(past.c.rejected, False)
            ).label("rejected"),
        )
        .outerjoin(past, past.c.lead_id == _leads.c.id)
        .outerjoin(offered, offered.c.lead_id == _leads.c.id)
        .outerjoin(touched, touched.c.lead_id == _leads.c.id)
        .where(*_in_scope(scope), or_(past.c.lead_id.is_not(None), offered.c.lead_id.is_not(None)))
    )
    return query.subquery()


def _in_scope(scope: Scope) -> list[ColumnElement[bool]]:
    """No figure counts a test lead."""
    wanted = [_leads.c.kind != "test"]
    if scope.since is not None:
        wanted.append(_leads.c.arrived_at >= scope.since)
    if scope.team:
        wanted.append(_team == scope.team)
    return wanted


def _untouched(one: Subquery) -> ColumnElement[bool]:
    return and_(one.c.verified == 0, one.c.self_reported == 0)


def _age(one: Subquery, now: datetime) -> ColumnElement[Any]:
    """The band of `AGES`: full days since arrival."""
    young = [
        (one.c.arrived_at > now - timedelta(days=last + 1), band)
        for band, (_, last) in enumerate(AGES)
        if last is not None
    ]
    return case(*young, else_=len(AGES) - 1)


def _as_number(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return cast(condition, Integer)


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(_as_number(condition))


def _sum(one: ColumnElement[int], other: ColumnElement[int]) -> ColumnElement[int]:
    return func.coalesce(one, 0) + func.coalesce(other, 0)
