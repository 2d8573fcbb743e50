"""Timers fired by the hundred leave what they leave when each lead is fired alone.

What is not here: what a step does.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from sqlalchemy import make_url, select

from benchmarks import house
from bot.services import fire_timers
from bot.services.fire_timers import fire_due
from bot.services.fire_together import Batch
from bot.services.work import Work
from storage.database import Database
from storage.models import Clocks, Journal, Leads, Offers, Outbox, People, Timers
from storage.rows import table_of

#: What is random (ids of offers and deliveries), or counted by the order of writing.
_LEADS = 40
_RANDOM = re.compile(r"[A-Za-z0-9_-]{16}(?=\W)|edit:[0-9a-f-]{36}")
_LEFT_OUT = {
    "outbox": {"id", "delivery_id"},
    "timers": {"id"},
    "journal": {"id"},
    "clocks": set[str](),
}


def fire(url: str, limit: int) -> dict[str, list[str]]:
    """Fire all that is due, so many timers at a time; every row of every table, as text."""
    database = Database(url)
    while True:
        with database.write() as conn:
            if not fire_due(Work(conn, house.NOW, house.NOW, house.agreement()), limit):
                break
    found: dict[str, list[str]] = {}
    with database.read() as conn:
        for model in (Leads, Offers, Clocks, Timers, Outbox, Journal, People):
            table = table_of(model)
            out = _LEFT_OUT.get(table.name, set())
            found[table.name] = sorted(
                _RANDOM.sub("~", str({k: v for k, v in row._mapping.items() if k not in out}))
                for row in conn.execute(select(table))
            )
    database.dispose()
    return found


def test_many_leads_at_once_end_as_each_alone(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(database_url)
    house.furnish(database, _LEADS)
    database.dispose()
    other = tmp_path / "other.db"
    shutil.copyfile(str(make_url(database_url).database), other)
    together = fire(database_url, 1000)
    calls = 0
    fire_leads = fire_timers._fire_leads

    def count(*given: object) -> bool:
        nonlocal calls
        calls += 1
        return bool(fire_leads(*given))  # type: ignore[arg-type]

    monkeypatch.setattr(fire_timers, "_fire_leads", count)
    # Alone, each row is read and written by its own statement; together they are changed in memory.
    monkeypatch.setattr(Batch, "hold", lambda _batch, _lead_ids: None)
    alone = fire(f"sqlite:///{other}", 1)
    assert calls == _LEADS
    assert any("'moved'" in row for row in alone["journal"])  # somebody let a lead lapse
    # What ends its own clock (a reoffer) fired, it was not disarmed by it.
    assert not any("'cancelled'" in row for row in together["timers"])
    for table, rows in alone.items():
        assert together[table] == rows, table
