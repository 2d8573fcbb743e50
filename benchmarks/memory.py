"""Memory of a running house with a million open leads beside one with a thousand.

The thousand came in as leads do; the million are copies of their rows, made by SQL: lead, key, offer, clocks, timers.
The house runs as `baton run` does, ticking and looking after its leads, for a while before it is weighed. What is not
here: PostgreSQL's own memory, which is set and not grown.
"""

from __future__ import annotations

import asyncio
import time

import psutil
from sqlalchemy import text

from benchmarks.clicks import running_house, scene
from benchmarks.places import Ground
from benchmarks.row import Bar, Figure, Found, Row
from storage.base import Base
from storage.database import Database

FEW, TIMES = 1_000, 1_000
SECONDS = 15.0
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
    """Copy every row of these tables `times` - 1 times."""
    database = Database(url)
    leads = clocks = 0
    with database.write() as conn:
        for name in ("leads", "lead_keys", "offers", "clocks", "timers"):
            columns = [column.name for column in Base.metadata.tables[name].columns]
            highest = (
                conn.execute(text(f"SELECT max(id) FROM {name}")).scalar_one()  # noqa: S608
                if name != "offers"
                else 0
            )
            if name == "leads":
                leads = int(highest)
            if name == "clocks":
                clocks = int(highest)
            made = ", ".join(
                _copied(name, column, int(highest), leads, clocks) for column in columns
            )
            conn.execute(
                text(
                    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :most)"  # noqa: S608 - our own names
                    f" INSERT INTO {name} ({', '.join(columns)}) SELECT {made} FROM {name}, n"
                ),
                {"most": times - 1},
            )
    database.dispose()


def _copied(table: str, column: str, highest: int, leads: int, clocks: int) -> str:
    if column == "id":
        return "id || '-' || n.i" if table == "offers" else f"id + n.i * {highest}"
    if column == "lead_id":
        return f"lead_id + n.i * {leads}"
    if column == "subject_id":
        return f"subject_id + n.i * {clocks}"
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
