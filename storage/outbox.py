"""The outbox, writing side: what is decided and still to be delivered. `deliveries` claims and settles.

A row says what (template, lead, offer, person, clock), never the rendered text. `dedupe_key` is unique: a post
happens once. Edits coalesce: at most one pending edit per card (partial unique index).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, func, select

from storage.models import Cards, Outbox
from storage.rows import insert_if_new, table_of

_outbox = table_of(Outbox)
_cards = table_of(Cards)

#: Lower goes first.
PRIORITY_ESCALATION = 1
PRIORITY_OFFER = 2
PRIORITY_EDIT = 3
PRIORITY_REST = 4

#: Ways out; each has its own deliverer.
SLACK = "slack"
HOOK = "hook"

#: Cards that name many leads (see `foldings`), and for how long they are kept up to date.
LISTS = ("offers_list", "released_list", "breach_list", "reminders_list")
LIST_AGE = timedelta(days=1)


def enqueue_post(
    conn: Connection,
    *,
    template: str,
    card_key: str,
    lane: str,
    priority: int,
    now: datetime,
    real: datetime,
    show_at: datetime | None = None,
    lead_id: int | None = None,
    offer_id: str | None = None,
    person_id: int | None = None,
    clock_id: int | None = None,
    data: Mapping[str, Any] | None = None,
    way: str = SLACK,
) -> bool:
    """Decide that a message be posted once; False when it was decided before. `show_at`: not earlier (business)."""
    return insert_if_new(
        conn,
        _outbox,
        dedupe_key=card_key,
        template=template,
        priority=priority,
        lane=lane,
        card_key=card_key,
        edits=False,
        lead_id=lead_id,
        offer_id=offer_id,
        person_id=person_id,
        clock_id=clock_id,
        data=dict(data or {}),
        state="pending",
        created_at=now,
        show_at=show_at or now,
        not_before=real,
        delivery_id=str(uuid.uuid4()),
        way=way,
    )


def _is_joined(conn: Connection, card_key: str) -> bool:
    """Whether an edit of this card still waits. Locked until our transaction ends: were it claimed and rendered
    before we commit, it would show the state before ours (PostgreSQL; claims skip locked rows)."""
    waiting = select(_outbox.c.id).where(
        _outbox.c.card_key == card_key, _outbox.c.state == "pending", _outbox.c.edits
    )
    return conn.execute(waiting.with_for_update()).first() is not None


def enqueue_edit(
    conn: Connection,
    *,
    template: str,
    card_key: str,
    lane: str,
    now: datetime,
    real: datetime,
    lead_id: int | None = None,
    offer_id: str | None = None,
    person_id: int | None = None,
    clock_id: int | None = None,
    data: Mapping[str, Any] | None = None,
    priority: int = PRIORITY_EDIT,
) -> bool:
    """Decide that a posted card be brought up to date; joins an edit that is still pending."""
    delivery_id = str(uuid.uuid4())
    insert_edit = partial(
        insert_if_new,
        conn,
        _outbox,
        dedupe_key=f"edit:{delivery_id}",
        template=template,
        priority=priority,
        lane=lane,
        card_key=card_key,
        edits=True,
        lead_id=lead_id,
        offer_id=offer_id,
        person_id=person_id,
        clock_id=clock_id,
        data=dict(data or {}),
        state="pending",
        created_at=now,
        show_at=now,
        not_before=real,
        delivery_id=delivery_id,
    )
    while not insert_edit():
        if _is_joined(conn, card_key):
            return False
        # else it was claimed in between: it may show an older state, so another one is needed
    return True


def enqueue_card_edits(conn: Connection, lead_id: int, *, now: datetime, real: datetime) -> int:
    """Decide that every card of a lead that is not closed be brought up to date. How many were added.

    Cards that are being posted right now count too: their row is in flight with an older state.
    """
    # First the posts under way, locked, then the cards: one that is posted meanwhile is found as a card.
    in_flight = _posts_under_way(conn, _outbox.c.lead_id == lead_id)
    posted = conn.execute(
        select(
            _cards.c.template, _cards.c.card_key, _cards.c.offer_id, _cards.c.person_id,
            _cards.c.clock_id, _cards.c.data, _cards.c.slack_channel,
        ).where(_cards.c.lead_id == lead_id, _cards.c.closed.is_(False))
    ).all()  # fmt: skip
    added = 0
    for row in (*posted, *in_flight):
        lane = row.lane if "lane" in row._mapping else lane_of(row.person_id, row.slack_channel)
        added += enqueue_edit(
            conn,
            template=row.template,
            card_key=row.card_key,
            lane=lane,
            now=now,
            real=real,
            lead_id=lead_id,
            offer_id=row.offer_id,
            person_id=row.person_id,
            clock_id=row.clock_id,
            data=row.data,
        )
    return added


def enqueue_list_edits(
    conn: Connection, person_ids: Iterable[int], *, now: datetime, real: datetime
) -> int:
    """Decide that the lists of these people that are younger than a day be brought up to date: a lead on them may
    have changed. An unchanged list costs no call. How many edits were added."""
    people = sorted(set(person_ids))
    if not people:
        return 0
    in_flight = _posts_under_way(
        conn, and_(_outbox.c.person_id.in_(people), _outbox.c.template.in_(LISTS))
    )
    lists = {row.card_key: (row.template, row.person_id, row.lane) for row in in_flight}
    posted = conn.execute(
        select(_cards.c.card_key, _cards.c.template, _cards.c.person_id).where(
            _cards.c.person_id.in_(people),
            _cards.c.template.in_(LISTS),
            _cards.c.posted_at > now - LIST_AGE,
            _cards.c.closed.is_(False),
        )
    )
    lists |= {row.card_key: (row.template, row.person_id, lane_of(row.person_id)) for row in posted}
    return sum(
        enqueue_edit(
            conn,
            template=template,
            card_key=key,
            lane=lane,
            person_id=person_id,
            now=now,
            real=real,
        )
        for key, (template, person_id, lane) in sorted(lists.items())
    )


def _posts_under_way(conn: Connection, where: ColumnElement[bool]) -> list[Row[Any]]:
    """Posts that are being sent, maybe with an older state. Pending ones are locked until our transaction ends, so
    that none of them is claimed and rendered before our change can be seen (PostgreSQL)."""
    rows = conn.execute(
        select(_outbox)
        .where(
            where,
            _outbox.c.way == SLACK,
            _outbox.c.state.in_(("pending", "sending")),
            ~_outbox.c.edits,
        )
        .order_by(_outbox.c.id)
        .with_for_update()
    ).all()
    return [row for row in rows if row.state == "sending"]


def lane_of(person_id: int | None, channel: str = "") -> str:
    """The lane of a conversation: a person's DM, else a channel."""
    return f"dm:{person_id}" if person_id is not None else f"ch:{channel}"


