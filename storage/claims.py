"""Claiming rows of the outbox for Slack: which may go now, and taking them under a lease.

A lane (one conversation) has at most one row in flight. Its next row is the first by (priority, id) of those that are
due: escalations before offers before edits before the rest, oldest first within each. A row that is put off (backoff)
does not hold up the rest of its lane: one message that Slack keeps choking on must not silence a person. An edit may
therefore come up before the post of its card; it is dropped then ("not posted yet"), since the post shows the newest
state when its turn comes. Among lanes, of equal priority the one goes first whose turn is longest ago.

The rows are read in the order of the index on (way, state, priority, id), a page at a time, and no further than
needed: a row of a lane that is not among the heads yet comes after the last that was read, and when no other lane has
rows, nothing comes. So ten thousand rows that wait cost little more than ten. What is not here: what
becomes of a row (`deliveries`), how much may go when (`bot.services.pacing`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    Select,
    and_,
    bindparam,
    case,
    false,
    func,
    not_,
    or_,
    select,
    text,
    true,
    tuple_,
)
from sqlalchemy.sql.elements import ClauseElement

from storage import outbox
from storage.deliveries import HOME, LEASE, OutboxRow, end_expired_leases, is_expired
from storage.models import Outbox
from storage.prepared import Prepared, Reading, among
from storage.rows import table_of

_outbox = table_of(Outbox)
#: Rows read at a time, and how often at most.
_PAGE, _PAGES = 64, 4
_NEVER = datetime.min.replace(tzinfo=UTC)
#: Whoever claims on PostgreSQL waits for this: two that claim at once would pick the same rows.
_TURN = 0x42_41_54_03


def _all_lanes() -> Select[Any]:
    # Spelled out, and not bound: only so is the partial index known to have them all.
    is_open = text("state IN ('pending','sending')")
    lanes = (
        select(func.min(_outbox.c.lane).label("lane")).where(is_open).cte("lanes", recursive=True)
    )
    following = select(func.min(_outbox.c.lane)).where(is_open, _outbox.c.lane > lanes.c.lane)
    lanes = lanes.union_all(select(following.scalar_subquery()).where(lanes.c.lane.is_not(None)))
    return select(lanes.c.lane).where(lanes.c.lane.is_not(None))


_LANES = Prepared(lambda _dialect: _all_lanes())
_AN_EDIT = Prepared(
    lambda _dialect: select(_outbox.c.id).where(text("state = 'pending' AND edits")).limit(1)
)
_EXPIRED = Prepared(
    lambda _dialect: select(_outbox.c.id).where(is_expired(bindparam("real"))).limit(1)
)
_TAKE_TURN = Prepared(lambda _dialect: select(func.pg_advisory_xact_lock(_TURN)))


class Kind(StrEnum):
    """What a row is to Slack; each has its own limits."""

    POST = "post"
    EDIT = "edit"
    HOME = "home"


@dataclass(frozen=True, slots=True)
class Quota:
    """How many may go now: `most`, of them `rest` that are no escalations, and of these `troubled` in conversations
    that Slack chokes on."""

    most: int
    rest: int
    troubled: int = 1_000_000

    def less(self, urgent: bool) -> Quota:
        """One was taken."""
        one = 0 if urgent else 1
        return Quota(self.most - 1, min(self.rest - one, self.most - 1), self.troubled - one)

    def lets(self, urgent: bool, troubled: bool = False) -> bool:
        """Whether one more may go."""
        if urgent:
            return self.most > 0
        return min(self.rest, self.troubled) > 0 if troubled else self.rest > 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What may be claimed: `calls` in all, so many of each kind (no entry: as many as `calls`), no posts to
    `paced_lanes`. `troubled`: lanes that Slack choked on lately; of equal priority they go last, and of no quota they
    may take more than its `troubled`. `served`: when it was a lane's turn last; of equal priority who waited longest
    for that goes first, else a few conversations with many messages would keep all others behind these. `probing`:
    least tried first, so that a row which never gets an answer does not take every chance to find out whether Slack is
    back. `doubted`: only what may have been sent before, or may be sent twice."""

    calls: Quota
    kinds: Mapping[Kind, Quota] = field(default_factory=dict)
    paced_lanes: frozenset[str] = frozenset()
    probing: bool = False
    doubted: bool = False
    served: Mapping[str, datetime] = field(default_factory=dict)
    troubled: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Head:
    """A row that may go now, the first of its lane."""

    id: int
    lane: str
    template: str
    person_id: int | None
    kind: Kind
    priority: int


