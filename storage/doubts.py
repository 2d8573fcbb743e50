"""Posts in doubt: taking them up, one conversation at a time, under a lease.

A post is in doubt when nobody can say whether Slack has it (`deliveries.settle_doubt`). One that was sent again after
a doubt is looked for once more at its `recheck_at`: two may stand there. Both kinds are taken up here, all of a lane
together, because one reading of its history answers for all of them. A claim puts `fence + 1` on each row, as in
`deliveries`. What is not here: reading Slack's history, what follows from it (`settle_doubts`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from storage import outbox
from storage.deliveries import OutboxRow
from storage.models import Outbox
from storage.rows import as_row, table_of

_outbox = table_of(Outbox)

#: Renewed before each page: long against one call, and against clocks that differ.
LEASE = timedelta(seconds=60)
#: Of one conversation in one reading; the others come with the next.
AT_MOST = 200

_SLACK = _outbox.c.way == outbox.SLACK
_DOUBTFUL = and_(_SLACK, _outbox.c.state == "doubt")
#: A post whose offer had gone meanwhile was not sent again; the first one may have arrived all the same.
#: Only posts to Slack have a `recheck_at`. The state is put so that no index is chosen for it: SQLite would read
#: through all that was ever sent, every second.
_SENT_AGAIN = and_(
    _outbox.c.recheck_at.is_not(None),
    _outbox.c.state.concat("").in_(("sent", "superseded")),
)


def has_work(conn: Connection, *, real: datetime) -> bool:
    """Whether something is to be looked up now: a cheap look that takes no write lock."""
    due = (_is_doubt_due(real), _is_recheck_due(real))
    return any(conn.execute(select(_outbox.c.id).where(d).limit(1)).first() for d in due)


def claim_lane(conn: Connection, *, real: datetime, worker: str) -> list[OutboxRow]:
    """Take up what is in doubt in one conversation, the most urgent first, for `LEASE`; nothing when nothing is due.

    Rows in doubt whose time has not come are taken along: the same reading may find them. Touches outbox rows alone;
    a lane that somebody else looks at is left to them.
    """
    looked_at = select(_outbox.c.lane).where(
        or_(_DOUBTFUL, _SENT_AGAIN), _outbox.c.lease_until >= real
    )
    head = (
        select(_outbox.c.lane)
        .where(
            or_(_is_doubt_due(real), _is_recheck_due(real)),
            _outbox.c.lane.not_in(looked_at),
        )
        .order_by(_outbox.c.priority, _outbox.c.id)
        .limit(1)
    )
    lane = conn.execute(head).scalar()
    if lane is None:
        return []
    ids = conn.execute(
        select(_outbox.c.id)
        .where(
            _outbox.c.lane == lane, _is_free(real), or_(_DOUBTFUL, _is_recheck_due(real))
        )
        .order_by(_outbox.c.priority, _outbox.c.id)
        .limit(AT_MOST)
        .with_for_update(skip_locked=True)
    ).scalars()  # fmt: skip
    taken = conn.execute(
        _outbox.update()
        .where(_outbox.c.id.in_(list(ids)))
        .values(claimed_by=worker, fence=_outbox.c.fence + 1, lease_until=real + LEASE)
        .returning(*_outbox.c)
    )
    return sorted((as_row(OutboxRow, row) for row in taken), key=lambda r: (r.priority, r.id))


def renew(conn: Connection, rows: Sequence[OutboxRow], *, real: datetime) -> None:
    """A reading takes long: keep the lease of those that are still ours."""
    for row in rows:
        _write(conn, row, lease_until=real + LEASE)


def put_off(conn: Connection, row: OutboxRow, until: datetime) -> bool:
    """Look again then (real). False, as with all of these: the lease was lost, nothing was written."""
    if row.state == "doubt":
        return _write(conn, row, not_before=max(until, row.not_before), lease_until=None)
    return _write(conn, row, recheck_at=until, lease_until=None)


def settle_kept(conn: Connection, row: OutboxRow, *, channel: str, ts: str) -> bool:
    """Of two, this one stays. The lease stays, too: the other is still to be removed."""
    return _write(conn, row, state="sent", slack_channel=channel, slack_ts=ts)


def settle_rechecked(conn: Connection, row: OutboxRow) -> bool:
    """Not more than one stands there. Nobody looks again."""
    return _write(conn, row, recheck_at=None, lease_until=None)


def _is_free(real: datetime) -> ColumnElement[bool]:
    return or_(_outbox.c.lease_until.is_(None), _outbox.c.lease_until < real)


def _is_doubt_due(real: datetime) -> ColumnElement[bool]:
    return and_(_DOUBTFUL, _outbox.c.not_before <= real, _is_free(real))


def _is_recheck_due(real: datetime) -> ColumnElement[bool]:
    return and_(_SENT_AGAIN, _outbox.c.recheck_at <= real, _is_free(real))


def _write(conn: Connection, row: OutboxRow, **values: Any) -> bool:
    done = conn.execute(
        _outbox.update()
        .where(_outbox.c.id == row.id, _outbox.c.state == row.state, _outbox.c.fence == row.fence)
        .values(**values)
    )
    return done.rowcount == 1
