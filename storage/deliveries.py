"""The outbox, sending side: claiming rows under a lease, and settling what became of them.

A claim puts `fence + 1` on the row; every later write says `AND state = 'sending' AND fence = :mine`, so that a
worker that lost its lease changes nothing. What is not here: deciding what to send (`outbox`), folding many rows
into one list (`foldings`), talking to Slack, the rows for the webhook receiver (`hooks`).

**Order.** A lane (one conversation) has at most one row in flight. Its next row is the first by (priority, id) of
those that are due: escalations before offers before edits before the rest, oldest first within each. A row that is
put off (backoff) does not hold up the rest of its lane: one message that Slack keeps choking on must not silence a
person. An edit may therefore come up before the post of its card; it is dropped then ("not posted yet"), since the
post shows the newest state when its turn comes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, true
from sqlalchemy.exc import IntegrityError

from storage import outbox
from storage.models import Outbox
from storage.rows import as_row, table_of

_outbox = table_of(Outbox)

#: Long against a request (10 s, twice at most) and against clocks that differ (2 s).
LEASE = timedelta(seconds=60)
#: A reason that starts so: the message may have been posted although we were not told.
IN_DOUBT = "in doubt"
HOME = "home"
#: Rows for the webhook receiver have a deliverer of their own.
_SLACK = _outbox.c.way == outbox.SLACK


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A row as stored. `show_at` is business time; `not_before`, `lease_until`, `first_try_at` are real time."""

    id: int
    dedupe_key: str
    template: str
    priority: int
    lane: str
    card_key: str
    edits: bool
    lead_id: int | None
    offer_id: str | None
    person_id: int | None
    clock_id: int | None
    data: dict[str, Any]
    state: str
    reason: str
    created_at: datetime
    show_at: datetime
    not_before: datetime
    attempts: int
    delivery_id: str
    claimed_by: str
    fence: int
    lease_until: datetime | None
    first_try_at: datetime | None
    settled_at: datetime | None
    slack_channel: str
    slack_ts: str


@dataclass(frozen=True, slots=True)
class Backlog:
    """How delivery is doing. `late`: due for longer than asked for."""

    pending: int
    late: int
    sending: int
    dead: int


def has_work(conn: Connection, *, now: datetime, real: datetime) -> bool:
    """Whether a claim could find something: a cheap look that takes no write lock."""
    due = select(_outbox.c.id).where(_is_due(now, real)).limit(1)
    stuck = select(_outbox.c.id).where(_is_expired(real)).limit(1)
    return any(conn.execute(query).first() is not None for query in (due, stuck))


def claim(
    conn: Connection,
    *,
    now: datetime,
    real: datetime,
    worker: str,
    limit: int,
    paced_lanes: Collection[str] = (),
    posts: bool = True,
    edits: bool = True,
    homes: bool = True,
    probing: bool = False,
) -> list[OutboxRow]:
    """Take up to `limit` due rows, one a lane, for `LEASE`. Most urgent first.

    `now` is business time, `real` real time. `paced_lanes`: no *posts* to these. `posts`, `edits`, `homes`: False
    while that method of Slack is paused. `probing`: least tried first, so that a row which never gets an answer does
    not take every chance to find out whether Slack is back. Touches outbox rows alone; concurrent claims share nothing.
    """
    _end_expired_leases(conn, real)
    wanted = [_outbox.c.id < 0]  # nothing
    if posts:
        free = _outbox.c.lane.not_in(list(paced_lanes)) if paced_lanes else true()
        wanted.append(and_(~_outbox.c.edits, _outbox.c.template != HOME, free))
    if edits:
        wanted.append(and_(_outbox.c.edits, _outbox.c.template != HOME))
    if homes:
        wanted.append(_outbox.c.template == HOME)
    busy = select(_outbox.c.lane).where(_SLACK, _outbox.c.state == "sending")
    names = ["attempts", "priority", "id"] if probing else ["priority", "id"]
    place = func.row_number().over(
        partition_by=_outbox.c.lane, order_by=[_outbox.c[name] for name in names]
    )
    heads = (
        select(_outbox.c.id, _outbox.c.attempts, _outbox.c.priority, place.label("place"))
        .where(_is_due(now, real), _outbox.c.lane.not_in(busy), or_(*wanted))
        .subquery()
    )
    first = (
        select(heads.c.id)
        .where(heads.c.place == 1)
        .order_by(*(heads.c[name] for name in names))
        .limit(limit)
    )
    ids = list(conn.execute(first).scalars())
    free_ids = _lock(conn, ids)
    try:
        with conn.begin_nested():
            rows = _take(conn, free_ids, worker, real)
    except IntegrityError:  # another worker took an earlier row of one of the lanes
        rows = _take_singly(conn, free_ids, worker, real)
    return sorted(rows, key=lambda row: (row.priority, row.id))


def settle_sent(conn: Connection, row: OutboxRow, *, channel: str, ts: str, real: datetime) -> bool:
    """It was delivered. False, as with all of these: the lease was lost, nothing was written."""
    return _settle(conn, row, state="sent", settled_at=real, slack_channel=channel, slack_ts=ts)