def kind_of(row: OutboxRow | Head) -> Kind:
    """Home tabs are published; a row with `edits` edits; all others post."""
    return row.kind if isinstance(row, Head) else _kind_of(row.template, row.edits)


def _kind_of(template: str, edits: bool) -> Kind:
    if template == HOME:
        return Kind.HOME
    return Kind.EDIT if edits else Kind.POST


def look(conn: Connection, wanted: Wanted, *, now: datetime, real: datetime) -> list[Head]:
    """What a claim would take, most urgent first. Only reads. `now` is business time, `real` real time."""
    calls, kinds = wanted.calls, {kind: wanted.kinds.get(kind, wanted.calls) for kind in Kind}
    if calls.most <= 0:
        return []
    heads = _heads(conn, wanted, [_flag(calls, kinds[kind]) for kind in Kind], now, real)
    if not wanted.probing:
        heads.sort(key=lambda head: _turn(head, wanted))
    taken = []
    for head in heads:
        urgent = head.priority <= outbox.PRIORITY_ESCALATION
        troubled = head.lane in wanted.troubled
        if calls.lets(urgent, troubled) and kinds[head.kind].lets(urgent, troubled):
            taken.append(head)
            calls, kinds[head.kind] = calls.less(urgent), kinds[head.kind].less(urgent)
    return taken


def _turn(head: Head, wanted: Wanted) -> tuple[int, bool, datetime, int]:
    """By this, the first goes first."""
    served = wanted.served.get(head.lane, _NEVER)
    return (head.priority, head.lane in wanted.troubled, served, head.id)


def _heads(
    conn: Connection, wanted: Wanted, flags: Sequence[int], now: datetime, real: datetime
) -> list[Head]:
    """The first rows of lanes, more of them than may go when there are, so that there is a choice."""
    heads: dict[str, Head] = {}
    if wanted.paced_lanes and not _other_lanes(conn, wanted, heads):
        return []
    if not any(flags):
        return []
    query = _due_rows(wanted.probing, wanted.doubted, tuple(flags))
    given = {
        "now": now, "real": real, "paced": sorted(wanted.paced_lanes),
        "troubled": sorted(wanted.troubled),
    }  # fmt: skip
    last = (-1, 0)
    for turn in range(_PAGES):
        if turn and not _other_lanes(conn, wanted, heads):
            break
        priority, row_id = last
        page = query.fetch(
            conn, {**given, "taken": list(heads), "priority": priority, "row_id": row_id}
        )
        for id_, lane, template, person_id, edits, urgency in page:
            if lane not in heads:
                heads[lane] = Head(
                    id_, lane, template, person_id, _kind_of(template, edits), urgency
                )
        choice = sum(lane not in wanted.troubled for lane in heads)
        if len(page) < _PAGE or choice >= 4 * wanted.calls.most:
            break
        last = (page[-1][5], page[-1][0])
    return list(heads.values())


def _other_lanes(conn: Connection, wanted: Wanted, heads: Mapping[str, Head]) -> set[str]:
    """Lanes that may have another head: from lane to lane through the index, however many rows there are. Edits go to
    lanes, too, that must not get a post yet."""
    lanes = {lane for (lane,) in _LANES.fetch(conn, {})} - heads.keys()
    if lanes <= wanted.paced_lanes and _AN_EDIT.fetch(conn, {}):
        return lanes
    return lanes - wanted.paced_lanes


def has_expired(conn: Connection, real: datetime) -> bool:
    """Whether somebody's lease ran out."""
    return bool(_EXPIRED.fetch(conn, {"real": real}))


def take_turn(conn: Connection) -> None:
    """Wait until nobody else claims; then nobody will until the transaction ends. On SQLite the writer is alone."""
    if conn.dialect.name == "postgresql":
        _TAKE_TURN.fetch(conn, {})


def claim(
    conn: Connection,
    wanted: Wanted,
    *,
    now: datetime,
    real: datetime,
    worker: str,
    has_turn: bool = False,
) -> list[OutboxRow]:
    """Take what `look` finds, for `LEASE`. Touches outbox rows alone; concurrent claims share nothing. `has_turn`:
    `take_turn` was called in this transaction."""
    if not has_turn:
        take_turn(conn)
    if has_expired(conn, real):
        end_expired_leases(conn, real)
    ids = [head.id for head in look(conn, wanted, now=now, real=real)]
    if not ids:
        return []
    given = {"ids": ids, "worker": worker, "lease": real + LEASE, "real": real}
    return sorted(_CLAIM.all(conn, given), key=lambda row: (row.priority, row.id))


