"""The queries of a report look at their window only: none of them reads a whole table, however long Baton has run.

On SQLite, which keeps no statistics and so plans the same for an empty database. What is not here: their figures
(`tests.scenarios.test_report_figures`).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bot.domain.kpi_definitions import AGES
from storage.database import Database
from storage.reports import decays, handovers, pasts, promises, spans
from storage.reports.windows import Query, written
from tests.schema import create_schema

#: These look at what runs or is held now, at the history, or at everything ever.
_WITHOUT_WINDOW = {"_DUE", "_HELD", "_PAST", "_FIRST", "_TOUCHED_EVER"}
_QUERIES = {
    f"{module.__name__.rpartition('.')[2]}.{name}": query
    for module in (decays, handovers, pasts, promises, spans)
    for name, query in vars(module).items()
    if isinstance(query, Query) and name not in _WITHOUT_WINDOW
}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    path = tmp_path_factory.mktemp("plans") / "plans.db"
    create_schema(f"sqlite:///{path}")
    database = Database(f"sqlite:///{path}")
    yield database
    database.dispose()


def test_all_queries_are_found() -> None:
    assert len(_QUERIES) == 13


@pytest.mark.parametrize("name", _QUERIES)
@pytest.mark.parametrize("of_team", [False, True])
def test_a_window_has_an_index(database: Database, name: str, of_team: bool) -> None:
    sql = written(_QUERIES[name].sql, "sqlite", bounded=True, of_team=of_team)
    names = ["begin", "end", "at", "team", *(f"after_{n}" for n in range(len(AGES)))]
    with database.read() as conn:
        driver = conn.connection.driver_connection
        assert driver is not None
        given = dict.fromkeys(names, "2026-03-24 09:00:00.000000")
        rows = driver.execute(f"EXPLAIN QUERY PLAN {sql}", given).fetchall()
    steps = [str(row[3]) for row in rows]
    scanned = [step for step in steps if step.startswith("SCAN ") and step.split()[1] in "lotcjfep"]
    assert not scanned, steps
    # All of the journal is about leads: that is no way to find a few of its rows.
    assert not [step for step in steps if "(subject_kind=?)" in step], steps


@pytest.mark.parametrize(
    ("begin", "end", "whole"),
    [("00.000000", "00.999900", 0), ("00.999900", "02.000000", 1), ("00.999600", "01.999600", 1),
     ("05.000000", "04.000000", 0)],
)  # fmt: skip
def test_seconds_are_rounded_down_to_the_last_microsecond(
    database: Database, begin: str, end: str, whole: int
) -> None:
    sql = written("SELECT $secs[:begin | :end]", "sqlite", bounded=True, of_team=False)
    given = {"begin": f"2026-03-24 09:00:{begin}", "end": f"2026-03-24 09:00:{end}"}
    with database.read() as conn:
        driver = conn.connection.driver_connection
        assert driver is not None
        assert driver.execute(sql, given).fetchone() == (whole,)
