"""`baton report` on the terminal and into files."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.domain.kpi import Kpi
from storage.database import Database

Says = Callable[..., tuple[int, str, str]]


@pytest.mark.usefixtures("named_database")
def test_a_report_without_leads_is_whole_and_fits_a_terminal(baton: Says) -> None:
    code, out, err = baton("report")
    assert (code, err) == (0, "")
    assert "Answered in time" in out
    assert "Untouched over 72 h" in out
    assert max(map(len, out.splitlines())) <= 100

    code, out, _ = baton("report", "--period", "2026-03", "--csv", "-")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0
    assert {row["kpi"] for row in rows} == set(Kpi)
    assert {row["period"] for row in rows} == {"2026-03"}

    code, out, _ = baton("report", "--period", "all", "--json", "-")
    assert json.loads(out)["period"] == "all"

    code, out, _ = baton("report", "--csv", "r.csv", "--json", "r.json")
    assert code == 0
    assert out.startswith("Week ")
    assert Path("r.csv").read_text().startswith("definitions,kpi,")
    assert json.loads(Path("r.json").read_text())["figures"]
    assert baton("report", "--csv", "nowhere/r.csv")[0] == 2


def test_what_cannot_be_reported_is_said_in_a_sentence(
    baton: Says, named_database: Database
) -> None:
    assert baton("report", "--team", "atlantis")[2].startswith(
        "baton: There is no team atlantis; teams: "
    )
    code, _, err = baton("report", "--period", "sometime")
    assert code == 2
    assert "sometime" in err
    assert baton("report", "--csv", "-", "--json", "-")[0] == 2


@pytest.mark.usefixtures("named_database")
def test_team_and_period_can_be_typed_as_in_slack(baton: Says) -> None:
    for said in (
        ("EMEA", "2026-03"),
        ("2026-03", "emea"),
        ("--team", "emea", "--period", "2026-03"),
    ):
        code, out, _ = baton("report", *said, "--json", "-")
        found = json.loads(out)
        assert (code, found["team"], found["period"]) == (0, "emea", "2026-03")
    assert json.loads(baton("report", "2026-03", "--json", "-")[1])["team"] == ""

    code, _, err = baton("report", "atlantis")
    assert code == 2
    assert "atlantis" in err
    assert "teams: " in err
    assert baton("report", "emea", "--team", "emea")[0] == 2


def test_a_figure_explains_itself_without_a_database(baton: Says) -> None:
    code, out, _ = baton("report", "--what", "pick-up")
    assert code == 0
    assert out.startswith("Picked up (")
    assert "Leaves out" in out
    assert baton("report", "--what", "zzzz")[0] == 2
