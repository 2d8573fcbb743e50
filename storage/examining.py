"""What `baton doctor` asks a database. It reads, and tries one write that changes nothing.

What is not here: judging the answers (`bot.services.examine`), opening the database.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, func, select, text

from bot.domain.funnel import TERMINAL
from storage.database import Database
from storage.models import Heartbeats, Inbox, Leads, Offers, Outbox, Timers
from storage.rows import table_of

_leads = table_of(Leads)
_offers = table_of(Offers)
_outbox = table_of(Outbox)
_timers = table_of(Timers)
_beats = table_of(Heartbeats)
_inbox = table_of(Inbox)


@dataclass(frozen=True, slots=True)
class Server:
    """The program behind the database. `at`: its own clock (None: it has none, the file is ours)."""

    version: str
    at: datetime | None = None
    synchronous_commit: str = "on"


@dataclass(frozen=True, slots=True)
class Backlog:
    """Messages still to be delivered. `oldest`: since when the oldest could have gone (business time)."""

    due: int
    oldest: datetime | None
    dead: int
    dead_why: tuple[tuple[str, str, int], ...]  # (reason, Slack conversation, how many), most first


@dataclass(frozen=True, slots=True)
class Delivery:
    """Where the card of an offer is: an outbox row's state, and why it is not further."""

    state: str
    reason: str
    sent_at: datetime | None
    first_try_at: datetime | None


def read_server(database: Database) -> Server:
    """Ask for version, clock and settings."""
    with database.read() as conn:
        if database.is_sqlite:
            conn.execute(text("PRAGMA schema_version"))  # only now the file is looked at
            return Server(sqlite3.sqlite_version)
        # The one place where the server's clock is asked: to compare it with ours, not to decide by it.
        return Server(
            str(conn.execute(text("SHOW server_version")).scalar_one()).split(" ")[0],
            conn.execute(text("SELECT clock_timestamp()")).scalar_one(),
            str(conn.execute(text("SHOW synchronous_commit")).scalar_one()),
        )


def try_writing(database: Database) -> None:
    """A write that touches no row. Raises what the database says when it may not be written."""
    with database.write() as conn:
        conn.execute(_leads.update().where(_leads.c.id == -1).values(version=0))


def list_beats(conn: Connection) -> list[tuple[str, datetime]]:
    """(worker, when it last ticked), the newest first."""
    rows = conn.execute(
        select(_beats.c.worker, _beats.c.ticked_at)
        .where(_beats.c.role != "web")  # it fires nothing
        .order_by(_beats.c.ticked_at.desc())
        .limit(20)
    )
    return [(str(worker), at) for worker, at in rows]


def list_parked(conn: Connection) -> list[tuple[str, int | None]]:
    """(step, lead) of timers that failed again and again and fire no more, oldest first."""
    rows = conn.execute(
        select(_timers.c.step, _timers.c.lead_id)
        .where(_timers.c.state == "parked")
        .order_by(_timers.c.id)
        .limit(1000)
    )
    return [(str(step), lead) for step, lead in rows]


def count_late(conn: Connection, before: datetime) -> int:
    """Armed timers that were due before then (business time)."""
    return int(
        conn.execute(
            select(func.count()).where(_timers.c.state == "armed", _timers.c.due_at < before)
        ).scalar_one()
    )


def read_backlog(conn: Connection, now: datetime, real: datetime) -> Backlog:
    """What waits for Slack though it could go, and what was given up in the last seven days."""
    ready = and_(
        _outbox.c.way == "slack",
        _outbox.c.show_at <= now,
        _outbox.c.state.in_(("pending", "sending", "doubt")),
    )
    due, oldest = conn.execute(select(func.count(), func.min(_outbox.c.show_at)).where(ready)).one()
    since = datetime.fromtimestamp(real.timestamp() - 7 * 86_400, tz=real.tzinfo)
    dead = conn.execute(
        select(_outbox.c.reason, _outbox.c.lane, func.count())
        .where(_outbox.c.way == "slack", _outbox.c.state == "dead", _outbox.c.settled_at > since)
        .group_by(_outbox.c.reason, _outbox.c.lane)
        .order_by(func.count().desc(), _outbox.c.reason, _outbox.c.lane)
        .limit(100)
    ).all()
    return Backlog(
        int(due),
        oldest,
        sum(int(n) for *_, n in dead),
        tuple((str(reason), str(lane), int(n)) for reason, lane, n in dead),
    )


def count_quarantined(conn: Connection) -> int:
    """Messages of which something could not be used."""
    return int(
        conn.execute(select(func.count()).where(_inbox.c.state == "quarantined")).scalar_one()
    )


def list_open_tests(conn: Connection, person_id: int) -> list[int]:
    """Test leads made for a person that have not ended, also those they recycled."""
    mine: Any = select(_offers.c.lead_id).where(_offers.c.rep_id == person_id)
    rows = conn.execute(
        select(_leads.c.id)
        .where(
            _leads.c.kind == "test",
            _leads.c.status.not_in([s.value for s in TERMINAL]),
            _leads.c.id.in_(mine),
        )
        .order_by(_leads.c.id)
    )
    return [int(i) for i in rows.scalars()]


def read_delivery(conn: Connection, offer_id: str) -> Delivery | None:
    """The card of an offer in the outbox."""
    row = conn.execute(
        select(
            _outbox.c.state, _outbox.c.reason, _outbox.c.settled_at, _outbox.c.first_try_at
        ).where(_outbox.c.offer_id == offer_id, _outbox.c.template == "lead_card", ~_outbox.c.edits)
    ).first()
    return Delivery(str(row[0]), str(row[1]), row[2], row[3]) if row is not None else None
