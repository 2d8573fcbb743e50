"""The outbox of the second way: escalations that Slack did not take for long, once each, by mail or a signed webhook.

A row of way `mail` names the row for Slack that it speaks for in its key, so each breach is told once; that row stays
where it is. A lane is one receiver: its oldest row is claimed, and all that wait with it go in the same mail. What is
not here: when a breach is told so, the words (`bot.services.tell_otherwise`), mail.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, String, and_, cast, func, literal, or_, select

from storage import outbox
from storage.deliveries import LEASE, OutboxRow
from storage.models import Outbox
from storage.rows import as_row, table_of

_outbox = table_of(Outbox)
_mail = table_of(Outbox).alias("mail")

WAY = "mail"
TEMPLATE = "breach_mail"
#: Breaches in one mail, and decided at a time.
AT_MOST = 100
#: After a mail to a receiver the next waits so long (real time), and holds all that came meanwhile.
DIGEST = timedelta(minutes=15)
_WAITS = ("pending", "sending", "doubt")

_MAIL = _outbox.c.way == WAY
_UNSEEN = or_(
    _outbox.c.state.in_(_WAITS), and_(_outbox.c.state == "folded", _outbox.c.settled_at.is_(None))
)


def key_of(row_id: int) -> str:
    """The key of the mail about a row for Slack."""
    return f"mail:{row_id}"


def list_untold(conn: Connection, *, before: datetime) -> list[OutboxRow]:
    """Escalations that should have been shown before `before` (business), were not, and are not told otherwise."""
    known = select(literal(1)).where(
        _mail.c.dedupe_key == literal("mail:").concat(cast(_outbox.c.id, String))
    )
    rows = conn.execute(
        select(_outbox)
        .where(
            _outbox.c.way == outbox.SLACK, _UNSEEN, ~_outbox.c.edits,
            _outbox.c.priority == outbox.PRIORITY_ESCALATION, _outbox.c.template == "escalation",
            _outbox.c.show_at < before, ~known.exists(),
        )
        .order_by(_outbox.c.id)
        .limit(AT_MOST)
    )  # fmt: skip
    return [as_row(OutboxRow, row) for row in rows]


def enqueue(conn: Connection, row: OutboxRow, *, now: datetime, real: datetime) -> bool:
    """Decide that the breach of this row be told otherwise; False when it was decided before."""
    return outbox.enqueue_post(
        conn, template=TEMPLATE, card_key=key_of(row.id), lane=f"mail:{row.lane}", way=WAY,
        priority=outbox.PRIORITY_ESCALATION, now=now, real=real, lead_id=row.lead_id,
        offer_id=row.offer_id, person_id=row.person_id, clock_id=row.clock_id,
        data={"row": row.id},
    )  # fmt: skip


def has_work(conn: Connection, *, real: datetime) -> bool:
    """Whether a claim could find something: a cheap look that takes no write lock."""
    return conn.execute(select(_outbox.c.id).where(_is_due(real)).limit(1)).first() is not None


def claim(conn: Connection, *, real: datetime, worker: str) -> list[OutboxRow]:
    """The oldest row of a receiver, under a lease (`sending`), and those that go with it (`pending`)."""
    head = conn.execute(
        select(_outbox)
        .where(_is_due(real))
        .order_by(_outbox.c.priority, _outbox.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).first()
    if head is None:
        return []
    # One that was left in flight holds its lane: it is sent again, under the same key.
    taken = conn.execute(
        _outbox.update()
        .where(_outbox.c.id == head.id)
        .values(
            state="sending", claimed_by=worker, fence=_outbox.c.fence + 1,
            lease_until=real + LEASE, attempts=_outbox.c.attempts + 1,
            first_try_at=func.coalesce(_outbox.c.first_try_at, real),
        )
        .returning(*_outbox.c)
    ).one()  # fmt: skip
    others = conn.execute(
        select(_outbox)
        .where(_MAIL, _outbox.c.state == "pending", _outbox.c.lane == head.lane)
        .order_by(_outbox.c.id)
        .limit(AT_MOST - 1)
    )
    return [as_row(OutboxRow, row) for row in (taken, *others)]


def is_unseen(conn: Connection, row_id: int) -> bool:
    """Whether a row for Slack was not delivered yet, and is still wanted."""
    query = select(_outbox.c.id).where(_outbox.c.id == row_id, _UNSEEN)
    return conn.execute(query).first() is not None


def settle(
    conn: Connection, head: OutboxRow, rows: Sequence[OutboxRow], state: str, reason: str,
    *, real: datetime,
) -> bool:  # fmt: skip
    """What became of rows that went together, under the fence of the claimed one. False: the lease was lost."""
    if not _holds(conn, head):
        return False
    _end(conn, rows, state, reason, real)
    return True


def drop(conn: Connection, rows: Sequence[OutboxRow], reason: str, *, real: datetime) -> None:
    """These, of a receiver whose fence is held, need not be told any more."""
    _end(conn, rows, "superseded", reason, real)


def put_off(
    conn: Connection, head: OutboxRow, reason: str, *, real: datetime, wait: timedelta
) -> bool:
    """Try again later: the claimed one; the others still wait."""
    done = conn.execute(
        _outbox.update()
        .where(*_held(head))
        .values(
            state="pending", reason=reason[:200], not_before=real + wait, claimed_by="",
            lease_until=None,
        )
    )  # fmt: skip
    return done.rowcount == 1


def _end(
    conn: Connection, rows: Sequence[OutboxRow], state: str, reason: str, real: datetime
) -> None:
    conn.execute(
        _outbox.update()
        .where(_outbox.c.id.in_([row.id for row in rows]), _outbox.c.state.in_(_WAITS))
        .values(state=state, reason=reason[:200], settled_at=real, lease_until=None)
    )


def _holds(conn: Connection, head: OutboxRow) -> bool:
    query = select(_outbox.c.id).where(*_held(head)).with_for_update()
    return conn.execute(query).first() is not None


def _held(head: OutboxRow) -> list[Any]:
    return [_outbox.c.id == head.id, _outbox.c.state == "sending", _outbox.c.fence == head.fence]


def _is_due(real: datetime) -> Any:
    """One in flight, one that waits for its next try, and one that was sent lately hold back all others of the lane."""
    holding = (
        select(literal(1))
        .where(
            _mail.c.way == WAY, _mail.c.lane == _outbox.c.lane, _mail.c.id != _outbox.c.id,
            or_(
                _mail.c.state == "sending",
                and_(_mail.c.state == "pending", _mail.c.not_before > real),
                and_(_mail.c.state == "sent", _mail.c.settled_at > real - DIGEST),
            ),
        )
        .exists()
    )  # fmt: skip
    return and_(
        _MAIL,
        or_(
            and_(_outbox.c.state == "pending", _outbox.c.not_before <= real, ~holding),
            and_(_outbox.c.state == "sending", _outbox.c.lease_until < real),
        ),
    )