def settle_superseded(conn: Connection, row: OutboxRow, reason: str, *, real: datetime) -> bool:
    """Nothing had to be sent."""
    return _settle(conn, row, state="superseded", reason=reason[:200], settled_at=real)


def settle_dead(conn: Connection, row: OutboxRow, reason: str, *, real: datetime) -> bool:
    """It cannot be delivered, ever."""
    return _settle(conn, row, state="dead", reason=reason[:200], settled_at=real)


def settle_retry(
    conn: Connection, row: OutboxRow, *, not_before: datetime, reason: str, real: datetime,
    counts: bool = True,
) -> bool:  # fmt: skip
    """Try again at `not_before` (real). `counts` False: Slack was busy, this was no attempt.

    An edit gives way to a newer edit of the same card: there is at most one pending.
    """
    attempts = row.attempts if counts else row.attempts - 1
    try:
        with conn.begin_nested():
            return _settle(
                conn, row, state="pending", reason=reason[:200], not_before=not_before,
                attempts=attempts, claimed_by="", lease_until=None,
            )  # fmt: skip
    except IntegrityError:
        return settle_superseded(conn, row, "a newer edit waits", real=real)


def read_backlog(conn: Connection, *, now: datetime, age: timedelta) -> Backlog:
    """Counts for health; `late` are rows that should have been shown `age` before `now` (business)."""
    counts = {
        row.state: int(row.many)
        for row in conn.execute(
            select(_outbox.c.state, func.count().label("many"))
            .where(_SLACK, _outbox.c.state.in_(("pending", "sending", "dead")))
            .group_by(_outbox.c.state)
        )
    }
    late = conn.execute(
        select(func.count())
        .select_from(_outbox)
        .where(_SLACK, _outbox.c.state.in_(("pending", "sending")), _outbox.c.show_at < now - age)
    ).scalar_one()
    return Backlog(
        pending=counts.get("pending", 0),
        late=int(late),
        sending=counts.get("sending", 0),
        dead=counts.get("dead", 0),
    )


def read_delivery(conn: Connection, row_id: int) -> OutboxRow | None:
    """A row, whatever its state."""
    row = conn.execute(select(_outbox).where(_outbox.c.id == row_id)).first()
    return as_row(OutboxRow, row) if row is not None else None


def _is_due(now: datetime, real: datetime) -> ColumnElement[bool]:
    return and_(
        _SLACK,
        _outbox.c.state == "pending",
        _outbox.c.show_at <= now,
        _outbox.c.not_before <= real,
    )


def _is_expired(real: datetime) -> ColumnElement[bool]:
    return and_(_SLACK, _outbox.c.state == "sending", _outbox.c.lease_until < real)


def _end_expired_leases(conn: Connection, real: datetime) -> None:
    """Nobody said what became of these. They go back with their first try's time, marked as in doubt.

    Sent again: an edit shows the same twice, a message may stand there twice but is never lost.
    """
    _put_back(conn, _is_expired(real), real)


def end_leases_of_the_dead(conn: Connection, *, real: datetime) -> int:
    """End every lease now; how many. Only for a worker that is certainly alone and has claimed nothing yet: then
    whoever claimed them was killed, and nobody needs to wait for the lease to run out."""
    return _put_back(conn, and_(_SLACK, _outbox.c.state == "sending"), real)


def _put_back(conn: Connection, which: ColumnElement[bool], real: datetime) -> int:
    found = conn.execute(select(_outbox).where(which).with_for_update(skip_locked=True)).all()
    for raw in found:
        row = as_row(OutboxRow, raw)
        reason = row.reason if row.edits else doubt(row.reason, "nobody said what became of it")
        settle_retry(conn, row, not_before=real, reason=reason, real=real)
    return len(found)


def doubt(reason: str, cause: str) -> str:
    """The reason of a row that is in doubt once more: how often, and the last cause."""
    times = 1
    if reason.startswith(IN_DOUBT):
        counted = reason[len(IN_DOUBT) :].split(":")[0].strip()
        times = int(counted) + 1 if counted.isdigit() else 2
    return f"{IN_DOUBT} {times}: {cause}"


def _lock(conn: Connection, ids: Sequence[int]) -> list[int]:
    if not ids:
        return []
    rows = conn.execute(
        select(_outbox.c.id)
        .where(_outbox.c.id.in_(ids), _outbox.c.state == "pending")
        .with_for_update(skip_locked=True)
    )
    return list(rows.scalars())


def _take(conn: Connection, ids: Sequence[int], worker: str, real: datetime) -> list[OutboxRow]:
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
    return [as_row(OutboxRow, row) for row in rows]


def _take_singly(
    conn: Connection, ids: Sequence[int], worker: str, real: datetime
) -> list[OutboxRow]:
    rows: list[OutboxRow] = []
    for row_id in ids:
        try:
            with conn.begin_nested():
                rows += _take(conn, [row_id], worker, real)
        except IntegrityError:
            continue
    return rows


def _settle(conn: Connection, row: OutboxRow, **values: Any) -> bool:
    done = conn.execute(
        _outbox.update()
        .where(_outbox.c.id == row.id, _outbox.c.state == "sending", _outbox.c.fence == row.fence)
        .values(**values)
    )
    return done.rowcount == 1