def hold_back(conn: Connection, card_key: str, reason: str) -> bool:
    """A message that is still pending is no longer wanted. True when there was one."""
    result = conn.execute(
        _outbox.update()
        .where(_outbox.c.card_key == card_key, _outbox.c.state == "pending", ~_outbox.c.edits)
        .values(state="superseded", reason=reason)
    )
    return result.rowcount > 0


def is_known(conn: Connection, card_key: str) -> bool:
    """Whether a post with this key was ever decided."""
    return (
        conn.execute(select(_outbox.c.id).where(_outbox.c.dedupe_key == card_key)).first()
        is not None
    )


def next_shown_at(conn: Connection, after: datetime) -> datetime | None:
    """When the next message that waits for an opening may be shown (business time)."""
    return conn.execute(
        select(func.min(_outbox.c.show_at)).where(
            _outbox.c.way == SLACK, _outbox.c.state == "pending", _outbox.c.show_at > after
        )
    ).scalar_one_or_none()


def count_due(conn: Connection, now: datetime) -> int:
    """Messages to Slack that may be shown and are not settled yet."""
    return int(
        conn.execute(
            select(func.count())
            .select_from(_outbox)
            .where(
                _outbox.c.way == SLACK,
                _outbox.c.state.in_(("pending", "sending")),
                _outbox.c.show_at <= now,
            )
        ).scalar_one()
    )


def came_to_nothing(conn: Connection, card_key: str) -> bool:
    """Whether a decided post was dropped before it reached anybody: superseded or dead, and no card stands."""
    state = conn.execute(
        select(_outbox.c.state).where(_outbox.c.dedupe_key == card_key)
    ).scalar_one_or_none()
    if state not in ("superseded", "dead"):
        return False
    return conn.execute(select(_cards.c.id).where(_cards.c.card_key == card_key)).first() is None


def is_under_way(conn: Connection, card_key: str) -> bool:
    """Whether a decided post has not reached Slack yet: it waits, is being sent, or stands in a list that waits."""
    state = conn.execute(
        select(_outbox.c.state).where(_outbox.c.dedupe_key == card_key)
    ).scalar_one_or_none()
    return state in ("pending", "sending", "folded")
