"""An import does with many rows at once what it would do with one after the other, on both databases."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from bot.domain.past import ImportMode
from bot.services.import_leads import Overtaken
from chaos.books import misfits, open_books
from chaos.imported import books_of, differences, unaccounted
from storage import imports
from storage.imports import Key
from tests.import_kit import begin, bring, counts, messy_rows, row, take
from tests.services.desk_kit import Desk


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    desk = Desk(database_url)
    yield desk
    desk.database.dispose()


@pytest.fixture
def other_desk(sqlite_template: Path, tmp_path: Path) -> Iterator[Desk]:
    shutil.copyfile(sqlite_template, tmp_path / "other.db")
    desk = Desk(f"sqlite:///{tmp_path / 'other.db'}")
    yield desk
    desk.database.dispose()


@pytest.mark.parametrize("mode", ImportMode)
def test_all_rows_at_once_end_as_they_do_one_by_one(
    desk: Desk, other_desk: Desk, mode: ImportMode
) -> None:
    rows = messy_rows(60, seed=list(ImportMode).index(mode))

    at_once = bring(desk, rows, mode, size=45)
    bring(other_desk, rows, mode, size=1)

    assert min(counts(at_once)) > 0, "each of the four ends must be among them"
    assert differences(desk.database, other_desk.database) == []
    assert unaccounted(desk.database, len(rows)) == []
    assert misfits(open_books(desk.database)) == []


def test_of_two_runs_of_one_import_one_counts_and_the_other_stops(desk: Desk) -> None:
    rows = [row(line, f"k{line}") for line in range(2, 12)]
    run = begin(desk, ImportMode.HISTORY)
    ahead = take(desk, run, rows[:6])

    with pytest.raises(Overtaken):
        take(desk, run, rows[:4])  # it still believes that nothing is done

    assert counts(take(desk, ahead, rows[6:])) == (10, 0, 0, 0)
    assert unaccounted(desk.database, 10) == []


def test_a_key_that_somebody_takes_at_this_moment_makes_the_row_news(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(desk, [row(2, "k1", email="kim@north.example")], file="before")
    look = imports.find_names
    looks: list[int] = []

    def blind_at_first(*args: Any) -> tuple[dict[Key, int], dict[str, int]]:
        looks.append(1)
        return look(*args) if len(looks) > 2 else ({}, {})

    monkeypatch.setattr(imports, "find_names", blind_at_first)
    taken = bring(
        desk,
        [row(2, "k1", phone="1"), row(3, "k2", email="kim@north.example"), row(4, "k3")],
    )

    assert counts(taken) == (1, 2, 0, 0)
    assert unaccounted(desk.database, 3)[0].startswith("import 1: 3 records, cursor 1")
    books = books_of(desk.database)
    assert (books["leads"], books["lead_keys"], books["faults"]) == (2, 3, [])


def test_statistics_are_taken_anew_where_the_database_waits_to_be_asked(desk: Desk) -> None:
    bring(desk, [row(2, "k1"), row(3, "k2")])
    with desk.work() as work:
        imports.refresh_statistics(work.conn)
    if not desk.database.is_sqlite:
        with desk.work() as work:
            asked = text("SELECT reltuples FROM pg_class WHERE relname = 'leads'")
            assert work.conn.execute(asked).scalar_one() == 2


def test_a_value_that_the_database_refuses_costs_its_own_row_only(desk: Desk) -> None:
    rows = [row(line, f"k{line}") for line in range(2, 30)]
    rows[7] = row(9, "k9", visits=2**70)
    rows[20] = row(22, "k22", company="\udcff")

    taken = bring(desk, rows)

    assert counts(taken) == (26, 0, 0, 2)
    refused = "The database refused a value of this row."
    with desk.work() as work:
        assert imports.list_faults(work.conn, taken.id) == [(9, refused), (22, refused)]


def test_the_end_state_tells_two_imports_apart(desk: Desk, other_desk: Desk) -> None:
    """The comparison that the other tests and the experiment rely on sees a difference of one fact."""
    bring(desk, [row(2, "k1", phone="1")])
    bring(other_desk, [row(2, "k1", phone="2")])

    assert len(differences(desk.database, other_desk.database)) == 1
