"""The mapping file of an import: what it can say, and how it tells what is wrong with it."""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path

import pytest

from bot.playbook.column_map import ColumnMap, Mapped, RowFault, load_column_map

ROOT = Path(__file__).parents[2]
HEADER = ("Id", "Name", "Country", "City", "Visits", "Created", "Stage", "Seconds")
SMALL = """\
source: old crm
empty: [Select, n/a]
numbers: [Seconds]
decimal: ","
dates: ["%d.%m.%Y", "%d.%m.%Y %H:%M"]
timezone: Europe/Berlin
columns:
  external_id: Id
  first_name: {cel: '"Lead " + row["Id"]'}
  country: [{column: Country, table: {"United  States": US}}, {column: City, table: {Mumbai: IN}, otherwise: }]
  visits: {column: Visits, otherwise: 0}
  occurred_at: Created
  campaign: {constant: spring fair}
extra:
  minutes: {cel: 'int(row["Seconds"] / 60.0)'}
  seconds: Seconds
  long: {cel: 'row.Seconds >= 90'}
past:
  status: {column: Stage, table: {Closed: Won, open: working}}
  touches: Visits
  rejected: {cel: 'row["Stage"] == "back"'}
"""


def loaded(text: str = SMALL) -> ColumnMap:
    result = load_column_map(text, "map.yaml")
    assert result.column_map is not None, [str(fault) for fault in result.faults]
    return result.column_map


def faults(*changes: tuple[str, str]) -> list[str]:
    """What is wrong with the small map after these changes."""
    text = SMALL
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    result = load_column_map(text, "map.yaml")
    assert result.column_map is None
    return [str(fault) for fault in result.faults]


def mapped(text: str = SMALL, **cells: str) -> Mapped:
    """A row in which all cells but these are empty."""
    bound = loaded(text).bind(HEADER)
    return bound.row([cells.get(name, "") for name in HEADER])


def test_a_row_comes_under_batons_names() -> None:
    row = mapped(
        Id=" 7 ", Country="united states", City="n/A", Visits="1.200", Created="02.03.2026 09:30",
        Stage="CLOSED", Seconds="1.234,5",
    )  # fmt: skip

    assert row.lead == {
        "external_id": "7",
        "first_name": "Lead 7",
        "country": "US",
        "visits": 1200,
        "occurred_at": "2026-03-02T08:30:00+00:00",
        "campaign": "spring fair",
        "extra": {"minutes": 20, "seconds": 1234.5, "long": True},
    }
    assert row.past == {"status": "won", "touches": 1200, "rejected": False}


def test_empty_cells_are_nothing_and_tables_fall_back() -> None:
    text = SMALL.replace("touches: Visits", "touches: {constant: 0}")
    row = mapped(text, Country="SELECT", City="Mumbai", Visits="many", Stage="  ").lead
    assert (row["country"], row["visits"], row["occurred_at"]) == ("IN", 0, None)
    assert row["extra"] == {"minutes": 0, "seconds": 0, "long": False}
    assert mapped(Country="Norway", City="Mumbai").lead["country"] == "Norway"
    assert mapped(City="Thane").lead["country"] == ""


@pytest.mark.parametrize(
    ("cells", "sentence"),
    [
        ({"Stage": "limbo"}, "The column “Stage” is no status; there are received,"),
        ({"Seconds": "ten"}, "The column “Seconds” is no number."),
        (
            {"Created": "2026-03-02"},
            "The column “Created” is no date like %d.%m.%Y or %d.%m.%Y %H:%M (occurred_at).",
        ),
        ({"Visits": "1,5"}, "The column “Visits” is no whole number (past.touches)."),
        ({"Visits": "-3"}, "The column “Visits” must be between 0 and 10000 (past.touches)."),
    ],
)
def test_a_row_that_cannot_be_mapped_says_why_without_its_text(
    cells: dict[str, str], sentence: str
) -> None:
    with pytest.raises(RowFault) as fault:
        mapped(**cells)

    assert str(fault.value).startswith(sentence)
    assert "limbo" not in str(fault.value)


