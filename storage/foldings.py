"""Folding: more than five offers to one person within ten minutes become one list message, breaches and reminders
likewise.

The single rows become `folded`, with the list's key as their reason and no `settled_at` until the list that shows them
was delivered. A list names them in its data: `row_ids` (outbox), `lead_ids`, and `offer_ids` or `clock_ids`. Imported
leads that are released together are one list from the beginning, however few. What is not here: rendering the list,
sending it.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, text

from storage import cards, offers, outbox
from storage.claims import Head, Kind
from storage.deliveries import OutboxRow
from storage.models import Outbox
from storage.prepared import Prepared, among, unindexed
from storage.rows import as_row, table_of

_outbox = table_of(Outbox)

#: More than so many within so long, counted in business time.
AT_MOST = 5
WITHIN = timedelta(minutes=10)
#: What a single message is folded into.
LIST_OF = {
    "lead_card": "offers_list",
    "escalation": "breach_list",
    "reminder": "reminders_list",
}
#: These take in what comes after them: nobody is called again. A reminder must call, so it never joins a posted list.
_TAKES_IN = frozenset({"offers_list", "breach_list"})
#: Not in `LIST_OF`: a lead that arrives meanwhile has a message of its own and is not hidden in this list.
RELEASED = "released_list"
# `way` is named everywhere, though folded rows and lists are all of one: without it no index fits, and all that was
# ever sent would be read.
#: Written out, as the index of lanes has it: with parameters SQLite does not see that it fits.
_UNDER_WAY = text("outbox.state IN ('pending','sending')")
_NAMED = ("row_ids", "lead_ids", "offer_ids", "clock_ids")


@dataclass(frozen=True, slots=True)
class Flood:
    """Single messages of one template that wait for one person, where they must be folded."""

    person_id: int
    template: str
    lane: str


def lanes_of(heads: Iterable[Head]) -> list[str]:
    """The conversations in which one of these would be the next, and may have to be folded first."""
    return sorted({h.lane for h in heads if h.template in LIST_OF and h.kind is Kind.POST})


def find_floods(conn: Connection, *, now: datetime, lanes: Collection[str]) -> list[Flood]:
    """Where something waits in these lanes that belongs into a list. Only reads; `fold` looks again.

    Only lanes that are about to be served: to count everybody's messages for each one that is sent would be slow.
    """
    if not lanes:
        return []
    under_way = _count_under_way(conn, lanes, now)
    waiting = {flood: many for (flood, state), many in under_way.items() if state == "pending"
               and flood.template in LIST_OF}  # fmt: skip
    if not waiting:
        return []
    lists = {flood for flood, _ in under_way if flood.template not in LIST_OF}
    templates = [*LIST_OF, *LIST_OF.values()]
    posted = cards.count_posted(conn, {f.person_id for f in waiting}, templates, now - WITHIN)

    def is_flood(flood: Flood) -> bool:
        person, of_list = flood.person_id, LIST_OF[flood.template]
        taken_in = of_list in _TAKES_IN and posted.get((person, of_list))
        if replace(flood, template=of_list) in lists or taken_in:
            return True
        sending = under_way.get((flood, "sending"), 0)
        many = waiting[flood] + sending + posted.get((person, flood.template), 0)
        return many > AT_MOST

    return [flood for flood in waiting if is_flood(flood)]


def fold(conn: Connection, flood: Flood, *, now: datetime, real: datetime) -> int:
    """Put what waits into a list: one that waits itself, one posted within ten minutes, else a new one.

    How many rows were folded. Rows in doubt stay single: they may have been posted already.
    """
    waiting = _lock_waiting(conn, flood, now)
    if not waiting or flood not in find_floods(conn, now=now, lanes=[flood.lane]):
        return 0
    template = LIST_OF[flood.template]
    under_way = _lists_under_way(conn, flood)
    if any(row.state == "sending" for row in under_way):
        return 0  # its card will be there in a moment, and may take these in
    names = _names_of(waiting)
    if under_way:
        key, data = under_way[0].card_key, _joined(under_way[0].data, names)
        conn.execute(_outbox.update().where(_outbox.c.id == under_way[0].id).values(data=data))
    elif (card := _card_to_join(conn, flood.person_id, template, now)) is not None:
        key = card.card_key
        cards.save_data(conn, key, _joined(card.data, names))
        outbox.enqueue_edit(
            conn, template=template, card_key=key, lane=flood.lane, now=now, real=real,
            person_id=flood.person_id, priority=waiting[0].priority,
        )  # fmt: skip
    else:
        key = f"{template}:{flood.person_id}:{waiting[0].id}"
        if outbox.is_known(conn, key):  # its rows were given back and are folded once more
            key = f"{key}:{uuid.uuid4().hex[:8]}"
        outbox.enqueue_post(
            conn, template=template, card_key=key, lane=flood.lane, priority=waiting[0].priority,
            now=now, real=real, person_id=flood.person_id, data=names,
        )  # fmt: skip
    conn.execute(
        _outbox.update()
        .where(_outbox.c.id.in_([row.id for row in waiting]))
        .values(state="folded", reason=key)
    )
    return len(waiting)


def post_released(
    conn: Connection, person_id: int, card_keys: Sequence[str], *, now: datetime, real: datetime
) -> str:
    """Make one list of the cards of offers that were made to a person in this very transaction. Its key."""
    rows = [
        as_row(OutboxRow, row)
        for row in conn.execute(
            select(_outbox)
            .where(_outbox.c.dedupe_key.in_(list(card_keys)), _outbox.c.state == "pending")
            .order_by(_outbox.c.id)
        )
    ]
    key = f"{RELEASED}:{person_id}:{rows[0].id}"
    outbox.enqueue_post(
        conn, template=RELEASED, card_key=key, lane=rows[0].lane, priority=outbox.PRIORITY_REST,
        now=now, real=real, show_at=rows[0].show_at, person_id=person_id, data=_names_of(rows),
    )  # fmt: skip
    conn.execute(
        _outbox.update()
        .where(_outbox.c.id.in_([row.id for row in rows]))
        .values(state="folded", reason=key)
    )
    return key


def take_folded(
    conn: Connection,
    list_key: str,
    *,
    real: datetime,
    shown: Iterable[int] | None = None,
    state: str = "folded",
) -> list[OutboxRow]:
    """Settle what a list carried, and return it. `shown`: only these rows were on it; None: all."""
    query = _waiting_in(list_key)
    if shown is not None:
        query = query.where(_outbox.c.id.in_(list(shown)))
    rows = [as_row(OutboxRow, row) for row in conn.execute(query)]
    conn.execute(
        _outbox.update()
        .where(_outbox.c.id.in_([row.id for row in rows]))
        .values(state=state, settled_at=real)
    )
    return rows


def give_back(conn: Connection, list_key: str, *, real: datetime) -> int:
    """A list that cannot be edited any more: what it never showed is sent singly or in a new list. How many."""
    ids = [row.id for row in conn.execute(_waiting_in(list_key))]
    conn.execute(
        _outbox.update()
        .where(_outbox.c.id.in_(ids))
        .values(state="pending", reason="", not_before=real)
    )
    return len(ids)


def _waiting_in(list_key: str) -> Any:
    return (
        select(_outbox)
        .where(
            _outbox.c.way == outbox.SLACK,
            _outbox.c.state == "folded",
            _outbox.c.reason == list_key,
            _outbox.c.settled_at.is_(None),
        )
        .order_by(_outbox.c.id)
    )


def _card_to_join(
    conn: Connection, person_id: int, template: str, now: datetime
) -> cards.CardRow | None:
    if template not in _TAKES_IN:
        return None
    card = cards.lock_newest(conn, person_id, template, now - WITHIN)
    named = offers.read_many(conn, card.data.get("offer_ids", ())) if card is not None else {}
    if named and all(offer.state != "open" for offer in named.values()):
        return None  # they answered it all: only a new message calls them again
    return card


def _count_under_way(
    conn: Connection, lanes: Collection[str], now: datetime
) -> dict[tuple[Flood, str], int]:
    """Messages and lists that wait or are being sent, by state."""
    given = {"lanes": list(lanes), "templates": [*LIST_OF, *LIST_OF.values()], "now": now}
    return {
        (Flood(person, template, lane), state): int(many)
        for person, template, lane, state, many in _COUNT.fetch(conn, given)
    }


_OF = (_outbox.c.person_id, _outbox.c.template, _outbox.c.lane)
_COUNT_COLUMNS = (*_OF, _outbox.c.state, func.count(_outbox.c.id))
_COUNT = Prepared(
    lambda dialect: (
        select(*_COUNT_COLUMNS)
        .where(
            among(dialect, _outbox.c.lane, "lanes"), _UNDER_WAY, ~_outbox.c.edits,
            unindexed(dialect, _outbox.c.way) == outbox.SLACK,
            among(dialect, _outbox.c.template, "templates"),
            _outbox.c.show_at <= bindparam("now"), _outbox.c.person_id.is_not(None),
        )
        .group_by(*_OF, _outbox.c.state)
        .order_by(*_OF)
    ),
    _COUNT_COLUMNS,
)  # fmt: skip


def _lists_under_way(conn: Connection, flood: Flood) -> list[OutboxRow]:
    """The person's list posts that wait or are being sent, locked until the transaction ends."""
    rows = conn.execute(
        select(_outbox)
        .where(
            _outbox.c.way == outbox.SLACK, _outbox.c.state.in_(("pending", "sending")),
            ~_outbox.c.edits, _outbox.c.template == LIST_OF[flood.template],
            _outbox.c.person_id == flood.person_id, _outbox.c.lane == flood.lane,
        )
        .order_by(_outbox.c.id)
        .with_for_update()
    )  # fmt: skip
    return [as_row(OutboxRow, row) for row in rows]


def _lock_waiting(conn: Connection, flood: Flood, now: datetime) -> list[OutboxRow]:
    rows = conn.execute(
        select(_outbox)
        .where(
            _outbox.c.way == outbox.SLACK, _outbox.c.state == "pending", ~_outbox.c.edits,
            _outbox.c.show_at <= now,
            _outbox.c.template == flood.template, _outbox.c.person_id == flood.person_id,
            _outbox.c.lane == flood.lane, _outbox.c.doubts == 0,
        )
        .order_by(_outbox.c.id)
        .with_for_update(skip_locked=True)
    )  # fmt: skip
    return [as_row(OutboxRow, row) for row in rows]


def _names_of(rows: Sequence[OutboxRow]) -> dict[str, Any]:
    return {
        "row_ids": [row.id for row in rows],
        "lead_ids": [row.lead_id for row in rows if row.lead_id is not None],
        "offer_ids": [row.offer_id for row in rows if row.offer_id is not None],
        "clock_ids": [row.clock_id for row in rows if row.clock_id is not None],
    }


def _joined(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Both, each id once, the old ones first."""
    more = {name: list(dict.fromkeys([*old.get(name, []), *new.get(name, [])])) for name in _NAMED}
    return {**old, **more}
