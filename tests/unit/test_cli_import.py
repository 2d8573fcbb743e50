"""`baton import` as an operator meets it: what it says, what it keeps, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.commands import importing
from bot.services.import_leads import import_rows
from chaos.imported import books_of, end_state
from storage.database import Database

Says = Callable[..., tuple[int, str, str]]

MAP = "source: old crm\ncolumns: {external_id: Id, email: Mail, visits: Visits}\n"
CSV = "Id,Mail,Visits\n1,kim@north.example,3\n2,lee@north.example,many\n3,sam@north.example,1\n"
IMPORT = ("import", "leads.csv", "--map", "map.yaml")


@pytest.fixture(autouse=True)
def export(named_database: Database) -> None:
    Path("map.yaml").write_text(MAP, encoding="utf-8")
    Path("leads.csv").write_text(CSV, encoding="utf-8")


def test_rows_are_counted_and_refused_ones_kept_to_mend(
    baton: Says, named_database: Database
) -> None:
    code, out, err = baton(*IMPORT)

    assert (code, err) == (1, "")
    first, *rest = out.splitlines()
    assert first.startswith("leads.csv as history: 3 rows in ")
    assert [line.split() for line in rest[:4]] == [
        ["accepted", "2"],
        ["updated", "0"],
        ["duplicate", "0"],
        ["refused", "1"],
    ]
    assert "  line 3: The column “Visits” is no number" in out
    assert out.endswith("Rows to mend, each with its fault: leads.refused.csv\n")
    header, refused = Path("leads.refused.csv").read_text(encoding="utf-8").splitlines()
    assert header == "Id,Mail,Visits,baton_fault"
    assert refused.startswith("2,lee@north.example,many,")
    assert {lead["kind"] for lead in end_state(named_database).values()} == {"history"}

    before = books_of(named_database)
    code, out, err = baton(*IMPORT)
    assert (code, err) == (0, "")
    assert out.startswith("leads.csv was imported as history by this map at ")
    assert "Nothing changed." in out
    assert books_of(named_database) == before
    assert not Path("leads.refused-2.csv").exists()


def test_the_refused_rows_of_another_import_stay(baton: Says) -> None:
    baton(*IMPORT)
    kept = Path("leads.refused.csv").read_bytes()
    Path("leads.csv").write_text(CSV + "4,ann@north.example,few\n", encoding="utf-8")

    code, out, _ = baton(*IMPORT)

    assert code == 1
    assert out.endswith("leads.refused-2.csv\n")
    assert Path("leads.refused.csv").read_bytes() == kept
    assert Path("leads.refused-2.csv").read_text().count("\n") == 3


def test_what_cannot_be_tried_writes_nothing(baton: Says, named_database: Database) -> None:
    Path("map.yaml").write_text(MAP.replace("Mail", "E-mail").replace("Visits", "Visit"))
    code, out, err = baton(*IMPORT)
    assert (code, out) == (2, "")
    assert [line.partition(" columns")[0] for line in err.splitlines()[:2]] == [
        "baton: map.yaml:2:",
        "baton: map.yaml:2:",
    ]
    assert err.endswith("leads.csv does not fit map.yaml; nothing was written.\n")

    assert baton("import", "gone.csv", "--map", "map.yaml")[0] == 2
    Path("leads.csv").write_bytes(b"")
    assert baton(*IMPORT)[2] == "baton: leads.csv: The file is empty.\n"
    assert books_of(named_database)["imports"] == []


def test_a_dry_run_shows_the_first_rows_and_writes_nothing(
    baton: Says, named_database: Database
) -> None:
    Path("leads.csv").write_text(CSV.replace("kim@", "\x1b[31mkim@"), encoding="utf-8")

    code, out, err = baton(*IMPORT, "--dry-run", "--as", "offer")

    assert (code, err) == (1, "")
    assert "\x1b" not in out
    lines = [line.split() for line in out.splitlines()]
    assert ["field", "line", "2", "line", "4"] in lines
    assert ["external_id", "1", "3"] in lines
    assert "leads.csv: 2 of 3 rows can be used as offer" in out
    assert "As if nobody knew them: 0 wait for a free rep, 2 go to nurturing" in out
    assert out.endswith("Nothing was written.\n")
    assert books_of(named_database)["imports"] == []


def test_a_dry_run_shows_dates_as_the_map_means_them_and_texts_that_a_table_lacks(
    baton: Says,
) -> None:
    Path("map.yaml").write_text(
        "source: crm\ndates: '%d.%m.%Y'\ntimezone: Europe/Berlin\n"
        "columns: {external_id: Id, occurred_at: At, country: {column: Land, table: {Austria: AT}}}\n"
    )
    Path("leads.csv").write_text(
        "Id,At,Land\n1,31.12.2025,Perù\n2,31.12.2025,austria\n3,31.12.2025,Chad\n4,,Perù\n"
    )

    code, out, _ = baton(*IMPORT, "--dry-run")

    assert code == 0
    assert "2025-12-31 00:00 CET" in out
    assert "country: the table does not list “Perù” (2), “Chad” (1) of “Land”" in out


def test_an_audit_takes_days_of_the_company(baton: Says) -> None:
    said = baton("audit", "--since", "01.02.2026")
    assert said == (2, "", "baton: --since 01.02.2026: write 2026-02-01.\n")
    assert "is no day; write it as" in baton("audit", "--since", "2026-02-31")[2]
    assert baton("audit", "--since", "2026-02-01")[1].splitlines()[0].endswith("since 2026-02-01")
    assert baton("audit", "--sinc", "1")[2].endswith("Help: baton audit --help\n")


def test_stopped_by_ctrl_c_it_says_how_to_go_on_and_goes_on(
    baton: Says,
    named_database: Database,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(importing, "FIRST_BATCH", 1)
    monkeypatch.setattr(importing, "LEAST_BATCH", 1)
    monkeypatch.setattr(importing, "MOST_BATCH", 1)
    take = import_rows

    def stopped_in_the_second(work: Any, run: Any, rows: Any) -> Any:
        if run.cursor == 1:
            raise KeyboardInterrupt
        return take(work, run, rows)

    monkeypatch.setattr(importing, "import_rows", stopped_in_the_second)
    with pytest.raises(SystemExit, match="130"):
        baton(*IMPORT)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("baton: stopped after 1 rows, all of them counted. The same command")

    monkeypatch.setattr(importing, "import_rows", take)
    code, out, err = baton(*IMPORT)
    assert (code, err) == (1, "baton: goes on after 1 rows\n")
    assert out.startswith("leads.csv as history: 2 rows in ")
    assert books_of(named_database)["imports"][0]["cursor"] == 3