def test_an_expression_that_fails_on_a_row_is_that_rows_fault() -> None:
    text = SMALL.replace("touches: Visits", 'touches: {cel: \'10 / int(row["Visits"] + "0")\'}')
    assert mapped(text, Visits="1").past["touches"] == 1
    for visits, why in (("0", "a division by zero"), ("x", "it makes a number of a text")):
        with pytest.raises(RowFault, match=f"The expression of past.touches cannot .*{why}"):
            mapped(text, Visits=visits)


def test_every_fault_is_named_at_once_with_its_line() -> None:
    found = faults(
        ("source: old crm", "sauce: old crm"),
        ("%d.%m.%Y %H:%M", "%Q"),
        ("Europe/Berlin", "Europe/Berlni"),
        ("  external_id: Id\n", ""),
        ("campaign: {constant: spring fair}", "campain: {constant: spring fair}"),
        ("visits: {column: Visits, otherwise: 0}", "visits: {colum: Visits, cel: '1 +'}"),
        ("Closed: Won", "Closed: Wonn"),
        ("row[\"Stage\"] == \"back\"", "row[\"Stage\"] > 3.0"),
        ("long: {cel: 'row.Seconds >= 90'}", "long: {cel: 'rwo.Seconds >= 90'}"),
        ("touches: Visits", "touches: {cel: 'int(row[\"Visits\"])'}"),
        ("seconds: Seconds", "sec onds: Seconds"),
    )  # fmt: skip

    assert found == [
        "map.yaml:1: sauce: `sauce` is not known here (did you mean `source`?); there are source, columns, extra, "
        "past, numbers, empty, decimal, dates, timezone, spread",
        "map.yaml:1: source: is missing: the name that these leads get as their source",
        "map.yaml:5: dates[2]: `%Q` is no date format; write for example `%d.%m.%Y` or `%m/%d/%Y %H:%M`",
        "map.yaml:6: timezone: `Europe/Berlni` is no time zone (did you mean `Europe/Berlin`?); write a place like "
        "Europe/Berlin",
        "map.yaml:7: columns: needs `external_id` or `email`: what tells one lead from another",
        "map.yaml:10: columns.visits.cel: cannot be read at its character 4: mismatched input '<EOF>'",
        "map.yaml:10: columns.visits.colum: `colum` is not known here (did you mean `column`?); there are column, cel, "
        "constant, table, otherwise",
        next(line for line in found if "campain" in line),
        "map.yaml:15: extra.sec onds: `sec onds` cannot be asked for as `extra.…`; use letters, digits and _",
        "map.yaml:16: extra.long.cel: `rwo` is not known (did you mean `row`?); a column is `row[\"its name\"]`, text "
        "needs quotes",
        next(line for line in found if "Wonn" in line),
        "map.yaml:19: past.touches.cel: fails on an empty cell; name the column under `numbers:` and leave int(…) and "
        "double(…) out",
        "map.yaml:20: past.rejected.cel: compares or joins text with a number; columns are text unless they stand "
        "under `numbers:`, and numbers are written 1.0",
    ]  # fmt: skip
    assert "12: columns.campain: `campain` is no field here (did you mean `campaign`?)" in found[7]
    assert "18: past.status.table.Closed: `Wonn` is no status" in found[10]
    assert found[10].endswith("(did you mean `won`?)")


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("row.Seconds >= 90", "[1].all(x, x > 0)", "`all` is a loop"),
        ("row.Seconds >= 90", "row[row.City]", 'write `row["name of the column"]`'),
        ("row.Seconds >= 90", "size(row)", 'write `row["name of the column"]`'),
        ("row.Seconds >= 90", "row.City.matches(\"(\")", "no regular expression"),
        ("row.Seconds >= 90", "[1, 2]", "gives `[1, 2]`, which is no single text or number"),
        ("'\"Lead \" + row[\"Id\"]'", "'row.City == \"\"'", "which is true or false, where text"),
        ("table: {Mumbai: IN}", "table: {Mumbai: IN, MUMBAI: IN}", "stands here twice"),
        ("{constant: spring fair}", "{constant: a, column: City}", "exactly one of"),
        ("{constant: spring fair}", "{constant: a, otherwise: b}", "has no use beside a constant"),
        ("{constant: spring fair}", "[]", "must name 1 to 10 columns"),
        ("decimal: \",\"", "decimal: x", 'must be "." or ","'),
        ("dates:", "spread: {by: Id, from: 2026-01-01, to: 2026-02-01}\ndates:", "has no use beside"),
        ("  occurred_at: Created\n", "spread: {by: Id, from: 2026-03-01, to: 2026-02-01}\n", "columns.campaign"),
    ],
)  # fmt: skip
def test_faults_of_one_place(old: str, new: str, sentence: str) -> None:
    if sentence == "columns.campaign":  # damaged indentation: the parser itself complains
        assert faults((old, new))
    else:
        assert any(sentence in fault for fault in faults((old, new)))


