"""`baton audit` on an imported export: its counts are those of a script that knows nothing of Baton."""

from __future__ import annotations

import csv
import shutil
from collections import Counter
from pathlib import Path

import pytest

from bot.cli import main
from bot.domain.audit import Tally
from bot.services.audit_leads import audit_leads
from bot.services.work import Work
from tests.audit_by_hand import READERS, count
from tests.services.desk_kit import Desk

ROOT = Path(__file__).parents[2]


def test_the_counts_of_the_sample_are_those_counted_by_hand(
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copy(ROOT / "samples" / "leads.csv", tmp_path)
    shutil.copy(ROOT / "playbook.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", database_url)
    assert (
        main(["import", "leads.csv", "--map", str(ROOT / "samples" / "leads.map.yaml")]) == 1
    )  # faulty rows
    capsys.readouterr()

    assert main(["audit", "--csv", "audit.csv"]) == 0

    by_hand = count(READERS["old crm"](tmp_path / "leads.csv"))
    desk = Desk(database_url)
    with desk.database.read() as conn:
        found = audit_leads(Work(conn, desk.now, desk.now, desk.agreement))
    desk.database.dispose()
    counted = {"all": as_counter(found.total)}
    counted |= {f"team {name}": as_counter(tally) for name, tally in found.by_team()}
    counted |= {f"source {name}": as_counter(tally) for name, tally in found.by_source()}
    assert counted == by_hand
    assert by_hand["all"]["never_touched"] > by_hand["all"]["rejected"] > 0

    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 88
    for title, name in (
        ("Never touched", "never_touched"),
        ("Self-reported only", "self_reported"),
    ):
        line = next(line for line in said.splitlines() if line.startswith(title))
        assert line.split(title)[1].split()[0] == str(by_hand["all"][name])
    with Path("audit.csv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == by_hand["all"]["leads"]
    assert sum(row["never_touched"] == "yes" for row in rows) == by_hand["all"]["never_touched"]
    for person in ("Novak", "globex", "@"):
        assert person not in said
        assert person not in str(rows)


def as_counter(tally: Tally) -> Counter[str]:
    names = ("leads", "never_touched", "self_reported", "rejected", "rerouted")
    return +Counter({name: getattr(tally, name) for name in names})
