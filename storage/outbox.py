"""The outbox, writing side: what is decided and still to be delivered. `deliveries` claims and settles.

A row says what (template, lead, offer, person, clock), never the rendered text. `dedupe_key` is unique: a post
happens once. Edits coalesce: at most one pending edit per card (partial unique index).
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import (
    Connection,
    func,
    select,
    text,
)  # fmt: skip
from sqlalchemy.sql.elements import ClauseElement

from storage.models import Cards, Outbox
from storage.prepared import Prepared, among
from storage.rows import (
    blank_of,
    insert_all_new,
    insert_each_new,
    insert_if_new,
    is_among,
    table_of,
)

_outbox = table_of(Outbox)
_cards = table_of(Cards)
#: A row that was just decided on, but for what makes it this one.
_BLANK = blank_of(_outbox)

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


@dataclass(frozen=True, slots=True)
class Post:
    """A message that is to be posted once. `show_at`: not earlier (business)."""

    template: str
    card_key: str
    lane: str
    priority: int
    show_at: datetime | None = None
    lead_id: int | None = None
    offer_id: str | None = None
    person_id: int | None = None
    clock_id: int | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    way: str = SLACK


@dataclass(frozen=True, slots=True)
class Edit:
    """A posted card that is to be brought up to date."""

    template: str
    card_key: str
    lane: str
    lead_id: int | None = None
    offer_id: str | None = None
    person_id: int | None = None
    clock_id: int | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    priority: int = PRIORITY_EDIT


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
    post = Post(
        template, card_key, lane, priority, show_at, lead_id, offer_id, person_id, clock_id,
        data or {}, way,
    )  # fmt: skip
    return insert_if_new(conn, _outbox, **_post_row(post, now, real))


def enqueue_posts(
    conn: Connection, posts: Sequence[Post], *, now: datetime, real: datetime
) -> list[bool]:
    """`enqueue_post` for many, each about a lead that is locked: what it would have answered for each."""
    return insert_each_new(
        conn, _outbox, _outbox.c.dedupe_key, [_post_row(post, now, real) for post in posts]
    )


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
    edit = Edit(
        template, card_key, lane, lead_id, offer_id, person_id, clock_id, data or {}, priority
    )
    return enqueue_edits(conn, [edit], now=now, real=real) == 1


def enqueue_edits(conn: Connection, edits: Iterable[Edit], *, now: datetime, real: datetime) -> int:
    """The same for many cards, always in the same order: two who wait for each other's would wait for ever. How many
    were added."""
    left = {edit.card_key: edit for edit in sorted(edits, key=lambda each: each.card_key)}
    hurried = any(edit.priority < PRIORITY_EDIT for edit in left.values())
    # On SQLite nobody else writes meanwhile: what is there already waits.
    if conn.dialect.name == "sqlite" and not hurried:
        return insert_all_new(conn, _outbox, [_edit_row(edit, now, real) for edit in left.values()])
    added = 0
    while left:
        rows = [_edit_row(edit, now, real) for edit in left.values()]
        fresh = insert_each_new(conn, _outbox, _outbox.c.dedupe_key, rows)
        added += sum(fresh)
        left = {key: edit for (key, edit), new in zip(left.items(), fresh, strict=True) if not new}
        joined = _joined(conn, list(left), hurried)
        _hurry(conn, [left[key] for key in joined])
        for key in joined:
            del left[key]
        # What is left was claimed in between: it may show an older state, so another one is needed.
    return added


def _joined(conn: Connection, card_keys: Sequence[str], hurried: bool) -> set[str]:
    """The cards of which an edit still waits. Locked until our transaction ends: were it claimed and rendered before
    we commit, it would show the state before ours (PostgreSQL; claims skip locked rows)."""
    if not card_keys:
        return set()
    waiting = _WAITING_HURRIED if hurried else _WAITING
    return {key for (key,) in waiting.fetch(conn, {"keys": list(card_keys)})}


def _hurry(conn: Connection, edits: Collection[Edit]) -> None:
    """What waits goes as early as what joined it: an offer that only a list will show must not stand behind a
    thousand redrawings."""
    for edit in edits:
        if edit.priority < PRIORITY_EDIT:
            conn.execute(
                _outbox.update()
                .where(
                    _outbox.c.way == SLACK,  # else no index fits
                    _outbox.c.card_key == edit.card_key,
                    _outbox.c.state == "pending",
                    _outbox.c.edits,
                    _outbox.c.priority > edit.priority,
                )
                .values(priority=edit.priority)
            )


def _post_row(post: Post, now: datetime, real: datetime) -> dict[str, Any]:
    return {
        **_BLANK,
        "dedupe_key": post.card_key,
        "template": post.template,
        "priority": post.priority,
        "lane": post.lane,
        "card_key": post.card_key,
        "edits": False,
        "lead_id": post.lead_id,
        "offer_id": post.offer_id,
        "person_id": post.person_id,
        "clock_id": post.clock_id,
        "data": dict(post.data),
        "created_at": now,
        "show_at": post.show_at or now,
        "not_before": real,
        "delivery_id": str(uuid.uuid4()),
        "way": post.way,
    }


def _edit_row(edit: Edit, now: datetime, real: datetime) -> dict[str, Any]:
    delivery_id = str(uuid.uuid4())
    return {
        **_BLANK,
        "dedupe_key": f"edit:{delivery_id}",
        "template": edit.template,
        "priority": edit.priority,
        "lane": edit.lane,
        "card_key": edit.card_key,
        "edits": True,
        "lead_id": edit.lead_id,
        "offer_id": edit.offer_id,
        "person_id": edit.person_id,
        "clock_id": edit.clock_id,
        "data": dict(edit.data),
        "created_at": now,
        "show_at": now,
        "not_before": real,
        "delivery_id": delivery_id,
    }


def _edits_that_wait(dialect: str, *, shared: bool) -> ClauseElement:
    """Edits of these cards that nobody claimed yet. A shared lock keeps claims away, but not others who join them."""
    return (
        select(_outbox.c.card_key)
        .where(
            among(dialect, _outbox.c.card_key, "keys"),
            # Written out, as the index has it: with parameters neither database sees that it fits.
            text("outbox.state = 'pending' AND outbox.edits"),
        )
        .order_by(_outbox.c.id)
        .with_for_update(read=shared)
    )


_WAITING, _WAITING_HURRIED = (
    Prepared(partial(_edits_that_wait, shared=shared), (_outbox.c.card_key,))
    for shared in (True, False)
)


def lane_of(person_id: int | None, channel: str = "") -> str:
    """The lane of a conversation: a person's DM, else a channel."""
    return f"dm:{person_id}" if person_id is not None else f"ch:{channel}"


def hold_back(conn: Connection, card_keys: Sequence[str], reason: str) -> int:
    """Messages that are still pending are no longer wanted; how many there were."""
    return conn.execute(
        _outbox.update()
        .where(
            is_among(conn, _outbox.c.card_key, card_keys),
            is_among(conn, _outbox.c.dedupe_key, card_keys),  # a post's key, and that is indexed
            _outbox.c.state == "pending",
            ~_outbox.c.edits,
        )
        .values(state="superseded", reason=reason)
    ).rowcount


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
                _outbox.c.state.in_(("pending", "sending", "doubt")),
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
    """Whether nobody can say yet that a decided post reached Slack: it waits, is being sent or looked for, or stands
    in a list that waits."""
    state = conn.execute(
        select(_outbox.c.state).where(_outbox.c.dedupe_key == card_key)
    ).scalar_one_or_none()
    return state in ("pending", "sending", "doubt", "folded")
