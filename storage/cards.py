"""Cards: posted messages that can be edited, where they stand and a hash of what they show.

What is not here: deciding on edits (`outbox`), sending (`deliveries`), rendering.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from storage.models import Cards
from storage.prepared import Prepared, Reading, among
from storage.rows import as_row, insert_if_new, table_of

_cards = table_of(Cards)


@dataclass(frozen=True, slots=True)
class CardRow:
    """A card as stored. `posted_at` is business time; `closed`: it shows an end, no more edits."""

    id: int
    card_key: str
    template: str
    lead_id: int | None
    offer_id: str | None
    person_id: int | None
    clock_id: int | None
    round: int
    data: dict[str, Any]
    slack_channel: str
    slack_ts: str
    rendered_hash: str
    posted_at: datetime
    closed: bool


_READ: Reading[CardRow] = Reading(
    CardRow, _cards, lambda _dialect, columns: select(*columns).where(_cards.c.card_key == bindparam("key"))
)  # fmt: skip
_SHOW = Prepared(
    lambda _dialect: (
        _cards.update()
        .where(_cards.c.card_key == bindparam("key"), _cards.c.closed.is_(False))
        .values(rendered_hash=bindparam("hash"), closed=bindparam("end"))
    )
)
_POSTED_COLUMNS = (_cards.c.person_id, _cards.c.template, func.count(_cards.c.id))
_POSTED = Prepared(
    lambda dialect: (
        select(*_POSTED_COLUMNS)
        .where(
            among(dialect, _cards.c.person_id, "people"),
            _cards.c.posted_at > bindparam("since"),
            among(dialect, _cards.c.template, "templates"),
        )
        .group_by(_cards.c.person_id, _cards.c.template)
    ),
    _POSTED_COLUMNS,
)


def read_card(conn: Connection, card_key: str) -> CardRow | None:
    """The card with this key, None when it was not posted yet."""
    return _READ.first(conn, {"key": card_key})


def list_cards(conn: Connection, lead_id: int, *, template: str | None = None) -> list[CardRow]:
    """The cards of a lead, closed ones too, oldest first."""
    query = select(_cards).where(_cards.c.lead_id == lead_id).order_by(_cards.c.id)
    if template is not None:
        query = query.where(_cards.c.template == template)
    return [as_row(CardRow, row) for row in conn.execute(query)]


def save_posted(
    conn: Connection,
    *,
    card_key: str,
    template: str,
    channel: str,
    ts: str,
    rendered_hash: str,
    now: datetime,
    closed: bool,
    lead_id: int | None = None,
    offer_id: str | None = None,
    person_id: int | None = None,
    clock_id: int | None = None,
    round_: int = 0,
    data: Mapping[str, Any] | None = None,
) -> None:
    """A message was posted. Posted again (a resend in doubt): the newer message is the card from now on."""
    stands: dict[str, Any] = {
        "slack_channel": channel,
        "slack_ts": ts,
        "rendered_hash": rendered_hash,
        "closed": closed,
    }
    new = insert_if_new(
        conn, _cards, card_key=card_key, template=template, lead_id=lead_id, offer_id=offer_id,
        person_id=person_id, clock_id=clock_id, round=round_, data=dict(data or {}),
        posted_at=now, **stands,
    )  # fmt: skip
    if not new:
        conn.execute(_cards.update().where(_cards.c.card_key == card_key).values(**stands))


def save_rendered(conn: Connection, card_key: str, rendered_hash: str, closed: bool) -> None:
    """A card shows something else now. A closed card stays closed."""
    _SHOW.run(conn, {"key": card_key, "hash": rendered_hash, "end": closed})


def close_card(conn: Connection, card_key: str) -> None:
    """Slack does not let us edit it any more."""
    conn.execute(_cards.update().where(_cards.c.card_key == card_key).values(closed=True))


def count_posted(
    conn: Connection, person_ids: Collection[int], templates: Collection[str], since: datetime
) -> dict[tuple[int, str], int]:
    """How many cards these people got after `since` (business time), by person and template."""
    given = {"people": list(person_ids), "since": since, "templates": list(templates)}
    return {(person, template): int(many) for person, template, many in _POSTED.fetch(conn, given)}


def lock_newest(conn: Connection, person_id: int, template: str, since: datetime) -> CardRow | None:
    """The newest open card of a template that a person got after `since`, locked until the transaction ends."""
    row = conn.execute(
        select(_cards)
        .where(
            _cards.c.person_id == person_id,
            _cards.c.posted_at > since,
            _cards.c.template == template,
            _cards.c.closed.is_(False),
        )
        .order_by(_cards.c.id.desc())
        .limit(1)
        .with_for_update()
    ).first()
    return as_row(CardRow, row) if row is not None else None


def save_data(conn: Connection, card_key: str, data: Mapping[str, Any]) -> None:
    """What a list names has changed."""
    conn.execute(_cards.update().where(_cards.c.card_key == card_key).values(data=dict(data)))


def reopen_cards(conn: Connection, lead_id: int) -> int:
    """The closed cards of a lead may be edited again: an undo takes back what closed them. How many."""
    query = _cards.update().where(_cards.c.lead_id == lead_id, _cards.c.closed.is_(True))
    return conn.execute(query.values(closed=False)).rowcount
