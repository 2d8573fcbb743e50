"""Cards taken as seen, in tests that run the services without delivery: an offer nobody has seen does not lapse."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from storage.models import Offers
from storage.rows import table_of

_offers = table_of(Offers)


def cards_are_seen(conn: Connection, now: datetime) -> None:
    """Every open offer whose card may be shown was delivered on time."""
    conn.execute(
        _offers.update()
        .where(
            _offers.c.state == "open", _offers.c.delivered_at.is_(None), _offers.c.show_at <= now
        )
        .values(delivered_at=_offers.c.show_at)
    )
