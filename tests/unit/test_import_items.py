"""Rows of an export as leads with a past, and the maps that ship."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.domain.funnel import Status
from bot.domain.lead import display_name
from bot.domain.past import BadRow, ImportMode, ImportRow, Past
from bot.domain.scoring import judge, score_lead
from bot.playbook.column_map import ColumnMap, load_column_map
from bot.playbook.conditions import rule_input
from bot.playbook.loading import load_playbook
from handlers.csv_rows import open_csv
from handlers.import_items import ImportItems, open_items
from handlers.lead_body import lead_facts

SAMPLES = Path(__file__).parents[2] / "samples"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MAP = """\
source: crm
columns: {external_id: Id, email: Mail, visits: Visits, company: Company, occurred_at: Date, account_owner: Rep}
past: {status: Stage, touches: Calls, rejected: Back, reason: Why, owner: Rep}
"""
HEAD = "Id,Mail,Visits,Company,Date,Rep,Stage,Calls,Back,Why\n"
Export = Callable[..., ImportItems]


@pytest.fixture
def export(tmp_path: Path) -> Export:
    """An export under a map, ready to be read."""

    def made(rows: str, text: str = MAP, mode: ImportMode = ImportMode.HISTORY) -> ImportItems:
        path = tmp_path / "leads.csv"
        path.write_text(HEAD + rows, encoding="utf-8")
        file = open_csv(path)
        column_map = map_of(text)
        assert column_map.check_header(file.header) == ()
        return open_items(file, column_map, mode=mode, now=NOW)

    return made


def map_of(text: str) -> ColumnMap:
    result = load_column_map(text)
    assert result.column_map is not None, [str(fault) for fault in result.faults]
    return result.column_map


def test_a_row_is_a_lead_as_http_takes_it_with_its_past(export: Export) -> None:
    rows = "7,Jana@Globex.example,3,Globex\u202e  GmbH,2026-03-01T09:30+01:00,ann@acme.example,won,4,no,\n"

    (row,) = export(rows).items()

    wire = {
        "external_id": "7", "email": "Jana@Globex.example", "visits": "3", "company": "Globex\u202e  GmbH",
        "occurred_at": "2026-03-01T09:30+01:00", "account_owner": "ann@acme.example",
    }  # fmt: skip
    happened = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
    assert row == ImportRow(
        2,
        lead_facts(wire, source="crm", now=NOW),
        Past(Status.WON, owner="ann@acme.example", touches=4, arrived_at=happened),
    )
    assert row.facts.company == "Globex GmbH"


def test_each_bad_row_is_told_and_the_rest_goes_on(export: Export) -> None:
    rows = (
        "1,,,,,,,,,\n"
        ",no address,,,,,,,,\n"
        "2,,many,,,,,,,\n"
        "3,,,,,,limbo,,,\n"
        "4,,,,2031-01-01T00:00Z,,,,,\n"
        "5,,,,1970-01-01T00:00Z,,,,,\n"
        "6,,,,yesterday,,,,,\n"
        "7,,,,2026-01-01,,,,,\n"
        f"{'8' * 301},,,,,,,,,\n"
        "9,,,,,,,x,,\n"
        "10,,,,,,,,perhaps,\n"
        "11\n"
        "12,,,,,,nurturing,2,yes,no budget\n"
    )

    items = list(export(rows).items())

    assert {item.line: item.reason for item in items if isinstance(item, BadRow)} == {
        3: "A lead needs an external_id or an e-mail address.",
        4: "The column “Visits” is no number (visits).",
        5: "The column “Stage” is no status; there are " + ", ".join(Status) + " (past.status).",
        7: "past.arrived_at lies before 1980.",
        8: "The column “Date” is no date like 2026-03-01 or 2026-03-01T09:30; say `dates:` (occurred_at).",
        9: "The column “Date” has no time zone; say `timezone:` in the map (occurred_at).",
        10: "external_id is longer than 300 characters.",
        11: "The column “Calls” is no number (past.touches).",
        12: "The column “Back” is neither yes nor no (past.rejected).",
        13: "The row has 1 cells, too few: the header has 10.",
    }
    last = items[-1]
    assert isinstance(last, ImportRow)
    assert last.past == Past(Status.NURTURING, touches=2, rejected=True, reason="no budget")
    assert [item.line for item in export(rows).items(11)] == [13, 14]


def test_offers_have_no_past_and_do_not_fail_on_it(export: Export) -> None:
    rows = "1,,,,1970-01-01T00:00Z,,limbo,x,perhaps,\n"

    (row,) = export(rows, mode=ImportMode.OFFER).items()

    assert isinstance(row, ImportRow)
    assert row.past == Past()


def test_the_past_says_itself_when_a_lead_arrived(export: Export) -> None:
    text = (
        MAP.replace(", occurred_at: Date", "").replace("Why, owner: Rep", "Why, arrived_at: Date")
        + "timezone: Asia/Kolkata\n"
    )
    old, ahead = export("1,,,,2026-01-02,,,,,\n2,,,,2027-01-02,,,,,\n", text).items()

    assert isinstance(old, ImportRow)
    assert old.past.arrived_at == datetime(2026, 1, 1, 18, 30, tzinfo=UTC)
    assert ahead == BadRow(3, "past.arrived_at lies in the future.")


def test_a_spread_without_ends_takes_those_of_the_file(export: Export) -> None:
    text = MAP.replace(", occurred_at: Date", "")
    text += "spread: {by: Visits, from: 2026-01-01, to: 2026-01-01}\n"
    items = export("1,,30,,,,,,,\n2,,10,,,,,,,\nbroken\n3,,,,,,,,,\n4,,20,,,,,,,\n", text)

    rows = list(items.items())

    assert items.notes == (
        "The export holds no times of arrival: leads are spread from 2026-01-01 to 2026-01-01 by “Visits” (10 to 30).",
    )
    hours = [row.past.arrived_at for row in rows if isinstance(row, ImportRow)]
    assert [at.isoformat() for at in hours if at] == [
        "2026-01-01T23:59:59+00:00",
        "2026-01-01T00:00:00+00:00",
        "2026-01-01T11:59:59+00:00",
    ]
    assert [row.line for row in rows if isinstance(row, BadRow)] == [4, 5]


def test_the_sample_that_ships_shows_what_happens() -> None:
    column_map = map_of((SAMPLES / "leads.map.yaml").read_text(encoding="utf-8"))
    file = open_csv(SAMPLES / "leads.csv")
    assert column_map.check_header(file.header) == ()

    items = list(open_items(file, column_map, mode=ImportMode.HISTORY, now=NOW).items())

    good = [item for item in items if isinstance(item, ImportRow)]
    assert [item.line for item in items if isinstance(item, BadRow)] == [23, 24]
    assert (len(items), len({row.facts.external_id for row in good})) == (30, 27)
    assert {row.past.status.value for row in good} == {
        "won", "lost", "working", "nurturing", "disqualified",
    }  # fmt: skip


EDUCATION = (
    "Prospect ID,Lead Number,Lead Origin,Lead Source,Do Not Email,Do Not Call,Converted,TotalVisits,"
    "Total Time Spent on Website,Page Views Per Visit,Last Activity,Country,Specialization,"
    "What is your current occupation,Tags,City,Asymmetrique Activity Index,Asymmetrique Profile Index,"
    "Last Notable Activity\n"
    "a,660128,API,Olark Chat,No,No,0,0,0,0,Olark Chat Conversation,,,,,,01.High,02.Medium,Modified\n"
    "b,619840,Lead Add Form,Reference,Yes,No,1,,1000,2.5,SMS Sent,,Select,Working Professional,"
    "Will revert after reading the email,Mumbai,,,Had a Phone Conversation\n"
    "c,579533,Landing Page Submission,google,No,Yes,0,9,1200,3,Unreachable,unknown,Finance Management,Unemployed,"
    "Interested  in full time MBA,Select,,,Modified\n"
    "d,600000,API,Google,No,No,0,1,5,1,Email Opened,United States,Select,Student,Already a student,Other Cities,,,"
    "Modified\n"
)


def test_education_leads_live_without_a_name_or_address(tmp_path: Path) -> None:
    path = tmp_path / "education.csv"
    path.write_text(EDUCATION, encoding="utf-8")
    file = open_csv(path)
    column_map = map_of((SAMPLES / "education.map.yaml").read_text(encoding="utf-8"))
    text = (SAMPLES / "education.playbook.yaml").read_text(encoding="utf-8")
    playbook = load_playbook(text, today=NOW.date())
    assert (playbook.faults, playbook.warnings) == ((), ())
    assert playbook.agreement is not None
    assert column_map.check_header(file.header) == ()

    rows = [
        row
        for row in open_items(file, column_map, mode=ImportMode.HISTORY, now=NOW).items()
        if isinstance(row, ImportRow)
    ]

    assert [(r.past.status.value, r.past.touches, r.past.self_reported, r.past.routed) for r in rows] == [
        ("nurturing", 0, 0, 0), ("won", 1, 1, 1), ("nurturing", 1, 1, 1), ("disqualified", 0, 0, 1),
    ]  # fmt: skip
    assert [r.past.reason for r in rows] == ["", "will_answer", "other_product", "already_ours"]
    assert [r.past.rejected for r in rows] == [False, False, False, True]
    assert [(r.facts.country, r.facts.extra["city"], r.facts.campaign) for r in rows] == [
        ("", "", "Olark Chat"), ("IN", "Mumbai", "Reference"), ("", "", "Google"), ("US", "", "Google"),
    ]  # fmt: skip
    assert [display_name(r.facts) for r in rows][:2] == ["Lead 660128", "Lead 619840"]
    arrived = [r.past.arrived_at for r in rows if r.past.arrived_at]
    assert [at.date().isoformat() for at in (max(arrived), min(arrived))] == ["2026-10-31", "2025-10-31"]  # fmt: skip
    good = []
    for row in rows:
        score, faults = score_lead(playbook.agreement, row.facts, rule_input)
        verdict = judge(playbook.agreement, row.facts, score, rule_input)
        assert (faults, verdict.faults) == ((), ())
        good.append(verdict.mql)
    assert good == [False, True, False, False]  # c has the points, but asked not to be called
