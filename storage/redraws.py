"""What has to be drawn again when leads change: their cards, and the lists of the people who see them.

What is not here: how an edit waits and joins another one (`outbox`), Home tabs (whoever calls).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    bindparam,
    literal,
    or_,
    select,
    text,
    union_all,
)
from sqlalchemy.sql.elements import ClauseElement

from storage import outbox
from storage.models import Cards, Outbox
from storage.outbox import Edit
from storage.prepared import Prepared, among, unindexed
from storage.rows import table_of

_outbox = table_of(Outbox)
_cards = table_of(Cards)


def enqueue_redraw(
    conn: Connection,
    lead_ids: Collection[int],
    person_ids: Collection[int],
    also: Iterable[Edit] = (),
    *,
    now: datetime,
    real: datetime,
) -> int:
    """Decide that the cards of these leads that are not closed, and the lists of these people that are younger than a
    day, be brought up to date, and `also` that. How many were added.

    Cards that are being posted right now count too: their row is in flight with an older state. An unchanged list
    costs no call.
    """
    edits = _edits_of(conn, lead_ids, person_ids, now)
    return outbox.enqueue_edits(conn, [*edits, *also], now=now, real=real)


def _edits_of(
    conn: Connection, lead_ids: Collection[int], person_ids: Collection[int], now: datetime
) -> list[Edit]:
    if not lead_ids and not person_ids:
        return []
    given = {
        "leads": list(lead_ids), "people": list(person_ids), "since": now - outbox.LIST_AGE,
        "lanes": [outbox.lane_of(person_id) for person_id in person_ids],
    }  # fmt: skip
    # First the posts under way, locked, then the cards: one that is posted meanwhile is found as a card.
    under_way = _UNDER_WAY.fetch(conn, given)
    found = [row for row in under_way if row[-1] == "sending"] + _STANDING.fetch(conn, given)
    return [
        Edit(template, key, lane or outbox.lane_of(person_id, channel), person_id=person_id)
        if template in outbox.LISTS
        else Edit(
            template, key, lane or outbox.lane_of(person_id, channel), lead_id, offer_id, person_id,
            clock_id, data,
        )
        for template, key, lead_id, offer_id, person_id, clock_id, data, lane, channel, _ in found
    ]  # fmt: skip


def _posts_under_way(dialect: str) -> ClauseElement:
    """Posts that are being sent, maybe with an older state. Pending ones are locked until our transaction ends, so
    that none of them is claimed and rendered before our change can be seen (PostgreSQL)."""
    of_leads = among(dialect, _outbox.c.lead_id, "leads")
    # Lists stand in their readers' lanes, and by these they are indexed.
    lists = and_(among(dialect, _outbox.c.lane, "lanes"), _is_list(_outbox))
    posts = select(*_SHOWS_POST).where(
        unindexed(dialect, _outbox.c.way) == outbox.SLACK, _UNSETTLED, ~_outbox.c.edits
    )
    if (
        dialect == "sqlite"
    ):  # its writer is alone: nothing to lock; and for an OR it reads the whole table
        return union_all(posts.where(of_leads), posts.where(lists))
    return posts.where(or_(of_leads, lists)).order_by(_outbox.c.id).with_for_update()


def _standing_cards(dialect: str) -> ClauseElement:
    """Cards of leads, and lists of people."""
    of_leads = select(*_SHOWS_CARD).where(
        among(dialect, _cards.c.lead_id, "leads"), _cards.c.closed.is_(False)
    )
    lists = select(*_SHOWS_CARD).where(
        among(dialect, _cards.c.person_id, "people"),
        _is_list(_cards),
        _cards.c.posted_at > bindparam("since", type_=_cards.c.posted_at.type),
        _cards.c.closed.is_(False),
    )
    return union_all(of_leads, lists)


def _is_list(table: Table) -> ColumnElement[bool]:
    return or_(*(table.c.template == name for name in outbox.LISTS))


#: Written out, as the indexes have them: with parameters neither database sees that they fit.
_UNSETTLED = text("outbox.state IN ('pending','sending')")
_SHOWS = ("template", "card_key", "lead_id", "offer_id", "person_id", "clock_id", "data")
_SHOWS_POST = (
    *(_outbox.c[name] for name in _SHOWS), _outbox.c.lane, literal("").label("channel"),
    _outbox.c.state,
)  # fmt: skip
_SHOWS_CARD = (
    *(_cards.c[name] for name in _SHOWS), literal("").label("lane"), _cards.c.slack_channel,
    literal("").label("state"),
)  # fmt: skip
_UNDER_WAY = Prepared(_posts_under_way, _SHOWS_POST)
_STANDING = Prepared(_standing_cards, _SHOWS_CARD)
