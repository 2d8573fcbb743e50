"""The outbox of the webhook receiver: claims in strict order, settling, and how the receiver behaves.

As with Slack's rows (`deliveries`) a claim puts `fence + 1` on the row, and every later write names it. What is
different is the order: a lane is one lead, and only its oldest row that is not settled may go. A row that waits for its
retry holds back all later ones of its lead, and no other lead. All instants are real time. What is not here: which
change becomes a row (`bot.services.tell_crm`), when to try again (`bot.services.hook_rules`), HTTP.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, exists, func, literal_column, select

from storage.deliveries import OutboxRow
from storage.models import Outbox
from storage.models_intake import Receivers
from storage.outbox import HOOK
from storage.rows import as_row, insert_if_new, table_of

_outbox = table_of(Outbox)
_earlier = table_of(Outbox).alias("earlier")
_receivers = table_of(Receivers)

#: Long against one call (15 s) and against clocks that differ (2 s).
LEASE = timedelta(seconds=60)
#: While all is well, the last success is noted this often: not a write for each delivery.
NOTE_OK_EVERY = timedelta(seconds=60)

_HOOK = _outbox.c.way == HOOK
_PENDING = and_(_HOOK, _outbox.c.state == "pending")
#: Written out, as the index of lanes has it: with parameters in their place SQLite does not see that it fits, and looks
#: at every earlier row instead (18,000 rows: 9 s a look).
_UNSETTLED: tuple[ColumnElement[str], ...] = (
    literal_column("'pending'"),
    literal_column("'sending'"),
)
_EXPIRED = "nobody said what became of it"


@dataclass(frozen=True, slots=True)
class ReceiverRow:
    """How one address behaves. `failures`: in a row; `failing_since`: the first of them."""

    id: int
    url_sha256: str
    failing_since: datetime | None
    failures: int
    last_failure: str
    last_ok_at: datetime | None
    disabled_at: datetime | None


@dataclass(frozen=True, slots=True)
class HookBacklog:
    """What waits for the receiver, what was given up. `oldest`: business time."""

    waiting: int
    dead: int
    oldest: datetime | None


# ---------------------------------------------------------------- rows


def has_work(conn: Connection, *, real: datetime) -> bool:
    """Whether a claim could find something: a cheap look that takes no write lock."""
    due = select(_outbox.c.id).where(_is_next(real)).limit(1)
    stuck = select(_outbox.c.id).where(_is_expired(real)).limit(1)
    return any(conn.execute(query).first() is not None for query in (due, stuck))


def claim(
    conn: Connection, *, real: datetime, worker: str, limit: int, probing: bool = False
) -> list[OutboxRow]:
    """Take up to `limit` rows that are next in their lane and due, for `LEASE`; oldest first.

    `probing`: least tried first, so that one row which the receiver never takes does not use up every chance to find
    out whether it is back. Touches outbox rows alone; concurrent claims share nothing.
    """
    _put_back(conn, _is_expired(real), real)
    # All have one priority: by it and the id, they come out of the index in order.
    order = ["attempts", "id"] if probing else ["priority", "id"]
    ids = list(
        conn.execute(
            select(_outbox.c.id)
            .where(_is_next(real))
            .order_by(*(_outbox.c[name] for name in order))
            .limit(limit)
            .with_for_update(skip_locked=True, of=_outbox)
        ).scalars()
    )
    if not ids:
        return []
    taken = conn.execute(
        _outbox.update()
        .where(_outbox.c.id.in_(ids), _PENDING)
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
    return sorted((as_row(OutboxRow, row) for row in taken), key=lambda row: row.id)


def settle_sent(conn: Connection, row: OutboxRow, *, real: datetime) -> bool:
    """The receiver took it. False, as with all of these: the lease was lost, nothing was written."""
    return _settle(conn, row, state="sent", reason="", settled_at=real)


def settle_retry(
    conn: Connection, row: OutboxRow, *, not_before: datetime, reason: str, counts: bool = True
) -> bool:
    """Try again at `not_before`. `counts` False: it was not sent, this was no attempt."""
    values: dict[str, Any] = {"state": "pending", "reason": reason[:200], "not_before": not_before}
    if not counts:
        values["attempts"] = row.attempts - 1
        if values["attempts"] == 0:  # its three days begin with the first call
            values["first_try_at"] = None
    return _settle(conn, row, claimed_by="", lease_until=None, **values)


def settle_dead(conn: Connection, row: OutboxRow, reason: str, *, real: datetime) -> bool:
    """It is given up; the next of its lead may go."""
    return _settle(conn, row, state="dead", reason=reason[:200], settled_at=real)


def settle_superseded(conn: Connection, row: OutboxRow, reason: str, *, real: datetime) -> bool:
    """Nothing has to be told any more."""
    return _settle(conn, row, state="superseded", reason=reason[:200], settled_at=real)


def end_leases_of_the_dead(conn: Connection, *, real: datetime) -> int:
    """End every lease now; how many. Only for a worker that is certainly alone and has claimed nothing yet."""
    return _put_back(conn, and_(_HOOK, _outbox.c.state == "sending"), real)


def hasten(conn: Connection, *, real: datetime) -> int:
    """The receiver is back: what waits for a retry need not wait any longer. How many rows."""
    late = (
        select(_outbox.c.id)
        .where(_PENDING, _outbox.c.not_before > real)
        .with_for_update(skip_locked=True)
    )
    ids = list(conn.execute(late).scalars())
    if ids:
        conn.execute(_outbox.update().where(_outbox.c.id.in_(ids)).values(not_before=real))
    return len(ids)


def start_anew(conn: Connection, *, real: datetime) -> int:
    """What waited while the receiver was disabled is due now, with all its days before it. How many rows."""
    done = conn.execute(
        _outbox.update().where(_PENDING).values(attempts=0, first_try_at=None, not_before=real)
    )
    return done.rowcount


def drop_waiting(conn: Connection, reason: str, *, real: datetime) -> int:
    """What waits is not to be told any more. How many rows."""
    done = conn.execute(
        _outbox.update()
        .where(_PENDING)
        .values(state="superseded", reason=reason[:200], settled_at=real)
    )
    return done.rowcount


def count_tried(conn: Connection) -> int:
    """Leads whose next row failed at least once and waits."""
    return int(
        conn.execute(
            select(func.count()).select_from(_outbox).where(_PENDING, _outbox.c.attempts > 0)
        ).scalar_one()
    )


def read_backlog(conn: Connection) -> HookBacklog:
    """What waits and what was given up."""
    row = conn.execute(
        select(
            func.count().label("waiting"),
            func.min(_outbox.c.created_at).label("oldest"),
        ).where(_HOOK, _outbox.c.state.in_(("pending", "sending")))
    ).one()
    dead = conn.execute(
        select(func.count()).select_from(_outbox).where(_HOOK, _outbox.c.state == "dead")
    ).scalar_one()
    return HookBacklog(int(row.waiting), int(dead), row.oldest)


# ---------------------------------------------------------------- the receiver


def read_receiver(conn: Connection, url_sha256: str) -> ReceiverRow | None:
    """How the receiver at this address behaves; None: it was never tried."""
    row = conn.execute(
        select(_receivers).where(_receivers.c.url_sha256 == url_sha256)
    ).one_or_none()
    return as_row(ReceiverRow, row) if row is not None else None


def note_ok(conn: Connection, url_sha256: str, *, real: datetime) -> int:
    """It took something. How many failures in a row this ended."""
    known = read_receiver(conn, url_sha256)
    if known is None:
        _insert(conn, url_sha256)
    elif (
        not known.failures
        and known.last_ok_at is not None
        and timedelta(0) <= real - known.last_ok_at < NOTE_OK_EVERY
    ):
        return 0
    _save(conn, url_sha256, failures=0, failing_since=None, last_ok_at=real)
    return known.failures if known is not None else 0


def note_failure(conn: Connection, url_sha256: str, why: str, *, real: datetime) -> ReceiverRow:
    """It took nothing. The row as it is now."""
    _insert(conn, url_sha256)
    row = conn.execute(
        _receivers.update()
        .where(_receivers.c.url_sha256 == url_sha256)
        .values(
            failures=_receivers.c.failures + 1,
            failing_since=func.coalesce(_receivers.c.failing_since, real),
            last_failure=why[:200],
        )
        .returning(*_receivers.c)
    ).one()
    return as_row(ReceiverRow, row)


def disable(conn: Connection, url_sha256: str, *, real: datetime) -> bool:
    """Send it nothing more. True for the one call that did it."""
    done = conn.execute(
        _receivers.update()
        .where(_receivers.c.url_sha256 == url_sha256, _receivers.c.disabled_at.is_(None))
        .values(disabled_at=real)
    )
    return done.rowcount == 1


def enable(conn: Connection, url_sha256: str) -> bool:
    """Send to it again. True when it was disabled."""
    known = read_receiver(conn, url_sha256)
    if known is None or known.disabled_at is None:
        return False
    _save(conn, url_sha256, disabled_at=None, failing_since=None, failures=0)
    return True


# ---------------------------------------------------------------- helpers


def _is_next(real: datetime) -> ColumnElement[bool]:
    """Pending and due, and nothing of its lead before it that is not settled."""
    before = exists().where(
        _earlier.c.lane == _outbox.c.lane,
        _earlier.c.id < _outbox.c.id,
        _earlier.c.state.in_(_UNSETTLED),
    )
    return and_(_PENDING, _outbox.c.not_before <= real, ~before)


def _is_expired(real: datetime) -> ColumnElement[bool]:
    return and_(_HOOK, _outbox.c.state == "sending", _outbox.c.lease_until < real)


def _put_back(conn: Connection, which: ColumnElement[bool], real: datetime) -> int:
    """Maybe the receiver has it, maybe not: it goes again under the same id."""
    found = conn.execute(select(_outbox).where(which).with_for_update(skip_locked=True)).all()
    for raw in found:
        settle_retry(conn, as_row(OutboxRow, raw), not_before=real, reason=_EXPIRED)
    return len(found)


def _settle(conn: Connection, row: OutboxRow, **values: Any) -> bool:
    done = conn.execute(
        _outbox.update()
        .where(_outbox.c.id == row.id, _outbox.c.state == "sending", _outbox.c.fence == row.fence)
        .values(**values)
    )
    return done.rowcount == 1


def _insert(conn: Connection, url_sha256: str) -> None:
    insert_if_new(conn, _receivers, url_sha256=url_sha256, failures=0, last_failure="")


def _save(conn: Connection, url_sha256: str, **values: Any) -> None:
    conn.execute(_receivers.update().where(_receivers.c.url_sha256 == url_sha256).values(**values))