def _claiming(dialect: str, columns: Sequence[ColumnElement[Any]]) -> ClauseElement:
    """Those of them that nobody else holds: somebody who changes a row (joins an edit, folds) goes first."""
    chosen = and_(among(dialect, _outbox.c.id, "ids"), _outbox.c.state == "pending")
    if dialect == "postgresql":
        free = select(_outbox.c.id).where(chosen).with_for_update(skip_locked=True)
        chosen = and_(_outbox.c.id.in_(free), _outbox.c.state == "pending")
    instant = _outbox.c.lease_until.type
    return (
        _outbox.update()
        .where(chosen)
        .values(
            state="sending",
            claimed_by=bindparam("worker"),
            fence=_outbox.c.fence + 1,
            lease_until=bindparam("lease", type_=instant),
            attempts=_outbox.c.attempts + 1,
            first_try_at=func.coalesce(_outbox.c.first_try_at, bindparam("real", type_=instant)),
        )
        .returning(*columns)
    )


_CLAIM: Reading[OutboxRow] = Reading(OutboxRow, _outbox, _claiming)


def count_doubtful(conn: Connection, since: datetime | None = None) -> int:
    """Messages that may have been posted, and of which that is not known yet. `since` (real): without those that wait
    to be looked for since before then."""
    before = _outbox.c.doubt_since < since if since is not None else false()
    return int(
        conn.execute(
            select(func.count())
            .select_from(_outbox)
            .where(
                _outbox.c.way == outbox.SLACK,
                _outbox.c.state.in_(("pending", "sending", "doubt")),
                _outbox.c.doubts > 0,
                or_(_outbox.c.state != "doubt", ~before),
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
    """3: any row of the kind may go; 2: of lanes in trouble escalations alone; 1: escalations alone; 0: none."""
    if min(calls.most, quota.most) <= 0:
        return 0
    if min(calls.rest, quota.rest) <= 0:
        return 1
    return 2 if min(calls.troubled, quota.troubled) <= 0 else 3


@lru_cache(maxsize=64)
def _due_rows(probing: bool, doubted: bool, flags: tuple[int, ...]) -> Prepared:
    """Put together once. `flags`: of each kind, in the order of `Kind`."""
    columns = tuple(
        _outbox.c[c] for c in ("id", "lane", "template", "person_id", "edits", "priority")
    )

    def make(dialect: str) -> ClauseElement:
        return _due_query(dialect, columns, probing, doubted, flags)

    return Prepared(make, columns)


def _due_query(
    dialect: str,
    columns: Sequence[ColumnElement[Any]],
    probing: bool,
    doubted: bool,
    flags: tuple[int, ...],
) -> Select[Any]:
    home, free = _outbox.c.template == HOME, not_(among(dialect, _outbox.c.lane, "paced"))
    rows_of = {
        Kind.POST: and_(~_outbox.c.edits, ~home, free),
        Kind.EDIT: and_(_outbox.c.edits, ~home),
        Kind.HOME: and_(home, free),
    }
    urgent = _outbox.c.priority <= outbox.PRIORITY_ESCALATION
    troubled = among(dialect, _outbox.c.lane, "troubled")
    also = {1: urgent, 2: or_(urgent, not_(troubled)), 3: true()}
    open_now = [
        and_(rows_of[kind], also[flag]) for kind, flag in zip(Kind, flags, strict=True) if flag
    ]
    busy = select(_outbox.c.lane).where(_outbox.c.way == outbox.SLACK, _outbox.c.state == "sending")
    query = select(*columns).where(
        _outbox.c.way == outbox.SLACK,
        _outbox.c.state == "pending",
        _outbox.c.show_at <= bindparam("now", type_=_outbox.c.show_at.type),
        _outbox.c.not_before <= bindparam("real", type_=_outbox.c.not_before.type),
        _outbox.c.lane.not_in(busy),
        not_(among(dialect, _outbox.c.lane, "taken")),
        or_(*open_now),
    )
    if max(flags) == 1:  # then the index ends there, however much else waits
        query = query.where(urgent)
    if doubted:
        query = query.where(or_(_outbox.c.edits, _outbox.c.doubts > 0))
    if probing:
        query = query.order_by(case((troubled, 1), else_=0), _outbox.c.attempts)
    else:
        last = tuple_(bindparam("priority", type_=Integer), bindparam("row_id", type_=BigInteger))
        query = query.where(tuple_(_outbox.c.priority, _outbox.c.id) > last)
    return query.order_by(_outbox.c.priority, _outbox.c.id).limit(_PAGE)
