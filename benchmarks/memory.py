"""Memory of a running house with a million open leads beside one with a thousand.

The thousand came in as leads do; the million are copies of their rows, made by SQL: lead, key, offer, clocks, timers.
The house runs as `baton run` does, ticking and looking after its leads, for a while before it is weighed. What is not
here: PostgreSQL's own memory, which is set and not grown.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing

import psutil
from sqlalchemy import make_url

from benchmarks.clicks import running_house, scene
from benchmarks.places import Ground, NotMeasured
from benchmarks.row import Bar, Figure, Found, Row
from storage.base import Base

FEW, TIMES = 1_000, 1_000
SECONDS = 15.0
TABLES = ("leads", "lead_keys", "offers", "clocks", "timers")
#: Texts that tell copies apart are made longer; numbers are moved on.
_TEXTS = {"external_id", "email_key", "current_offer_id", "offer_id"}


def measure(ground: Ground) -> Found:
    """A small house and a large one, on SQLite: there the database's cache is in the process, too."""
    times = 5 if ground.small else TIMES
    weights = [asyncio.run(_weight(ground, one)) for one in (1, times)]
    return Found(
        {
            "large against small": Figure((weights[1] / weights[0],), "x"),
            f"{FEW:,} leads": Figure((weights[0],), "MB"),
            f"{FEW * times:,} leads": Figure((weights[1],), "MB"),
        }
    )


async def _weight(ground: Ground, times: int) -> float:
    with ground.sqlite() as url:
        async with scene(url, leads=FEW) as around:
            if times > 1:
                _multiply(url, times)
            return await asyncio.to_thread(_weigh, url, around.slack_url)


def _weigh(url: str, slack_url: str) -> float:
    with running_house(url, slack_url) as pid:
        time.sleep(SECONDS)
        return float(psutil.Process(pid).memory_info().rss) / 2**20


def _multiply(url: str, times: int) -> None:
    """Copy every row of these tables `times` - 1 times.

    In the order of the keys, and with the indexes made afterwards, by sorting: row by row beside standing indexes most
    of the row's time went into this. What is there in the end is the same.
    """
    path = str(make_url(url).database)
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        # Only while the copies are made, with nobody else there; the house opens the file as it always does.
        for pragma in (
            "journal_mode = OFF",
            "synchronous = OFF",
            "cache_size = -500000",
            "foreign_keys = OFF",
        ):
            conn.execute(f"PRAGMA {pragma}")
        laid_by = _lay_by(conn)
        highest = {
            name: int(conn.execute(f"SELECT max(rowid) FROM {name}").fetchone()[0])  # noqa: S608
            for name in TABLES
        }
        for name in TABLES:
            columns = [column.name for column in Base.metadata.tables[name].columns]
            made = ", ".join(_copied(name, column, highest) for column in columns)
            conn.execute(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"  # noqa: S608 - our own names
                f" INSERT INTO {name} ({', '.join(columns)}) SELECT {made} FROM n CROSS JOIN {name}",
                (times - 1,),
            )
        for statement in laid_by:
            conn.execute(statement)
        conn.execute("INSERT INTO leads_search (leads_search) VALUES ('rebuild')")
        conn.execute("PRAGMA journal_mode = WAL")
        if conn.execute("PRAGMA foreign_key_check").fetchone() is not None:
            raise NotMeasured("a copied row points to nothing")


def _lay_by(conn: sqlite3.Connection) -> list[str]:
    """Take the indexes and triggers of these tables away; the statements that make them again."""
    every = conn.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall()
    found = [
        (kind, name, sql)
        for kind, name, table, sql in every
        if kind in ("index", "trigger") and table in TABLES and sql is not None
    ]
    for kind, name, _ in found:
        conn.execute(f"DROP {kind} {name}")
    return [str(sql) for _, _, sql in found]


def _copied(table: str, column: str, highest: Mapping[str, int]) -> str:
    if column == "id":
        return "id || '-' || n.i" if table == "offers" else f"id + n.i * {highest[table]}"
    if column == "lead_id":
        return f"lead_id + n.i * {highest['leads']}"
    if column == "subject_id":
        return f"subject_id + n.i * {highest['clocks']}"
    if column in _TEXTS:
        return f"{column} || '-' || n.i"
    return column


ROWS: tuple[Row, ...] = (
    Row(
        "memory",
        f"resident memory of a running house with {FEW * TIMES:,} open leads beside {FEW:,}",
        "",
        (Bar("large against small", "<=", 1.2),),
        measure,
    ),
)
