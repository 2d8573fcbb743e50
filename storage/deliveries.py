"""The outbox, sending side: settling what became of the rows that were claimed (`claims`).

A claim puts `fence + 1` on the row; every later write names that fence and the state that it was claimed in, so that
a worker that lost its lease changes nothing. What is not here: deciding what to send (`outbox`), folding many rows
into one list (`foldings`), taking up what is in doubt (`doubts`), talking to Slack, the rows for the webhook receiver
(`hooks`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Connection, and_, bindparam, func, select
from sqlalchemy.exc import IntegrityError

from storage import outbox
from storage.models import Outbox
from storage.prepared import Prepared
from storage.rows import as_row, table_of

_outbox = table_of(Outbox)

#: Long against a request (10 s, twice at most) and against clocks that differ (2 s).
LEASE = timedelta(seconds=60)
#: A reason that starts so: the message may have been posted although we were not told.
IN_DOUBT = "in doubt"
#: A post in doubt is looked for after this: twice the time that a call may take.
DOUBT_WAIT = timedelta(seconds=20)
HOME = "home"
#: Rows for the webhook receiver have a deliverer of their own.
_SLACK = _outbox.c.way == outbox.SLACK
_UNSETTLED = ("pending", "sending", "doubt")


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A row as stored. `show_at` is business time; `not_before`, `lease_until`, `first_try_at`, `doubt_since` and
    `recheck_at` are real time."""

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
    doubts: int
    doubt_since: datetime | None
    recheck_at: datetime | None


@dataclass(frozen=True, slots=True)
class Backlog:
    """How delivery is doing. `late`: due for longer than asked for. `doubt`: it may be posted, that is looked up."""

    pending: int
    late: int
    sending: int
    dead: int
    doubt: int = 0


def settle_sent(
    conn: Connection, row: OutboxRow, *, channel: str, ts: str, real: datetime,
    recheck_at: datetime | None = None,
) -> bool:  # fmt: skip
    """It was delivered. False, as with all of these: the lease was lost, nothing was written.

    `recheck_at`: an earlier send of it was in doubt, so two may stand there; looked up then (real).
    """
    return _settle(
        conn, row, state="sent", settled_at=real, slack_channel=channel, slack_ts=ts,
        recheck_at=recheck_at, lease_until=None, doubt_since=None,
    )  # fmt: skip


def settle_superseded(
    conn: Connection,
    row: OutboxRow,
    reason: str,
    *,
    real: datetime,
    recheck_at: datetime | None = None,
) -> bool:
    """Nothing had to be sent. `recheck_at`: as with `settle_sent`, one may stand there after all."""
    return _settle(
        conn, row, state="superseded", reason=reason[:200], settled_at=real,
        recheck_at=recheck_at, lease_until=None, doubt_since=None,
    )  # fmt: skip


def settle_dead(conn: Connection, row: OutboxRow, reason: str, *, real: datetime) -> bool:
    """It cannot be delivered, ever."""
    return _settle(conn, row, state="dead", reason=reason[:200], settled_at=real, doubt_since=None)


def settle_doubt(
    conn: Connection, row: OutboxRow, cause: str, *, not_before: datetime, real: datetime
) -> bool:
    """Slack may have it. From `not_before` (real) on it is looked for (`doubts`); nobody waits for it meanwhile."""
    return _settle(
        conn, row, state="doubt", reason=doubt(row.doubts + 1, cause)[:200], doubts=row.doubts + 1,
        doubt_since=row.doubt_since or real, not_before=not_before, claimed_by="",
        lease_until=None,
    )  # fmt: skip


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
                attempts=attempts, claimed_by="", lease_until=None, doubt_since=None,
            )  # fmt: skip
    except IntegrityError:
        return settle_superseded(conn, row, "a newer edit waits", real=real)


def read_backlog(conn: Connection, *, now: datetime, age: timedelta) -> Backlog:
    """Counts for health; `late` are rows that should have been shown `age` before `now` (business)."""
    counts = {
        row.state: int(row.many)
        for row in conn.execute(
            select(_outbox.c.state, func.count().label("many"))
            .where(_SLACK, _outbox.c.state.in_((*_UNSETTLED, "dead")))
            .group_by(_outbox.c.state)
        )
    }
    late = conn.execute(
        select(func.count())
        .select_from(_outbox)
        .where(_SLACK, _outbox.c.state.in_(_UNSETTLED), _outbox.c.show_at < now - age)
    ).scalar_one()
    return Backlog(
        pending=counts.get("pending", 0),
        late=int(late),
        sending=counts.get("sending", 0),
        dead=counts.get("dead", 0),
        doubt=counts.get("doubt", 0),
    )


def read_delivery(conn: Connection, row_id: int) -> OutboxRow | None:
    """A row, whatever its state."""
    row = conn.execute(select(_outbox).where(_outbox.c.id == row_id)).first()
    return as_row(OutboxRow, row) if row is not None else None


def is_expired(real: datetime | BindParameter[Any]) -> ColumnElement[bool]:
    """Rows for Slack whose claimer lost them."""
    return and_(_SLACK, _outbox.c.state == "sending", _outbox.c.lease_until < real)


def end_expired_leases(conn: Connection, real: datetime) -> None:
    """Nobody said what became of these. An edit is made again, since it shows the same twice; a post may stand there:
    it is looked for at once, because a lease is longer than any call."""
    _put_back(conn, is_expired(real), real, look_at=real)


def end_leases_of_the_dead(
    conn: Connection, *, real: datetime, wait: timedelta = DOUBT_WAIT
) -> int:
    """End every lease now; how many. Only for a worker that is certainly alone and has claimed nothing yet: then
    whoever claimed them was killed, and nobody needs to wait for the lease to run out. Posts are looked for after
    `wait`: what was on its way when the other was killed may still arrive."""
    return _put_back(conn, and_(_SLACK, _outbox.c.state == "sending"), real, look_at=real + wait)


def _put_back(
    conn: Connection, which: ColumnElement[bool], real: datetime, *, look_at: datetime
) -> int:
    found = conn.execute(select(_outbox).where(which).with_for_update(skip_locked=True)).all()
    for raw in found:
        row = as_row(OutboxRow, raw)
        if row.edits:
            settle_retry(conn, row, not_before=real, reason=row.reason, real=real)
        else:
            why = "nobody said what became of it"
            settle_doubt(conn, row, why, not_before=look_at, real=real)
    return len(found)


def doubt(times: int, cause: str) -> str:
    """The reason of a row that is in doubt: for the how manieth time, and why."""
    return f"{IN_DOUBT} {times}: {cause}"


def _settle(conn: Connection, row: OutboxRow, **values: Any) -> bool:
    given = {f"new_{name}": value for name, value in values.items()}
    fenced = {"row": row.id, "was": row.state, "held": row.fence}
    return _settling(tuple(values)).run(conn, {**given, **fenced}) == 1


@lru_cache(maxsize=64)
def _settling(names: tuple[str, ...]) -> Prepared:
    """Change these columns of a row that is as it was."""
    mine = and_(
        _outbox.c.id == bindparam("row"),
        _outbox.c.state == bindparam("was"),
        _outbox.c.fence == bindparam("held"),
    )
    new = {name: bindparam(f"new_{name}", type_=_outbox.c[name].type) for name in names}
    return Prepared(lambda _dialect: _outbox.update().where(mine).values(new))
