"""Claiming rows of the outbox for Slack: which may go now, and taking them under a lease.

A lane (one conversation) has at most one row in flight. Its next row is the first by (priority, id) of those that are
due: escalations before offers before edits before the rest, oldest first within each. A row that is put off (backoff)
does not hold up the rest of its lane: one message that Slack keeps choking on must not silence a person. An edit may
therefore come up before the post of its card; it is dropped then ("not posted yet"), since the post shows the newest
state when its turn comes. Among lanes, of equal priority the one goes first whose turn is longest ago.

The rows are read in the order of the index on (way, state, priority, id), a page at a time, and hardly further than
needed: ten thousand rows that wait cost little more than ten, unless none of them may go. What is not here: what
becomes of a row (`deliveries`), how much may go when (`bot.services.pacing`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, bindparam, false, func, or_, select

from storage import outbox
from storage.deliveries import HOME, LEASE, OutboxRow, end_expired_leases, is_expired
from storage.models import Outbox
from storage.rows import as_row, table_of

_outbox = table_of(Outbox)
#: Rows read at a time, and how often at most.
_PAGE, _PAGES = 64, 4
_NEVER = datetime.min.replace(tzinfo=UTC)
#: Whoever claims on PostgreSQL waits for this: two that claim at once would pick the same rows.
_TURN = 0x42_41_54_03


class Kind(StrEnum):
    """What a row is to Slack; each has its own limits."""

    POST = "post"
    EDIT = "edit"
    HOME = "home"


@dataclass(frozen=True, slots=True)
class Quota:
    """How many may go now: `most`, and of them `rest` that are no escalations."""

    most: int
    rest: int

    def less(self, urgent: bool) -> Quota:
        """One was taken."""
        return Quota(self.most - 1, min(self.rest if urgent else self.rest - 1, self.most - 1))

    def lets(self, urgent: bool) -> bool:
        """Whether one more may go."""
        return (self.most if urgent else self.rest) > 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What may be claimed: `calls` in all, so many of each kind (no entry: as many as `calls`), no posts to
    `paced_lanes`. `probing`: least tried first, so that a row which never gets an answer does not take every chance to
    find out whether Slack is back. `doubted`: only what may have been sent before, or may be sent twice. `served`: when
    it was a lane's turn last; of equal priority who waited longest for that goes first, else a few conversations that
    Slack chokes on would keep all others behind their older messages."""

    calls: Quota
    kinds: Mapping[Kind, Quota] = field(default_factory=dict)
    paced_lanes: frozenset[str] = frozenset()
    probing: bool = False
    doubted: bool = False
    served: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Head:
    """A row that may go now, the first of its lane."""

    id: int
    lane: str
    template: str
    person_id: int | None
    kind: Kind
    priority: int


def kind_of(row: OutboxRow | Head | Row[Any]) -> Kind:
    """Home tabs are published; a row with `edits` edits; all others post."""
    if isinstance(row, Head):
        return row.kind
    if row.template == HOME:
        return Kind.HOME
    return Kind.EDIT if row.edits else Kind.POST


def look(conn: Connection, wanted: Wanted, *, now: datetime, real: datetime) -> list[Head]:
    """What a claim would take, most urgent first. Only reads. `now` is business time, `real` real time."""
    calls, kinds = wanted.calls, {kind: wanted.kinds.get(kind, wanted.calls) for kind in Kind}
    if calls.most <= 0:
        return []
    heads = _heads(conn, wanted, [_flag(calls, kinds[kind]) for kind in Kind], now, real)
    if not wanted.probing:
        heads.sort(key=lambda h: (h.priority, wanted.served.get(h.lane, _NEVER), h.id))
    taken = []
    for head in heads:
        urgent = head.priority <= outbox.PRIORITY_ESCALATION
        if calls.lets(urgent) and kinds[head.kind].lets(urgent):
            taken.append(head)
            calls, kinds[head.kind] = calls.less(urgent), kinds[head.kind].less(urgent)
    return taken


def _heads(
    conn: Connection, wanted: Wanted, flags: Sequence[int], now: datetime, real: datetime
) -> list[Head]:
    """The first rows of lanes, more of them than may go when there are, so that there is a choice."""
    heads: dict[str, Head] = {}
    query = _due_rows(wanted.probing, wanted.doubted, tuple(flags))
    given = {"now": now, "real": real, "paced": sorted(wanted.paced_lanes)}
    for _ in range(_PAGES):
        page = conn.execute(query, {**given, "taken": list(heads)}).all()
        for row in page:
            if row.lane not in heads:
                heads[row.lane] = Head(
                    row.id, row.lane, row.template, row.person_id, kind_of(row), row.priority
                )
        if len(page) < _PAGE or len(heads) >= 4 * wanted.calls.most:
            break
    return list(heads.values())


