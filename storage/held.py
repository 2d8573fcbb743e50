"""Messages of a restored database that were unsent when its backup was made: whether they were since, nobody knows.

They are `held`: never sent by themselves. Released, a post is in doubt, so that Slack is looked at before it goes.
What a list carries goes with its list: such a row keeps the list's key as its reason and is not held by itself.
What is not here: looking (`doubts`), who decides (`bot.services.release_held`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, exists, func, or_, select

from storage import outbox
from storage.models import Cards, Leads, Outbox
from storage.models_running import Paces
from storage.rows import as_row, table_of

_outbox = table_of(Outbox)
_cards = table_of(Cards)
_leads = table_of(Leads)
_paces = table_of(Paces)

_UNSETTLED = ("pending", "sending", "doubt")
#: Cards of leads that are over show an end, or soon nobody looks at them.
_LIVING = ("received", "scrub", "offered", "accepted", "working", "qualified", "review")
_HOME = "home"
_AT_ONCE = 500
WHY = "restored"
#: Not carried by a list that is held.
_ALONE = _outbox.c.reason == WHY


@dataclass(frozen=True, slots=True)
class HeldRow:
    """A message that is held. `created_at` is business time."""

    id: int
    template: str
    lane: str
    lead_id: int | None
    person_id: int | None
    way: str
    created_at: datetime


def hold_unsettled(conn: Connection, *, real: datetime) -> int:
    """Nothing that was still to be sent is sent by itself; how many messages are held now.

    Edits and Home tabs are not held but dropped: they only bring up to date, and new ones do that.
    """
    waiting = _outbox.c.state.in_(_UNSETTLED)
    shows_only = or_(_outbox.c.edits, _outbox.c.template == _HOME)
    conn.execute(
        _outbox.update()
        .where(waiting, shows_only)
        .values(state="superseded", reason=WHY, settled_at=real, recheck_at=None)
    )
    held = conn.execute(
        _outbox.update()
        .where(waiting)
        .values(state="held", reason=WHY, claimed_by="", lease_until=None, recheck_at=None)
    ).rowcount
    # A list that stands is redrawn, and shows what it did not yet. The others are held with all they carry.
    conn.execute(
        _outbox.update().where(_unshown(), ~_stands(_outbox.c.reason)).values(state="held")
    )
    lists = select(_outbox.c.dedupe_key).where(_outbox.c.state == "held")
    held += conn.execute(
        _outbox.update()
        .where(_outbox.c.state == "held", _outbox.c.reason != WHY, _outbox.c.reason.not_in(lists))
        .values(reason=WHY)
    ).rowcount
    conn.execute(_paces.delete())  # of a day that is over
    return held


def _unshown() -> ColumnElement[bool]:
    """Rows that a list carries and has not shown. Those it has shown stay `folded`, too: they were sent."""
    return and_(_outbox.c.state == "folded", _outbox.c.settled_at.is_(None))


def _stands(card_key: ColumnElement[str]) -> ColumnElement[bool]:
    return exists().where(_cards.c.card_key == card_key, _cards.c.closed.is_(False))


def redraw_all(conn: Connection, *, now: datetime, real: datetime) -> int:
    """Nobody knows what the cards in Slack show by now: every living one is edited once. How many."""
    conn.execute(_cards.update().where(_cards.c.closed.is_(False)).values(rendered_hash=""))
    shown = conn.execute(
        select(
            _cards.c.template, _cards.c.card_key, _cards.c.lead_id, _cards.c.offer_id,
            _cards.c.person_id, _cards.c.clock_id, _cards.c.data, _cards.c.slack_channel,
        )
        .select_from(_cards.outerjoin(_leads, _leads.c.id == _cards.c.lead_id))
        .where(
            _cards.c.closed.is_(False),
            or_(
                _leads.c.status.in_(_LIVING),
                and_(_cards.c.template.in_(outbox.LISTS), _cards.c.posted_at > now - outbox.LIST_AGE),
                _cards.c.card_key.in_(select(_outbox.c.reason).where(_unshown())),
            ),
        )
        .order_by(_cards.c.id)
    ).all()  # fmt: skip
    for start in range(0, len(shown), _AT_ONCE):
        outbox.enqueue_edits(
            conn, [_edit_of(row) for row in shown[start : start + _AT_ONCE]], now=now, real=real
        )
    return len(shown)


def _edit_of(row: Any) -> outbox.Edit:
    told: dict[str, Any] = dict(row._mapping)
    return outbox.Edit(lane=outbox.lane_of(row.person_id, told.pop("slack_channel")), **told)


def count_held(conn: Connection) -> int:
    """How many messages are held."""
    return int(
        conn.execute(
            select(func.count()).select_from(_outbox).where(_outbox.c.state == "held", _ALONE)
        ).scalar_one()
    )


def list_held(conn: Connection, most: int) -> list[HeldRow]:
    """The oldest `most` of them."""
    query = select(_outbox).where(_outbox.c.state == "held", _ALONE).order_by(_outbox.c.id)
    return [as_row(HeldRow, row) for row in conn.execute(query.limit(most))]


def release(conn: Connection, ids: Sequence[int], *, real: datetime) -> int:
    """Let these go; how many were held. Posts to Slack are looked for there first."""
    mine = and_(_outbox.c.id.in_(list(ids)), _outbox.c.state == "held", _ALONE)
    _settle_carried(conn, mine, state="folded")
    posts = conn.execute(
        _outbox.update()
        .where(mine, _outbox.c.way == outbox.SLACK)
        .values(
            state="doubt",
            reason="released",
            doubts=_outbox.c.doubts + 1,
            doubt_since=func.coalesce(_outbox.c.first_try_at, _outbox.c.not_before),
            first_try_at=func.coalesce(_outbox.c.first_try_at, _outbox.c.not_before),
            not_before=real,
        )
    ).rowcount
    # The receiver knows a change by its id: told twice, it counts once.
    rest = conn.execute(
        _outbox.update().where(mine).values(state="pending", reason="released", not_before=real)
    ).rowcount
    return posts + rest


def drop(conn: Connection, ids: Sequence[int], *, real: datetime) -> int:
    """Give these up; how many were held."""
    mine = and_(_outbox.c.id.in_(list(ids)), _outbox.c.state == "held", _ALONE)
    _settle_carried(conn, mine, state="superseded", settled_at=real)
    return conn.execute(
        _outbox.update().where(mine).values(state="superseded", reason="dropped", settled_at=real)
    ).rowcount


def _settle_carried(conn: Connection, lists: ColumnElement[bool], **values: Any) -> None:
    """What these lists carry shares their fate."""
    keys = list(conn.execute(select(_outbox.c.dedupe_key).where(lists)).scalars())
    conn.execute(
        _outbox.update()
        .where(_outbox.c.state == "held", _outbox.c.reason.in_(keys))
        .values(**values)
    )
