"""Intake: leads that are judged, routed and offered, in batches, against the bare inserts of the rows they leave.

Both sides write the same rows with one commit a batch of 100: inbox, leads, keys, offers, clocks, timers, journal and
outbox. Baton reads who is known and who is free, decides each lead and makes its rows; the peer has them ready and
only hands them to SQLAlchemy's executemany. A second peer, for information: the driver's own executemany, with every
value as the driver takes it. What is not here: HTTP and signatures (`clicks` has them).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from typing import Any

from sqlalchemy import Table, select, text

from benchmarks.office import message_of, office
from benchmarks.places import Ground, NotMeasured
from benchmarks.row import Bar, Figure, Found, Row, interleave
from bot.services.receive_leads import receive_leads
from storage.base import Base
from storage.database import Database
from storage.types import UtcDateTime

BATCH = 100
BATCHES = 10
#: In the order in which they can be written.
TABLES = ("inbox", "leads", "lead_keys", "offers", "clocks", "timers", "journal", "outbox")

#: A batch: its rows by table.
Rows = Mapping[str, Sequence[Mapping[str, Any]]]


def measure(ground: Ground) -> Found:
    """Baton and both peers in turn, on both databases."""
    figures: dict[str, Figure] = {}
    batches = 2 if ground.small else BATCHES
    for name, place in (("SQLite", ground.sqlite), ("PostgreSQL", ground.postgres)):
        rows = _rows_of(place, batches)
        sides = interleave(
            {
                "baton": partial(_baton, place, batches),
                "core": partial(_peer, place, rows, _core),
                "driver": partial(_peer, place, rows, _driver),
            },
            longest=30,
        )
        figures[f"{name} against executemany"] = sides.ratio("baton", "core")
        figures[f"{name} against the bare driver"] = sides.ratio("baton", "driver")
        figures[f"{name} Baton"] = sides.figure("baton", "leads/s")
        figures[f"{name} executemany"] = sides.figure("core", "leads/s")
        figures[f"{name} bare driver"] = sides.figure("driver", "leads/s")
    return Found(figures, (f"{batches} batches of {BATCH} leads a repetition, one commit a batch",))


Place = Callable[[], AbstractContextManager[str]]


def _baton(place: Place, batches: int) -> float:
    with place() as url, office(url) as desk:
        messages = [message_of(n * BATCH, BATCH) for n in range(batches)]
        began = time.perf_counter()
        for message in messages:
            with desk.work() as work:
                receive_leads(work, message)
        seconds = time.perf_counter() - began
        _check(desk.database, batches)
    return batches * BATCH / seconds


def _rows_of(place: Place, batches: int) -> list[Rows]:
    """What Baton leaves of each batch, read back."""
    before = dict.fromkeys(TABLES, 0)
    kept: list[Rows] = []
    with place() as url, office(url) as desk:
        for n in range(batches):
            with desk.work() as work:
                receive_leads(work, message_of(n * BATCH, BATCH))
            batch: dict[str, list[Mapping[str, Any]]] = {}
            with desk.database.read() as conn:
                for name in TABLES:
                    table = Base.metadata.tables[name]
                    order = table.c.lead_id if name == "offers" else table.c.id
                    found = conn.execute(select(table).order_by(order).offset(before[name]))
                    batch[name] = [dict(row._mapping) for row in found]
                    before[name] += len(batch[name])
            kept.append(batch)
    return kept


def _peer(place: Place, rows: Sequence[Rows], write: Callable[..., Callable[[Any], None]]) -> float:
    with place() as url, office(url) as desk:
        writes = [write(desk.database, batch) for batch in rows]
        began = time.perf_counter()
        for each in writes:
            with desk.database.write() as conn:
                each(conn)
        seconds = time.perf_counter() - began
        _check(desk.database, len(rows))
    return len(rows) * BATCH / seconds


def _core(_: Database, batch: Rows) -> Callable[[Any], None]:
    """SQLAlchemy's executemany, a statement a table."""

    def write(conn: Any) -> None:
        for name in TABLES:
            conn.execute(Base.metadata.tables[name].insert(), batch[name])

    return write


def _driver(database: Database, batch: Rows) -> Callable[[Any], None]:
    """The driver's executemany, every value ready as the driver takes it."""
    mark = "?" if database.is_sqlite else "%s"
    ready = []
    for name in TABLES:
        table = Base.metadata.tables[name]
        columns = list(batch[name][0])
        statement = (
            f"INSERT INTO {name} ({', '.join(columns)}) "  # noqa: S608 - names of our own tables
            f"VALUES ({', '.join([mark] * len(columns))})"
        )
        values = [
            tuple(_plain(table, column, row[column], database.is_sqlite) for column in columns)
            for row in batch[name]
        ]
        ready.append((statement, values))

    def write(conn: Any) -> None:
        cursor = conn.connection.driver_connection.cursor()
        for statement, values in ready:
            cursor.executemany(statement, values)
        cursor.close()

    return write


def _plain(table: Table, column: str, value: Any, sqlite: bool) -> Any:
    if isinstance(value, dict | list):
        return json.dumps(value)
    if isinstance(value, datetime) and sqlite and isinstance(table.c[column].type, UtcDateTime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
    return value


def _check(database: Database, batches: int) -> None:
    """Whoever wrote less than all leads, each offered with its clocks and card, measured something else."""
    with database.read() as conn:
        for name in ("leads", "lead_keys", "offers", "outbox"):
            found = conn.execute(text(f"SELECT count(*) FROM {name}")).scalar_one()  # noqa: S608
            if found != batches * BATCH:
                raise NotMeasured(f"{found} rows in {name}, not {batches * BATCH}")


ROWS: tuple[Row, ...] = (
    Row(
        "intake",
        "leads a second in batches of 100: judged, routed, offered, clocks, timers, journal, card; one commit a batch",
        f"SQLAlchemy {version('sqlalchemy')} executemany of the same rows, ready made",
        (
            Bar("SQLite against executemany", ">=", 0.4),
            Bar("PostgreSQL against executemany", ">=", 0.4),
        ),
        measure,
    ),
)