def has_expired(conn: Connection, real: datetime) -> bool:
    """Whether somebody's lease ran out."""
    return conn.execute(select(_outbox.c.id).where(is_expired(real)).limit(1)).first() is not None


def take_turn(conn: Connection) -> None:
    """Wait until nobody else claims; then nobody will until the transaction ends. On SQLite the writer is alone."""
    if conn.dialect.name == "postgresql":
        conn.execute(select(func.pg_advisory_xact_lock(_TURN)))


def claim(
    conn: Connection, wanted: Wanted, *, now: datetime, real: datetime, worker: str
) -> list[OutboxRow]:
    """Take what `look` finds, for `LEASE`. Touches outbox rows alone; concurrent claims share nothing."""
    take_turn(conn)
    end_expired_leases(conn, real)
    ids = _lock(conn, [head.id for head in look(conn, wanted, now=now, real=real)])
    if not ids:
        return []
    rows = conn.execute(
        _outbox.update()
        .where(_outbox.c.id.in_(ids), _outbox.c.state == "pending")
        .values(
            state="sending",
            claimed_by=worker,
            fence=_outbox.c.fence + 1,
            lease_until=real + LEASE,
            attempts=_outbox.c.attempts + 1,
            first_try_at=func.coalesce(_outbox.c.first_try_at, real),
        )
        .returning(*_outbox.c)
    )
    return sorted((as_row(OutboxRow, row) for row in rows), key=lambda row: (row.priority, row.id))


def count_doubtful(conn: Connection) -> int:
    """Messages that may have been posted, and of which that is not known yet."""
    return int(
        conn.execute(
            select(func.count())
            .select_from(_outbox)
            .where(
                _outbox.c.way == outbox.SLACK,
                _outbox.c.state.in_(("pending", "sending", "doubt")),
                _outbox.c.doubts > 0,
            )
        ).scalar_one()
    )


def of_one(most: int) -> Quota:
    """`most` of whatever comes."""
    return Quota(most, most)


def capped(quota: Quota, most: int) -> Quota:
    """No more than `most`."""
    return replace(quota, most=min(quota.most, most), rest=min(quota.rest, most))


def _flag(calls: Quota, quota: Quota) -> int:
    """2: any row of the kind may go; 1: escalations alone; 0: none."""
    if min(calls.most, quota.most) <= 0:
        return 0
    return 1 if min(calls.rest, quota.rest) <= 0 else 2


@lru_cache(maxsize=64)
def _due_rows(probing: bool, doubted: bool, flags: tuple[int, ...]) -> Select[Any]:
    """Built once: putting it together takes longer than asking. `flags`: of each kind, in the order of `Kind`."""
    home, free = (
        _outbox.c.template == HOME,
        _outbox.c.lane.not_in(bindparam("paced", expanding=True)),
    )
    rows_of = {
        Kind.POST: and_(~_outbox.c.edits, ~home, free),
        Kind.EDIT: and_(_outbox.c.edits, ~home),
        Kind.HOME: home,
    }
    urgent = _outbox.c.priority <= outbox.PRIORITY_ESCALATION
    open_now = [
        rows_of[kind] if flag == 2 else and_(rows_of[kind], urgent)
        for kind, flag in zip(Kind, flags, strict=True)
        if flag
    ]
    busy = select(_outbox.c.lane).where(_outbox.c.way == outbox.SLACK, _outbox.c.state == "sending")
    columns = (_outbox.c[c] for c in ("id", "lane", "template", "person_id", "edits", "priority"))
    query = select(*columns).where(
        _outbox.c.way == outbox.SLACK,
        _outbox.c.state == "pending",
        _outbox.c.show_at <= bindparam("now"),
        _outbox.c.not_before <= bindparam("real"),
        _outbox.c.lane.not_in(busy),
        _outbox.c.lane.not_in(bindparam("taken", expanding=True)),
        or_(false(), *open_now),
    )
    if doubted:
        query = query.where(or_(_outbox.c.edits, _outbox.c.doubts > 0))
    order = ("attempts", "priority", "id") if probing else ("priority", "id")
    return query.order_by(*(_outbox.c[name] for name in order)).limit(_PAGE)


def _lock(conn: Connection, ids: Sequence[int]) -> list[int]:
    """Those of them that nobody else holds: somebody who changes a row (joins an edit, folds) goes first."""
    if not ids:
        return []
    rows = conn.execute(
        select(_outbox.c.id)
        .where(_outbox.c.id.in_(ids), _outbox.c.state == "pending")
        .with_for_update(skip_locked=True)
    )
    return list(rows.scalars())