def test_columns_are_compared_with_the_file() -> None:
    header = ("Id", "Name", "Countri", "City", "Visits", "Created", "Stage", "Seconds", "City")

    found = [str(fault) for fault in loaded().check_header(header)]

    assert found == [
        "map.yaml:10: columns.country[1]: the file has no column `Country` (did you mean `Countri`?)",
        "map.yaml:10: columns.country[2]: the file has 2 columns `City` (number 4, 9)",
    ]
    renamed = SMALL.replace("Seconds", "baton_fault")
    (fault, *_) = loaded(renamed).check_header((*HEADER, "baton_fault"))
    assert "Baton's own words" in str(fault)
    assert loaded().check_header(HEADER) == ()
    assert {fault.line for fault in loaded().check_header(HEADER[:-1])} == {3, 15, 16, 17}


def test_an_export_without_times_is_spread_over_a_period() -> None:
    spread = "spread: {by: Visits, from: 2026-01-01, to: 2026-01-10, between: [100, 200]}\n"
    column_map = loaded(spread + SMALL.replace("  occurred_at: Created\n", ""))
    assert column_map.spread is not None
    assert list(column_map.spread.between or ()) == [100, 200]
    bound = column_map.bind(HEADER)

    def arrived(number: str) -> object:
        return bound.row(["1", "", "", "", number, "", "", ""], (100, 200)).lead["occurred_at"]

    assert [arrived(number) for number in ("100", "150", "200", "1", "9.999")] == [
        "2025-12-31T23:00:00+00:00",
        "2026-01-05T22:59:59+00:00",
        "2026-01-10T22:59:59+00:00",
        "2025-12-31T23:00:00+00:00",
        "2026-01-10T22:59:59+00:00",
    ]
    assert column_map.spread.sentence((100, 200)) == (
        "The export holds no times of arrival: leads are spread from 2026-01-01 to 2026-01-10 by “Visits” (100 to 200)."
    )
    with pytest.raises(RowFault, match="“Visits” is no number, so the row has no place"):
        arrived("")


def test_the_same_text_is_the_same_map() -> None:
    again = loaded(SMALL + "\n").sha256
    assert loaded().sha256 == loaded().sha256
    assert loaded().sha256 != again
    assert loaded().source == "old crm"


def test_no_damage_stops_the_loader() -> None:
    chance = random.Random(3)
    signs = "{}[]:'\",\n #&*!|>%@`~-+()?=\x00é\ud800ax01"
    for _ in range(80):
        text = list(SMALL)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(text))
            text[at : at + chance.choice((0, 1, 1, 30))] = chance.choices(
                signs, k=chance.randint(0, 3)
            )
        result = load_column_map("".join(text))
        assert (result.column_map is None) == bool(result.faults)
        if result.column_map is not None and not result.column_map.check_header(HEADER):
            with suppress(RowFault):
                result.column_map.bind(HEADER).row(["1", "a", "b", "c", "2", "", "open", "3"])


@pytest.mark.parametrize(
    "text", ["", "- a", "a: *b", "x", "\x00", "columns: 3\nextra: []\npast: x"]
)
def test_what_is_no_map_is_told(text: str) -> None:
    assert load_column_map(text).faults
