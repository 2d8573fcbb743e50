"""What reports look like: one phone screen, Slack's limits, nobody's name where it must not stand, hostile names."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from typing import Any

import pytest

from bot.commands.report_files import COLUMNS, as_csv, as_json
from bot.domain.agreement import ClockKind
from bot.domain.funnel import Status
from bot.domain.kpi import Cut, Kpi, Ratio, Share
from bot.domain.kpi_definitions import DEFINITIONS
from bot.domain.kpi_version import version_of
from bot.domain.report import Load
from bot.rendering import charts
from bot.rendering.report_answer import (
    PersonFigures,
    ReportAnswer,
    find_definition,
    render_definition,
    render_definitions,
    render_report,
)
from bot.rendering.report_digest import Morning, TeamMorning, render_digest, says_something
from bot.rendering.report_message import render_monthly, render_weekly, render_weekly_rest
from bot.rendering.views import LeadFace, Reader
from bot.rendering.views_pages import LeadLine
from tests.unit.rendering_limits import Shown, faults, shown, texts, walk
from tests.unit.report_kit import HOSTILE, NOW, ZONE, parts, report, silent

READER = Reader(ZONE, NOW)


def chart_faults(block: dict[str, Any]) -> list[str]:
    """What Slack's page says of charts."""
    chart, found = block["chart"], []
    if not 1 <= len(block["title"]) <= 50:
        found.append("title")
    if chart["type"] == "pie":
        labels = [segment["label"] for segment in chart["segments"]]
        if not 1 <= len(labels) <= 6 or min(s["value"] for s in chart["segments"]) <= 0:
            found.append("segments")
    else:
        labels = chart["axis_config"]["categories"]
        names = [series["name"] for series in chart["series"]]
        points = [[point["label"] for point in series["data"]] for series in chart["series"]]
        if points != [labels] * len(names):
            found.append("points")
        if not 1 <= len(names) <= 6 or len(set(names)) < len(names) or max(map(len, names)) > 20:
            found.append("series")
    if not 1 <= len(labels) <= 20 or len(set(labels)) < len(labels):
        found.append("labels")
    if not all(1 <= len(label) <= 20 for label in labels):
        found.append("label length")
    return found


def everything() -> list[Shown]:
    """All messages about reports, with hostile names wherever somebody else wrote them."""
    made = [Shown("definitions", "ephemeral", render_definitions(DEFINITIONS, "<!channel>"))]
    made += [Shown(k, "ephemeral", render_definition(d)) for k, d in DEFINITIONS.items()]
    many = tuple(f"{name}{n}" for n in range(30) for name in HOSTILE)
    for names in (HOSTILE, many, ()):
        for team in ("", HOSTILE[0], HOSTILE[4]):
            full = report(team=team, parts=parts(names))
            load = Load(1, team, 12, 36.5, 10, 1, 3)
            people = tuple(PersonFigures(name, load) for name in many)
            answer = ReportAnswer(full, PersonFigures("", load), people, "Why not.")
            made += [
                Shown("weekly", "channel", render_weekly(full)),
                Shown("rest", "channel", render_weekly_rest(full)),
                Shown(
                    "monthly", "dm", render_monthly(replace(full, period=report("2026-02").period))
                ),
                Shown("answer", "ephemeral", render_report(answer)),
                Shown("digest", "dm", render_digest(morning(team or "emea", many))),
            ]
    nothing = report(
        values=silent(), before=silent(), baseline=None, parts={}, loads=(), down_minutes=0
    )
    made += [
        Shown("silent", "channel", render_weekly(nothing)),
        Shown("silent rest", "channel", render_weekly_rest(nothing)),
        Shown("silent month", "dm", render_monthly(nothing)),
        Shown("silent answer", "ephemeral", render_report(ReportAnswer(nothing))),
        Shown("silent digest", "dm", render_digest(Morning(READER, ()))),
    ]
    return made


def morning(team: str, names: tuple[str, ...] = ("Globex",)) -> Morning:
    leads = tuple(
        LeadLine(
            "of_1", LeadFace(name, name), Status.OFFERED, NOW, ClockKind.ACCEPT, None, name, name
        )
        for name in names
    )
    one = TeamMorning(team, report("2026-03-20"), leads, len(leads), 1, 2)
    return Morning(READER, (one,) * 8, stands_in_for=names[0])


def test_nothing_breaks_a_limit_and_nothing_acts() -> None:
    for each in everything():
        drawn = [b for b in each.body["blocks"] if b["type"] == charts.KIND]
        assert [fault for block in drawn for fault in chart_faults(block)] == [], each.name
        rest = [b for b in each.body["blocks"] if b["type"] != charts.KIND]
        assert faults(each._replace(body={**each.body, "blocks": rest})) == [], each.name
        assert "<" not in each.body["text"], each.name
        assert len(drawn) <= (1 if each.name == "weekly" else 0)


def test_the_week_is_one_phone_screen_and_says_last_week_in_brackets() -> None:
    body = render_weekly(report())
    first, *lines = body["text"].split("\n")
    assert first == (
        "Week 12: 61 offered (48) · 69 % answered in time (69) · 70 % touched in time (70) "
        "· 79 untouched over 72 h (63) · marketing reviewed 74 % in time (74)"
    )
    assert first[:60].startswith("Week 12: 61 offered (48) · 69 % answered in time")
    assert len(lines) <= 10
    assert max(map(len, lines)) <= 130
    assert "69 % answered in time (69 %), 69 of 100" in lines
    assert any(line.startswith("Best source: emea, ") for line in lines)
    assert [b["type"] for b in body["blocks"]] == ["rich_text", "data_visualization", "context"]


def test_the_chart_shows_the_numbers_that_stand_in_the_text() -> None:
    body = render_weekly(report())
    (chart,) = [b for b in body["blocks"] if b["type"] == charts.KIND]
    this, before = chart["chart"]["series"]
    assert (this["name"], before["name"]) == ("Week 12", "Before")
    for series in (this, before):
        for point in series["data"]:
            assert f"{point['value']} %" in body["text"]


def test_what_was_not_promised_the_week_before_is_no_bar_of_nothing() -> None:
    first = report()
    first = replace(first, before={**first.before, Kpi.DECIDED_IN_TIME: Share(0, 0)})
    (chart,) = [b for b in render_weekly(first)["blocks"] if b["type"] == charts.KIND]
    assert [series["name"] for series in chart["chart"]["series"]] == ["Week 12"]
    assert "72 % of 100 decided · 73 %" in render_weekly(first)["text"]


def test_a_week_without_leads_is_one_line() -> None:
    nothing = report(values=silent(), parts={})
    assert render_weekly(nothing)["text"] == "Week 12: no leads came to sales (48 the week before)."
    assert len(render_weekly(nothing)["blocks"]) == 1


def test_a_percentage_is_never_said_without_what_it_is_of() -> None:
    body = render_report(ReportAnswer(report()))
    for line in shown(body).split("\n"):
        if "% answered in time" in line:
            assert " of " in line, line


def test_sources_with_few_leads_and_equal_ones_are_not_ranked() -> None:
    few = {(Kpi.PICKED_UP, Cut.SOURCE): (("a", Share(4, 4)), ("b", Share(50, 100)))}
    equal = {(Kpi.PICKED_UP, Cut.SOURCE): (("a", Share(5, 10)), ("b", Share(50, 100)))}
    for found in (few, equal):
        assert "source" not in render_weekly(report(parts=found))["text"]


def test_nobody_is_named_where_others_read_it() -> None:
    named = parts(("emea",)) | {(k, Cut.PERSON): (("Ann Lee", Share(1, 9)),) for k in Kpi}
    found = report(parts=named)
    for body in (render_weekly(found), render_weekly_rest(found), render_monthly(found)):
        assert "Ann" not in texts(body)
    assert "Ann" not in as_csv(found) + as_json(found)


def test_the_digest_names_what_needs_the_manager_first() -> None:
    view = replace(morning("emea"), teams=morning("emea").teams[:1], stands_in_for="")
    first, *lines = render_digest(view)["text"].split("\n")
    assert first.startswith("emea: 1 overdue · ")
    assert "2 untouched over 72 h" in first
    assert "🔴 09:00 · Globex, Globex: accept, with Globex, Globex" in lines
    assert any(
        line.startswith("Fri 20 March: 61 offered · 69 % of 100 answered in time") for line in lines
    )


def test_a_morning_without_anything_is_not_said() -> None:
    nothing = report("2026-03-20", values=silent())
    assert not says_something(TeamMorning("emea", nothing))
    assert says_something(TeamMorning("emea", nothing, untouched=1))
    assert says_something(TeamMorning("emea", report("2026-03-20")))
    slept = replace(nothing, values={**nothing.values, Kpi.RECYCLED: Ratio(1, 0)})
    assert not says_something(TeamMorning("emea", slept))


@pytest.mark.parametrize(
    ("asked", "kpi"),
    [
        ("pick-up", Kpi.PICKED_UP),
        ("Pick up rate", Kpi.PICKED_UP),
        ("answered in time", Kpi.ACCEPTED_IN_TIME),
        ("accepted_in_time", Kpi.ACCEPTED_IN_TIME),
        ("speed", Kpi.SPEED_TO_LEAD),
        ("sal", Kpi.BECAME_SAL),
        ("escalation", Kpi.ESCALATIONS),
        ("", None),
        ("zzzz", None),
        ("<!channel>" * 20, None),
    ],
)
def test_a_figure_is_found_by_what_people_call_it(asked: str, kpi: Kpi | None) -> None:
    found = find_definition(DEFINITIONS, asked)
    assert (found.kpi if found is not None else None) is kpi


def test_a_definition_says_all_of_itself() -> None:
    made = DEFINITIONS[Kpi.PICKED_UP]
    said = shown(render_definition(made))
    for part in (
        made.title,
        made.kpi.value,
        made.formula,
        made.source,
        made.leaves_out,
        "More is better",
    ):
        assert part in said


def test_files_carry_what_a_figure_is_made_of_and_no_formula() -> None:
    found = report(parts=parts(HOSTILE))
    rows = list(csv.DictReader(io.StringIO(as_csv(found))))
    assert tuple(rows[0]) == COLUMNS
    assert {row["definitions"] for row in rows} == {version_of(DEFINITIONS)}
    assert {row["period"] for row in rows} == {"2026-W12"}
    assert not [c for row in rows for c in row.values() if c.startswith(tuple("=+-@\t\r"))]
    whole = {(r["kpi"], r["values"]): r for r in rows if not r["cut"]}
    assert len(whole) == 3 * len(Kpi)
    answered = whole["accepted_in_time", "this"]
    assert [answered[c] for c in ("unit", "n", "count", "percent")] == [
        "percent",
        "100",
        "69",
        "69",
    ]
    assert "person" not in {row["cut"] for row in rows}
    teams = [row["part"] for row in rows if (row["kpi"], row["cut"]) == ("offered", "team")]
    assert teams[0] == "<!channel>"

    data = json.loads(as_json(found))
    assert data["definitions"] == version_of(DEFINITIONS)
    assert [figure["kpi"] for figure in data["figures"]] == list(Kpi)
    assert data["figures"][1]["before"] == {"n": 48, "count": 48}


def test_another_word_in_a_definition_is_another_version() -> None:
    other = {**DEFINITIONS, Kpi.OFFERED: replace(DEFINITIONS[Kpi.OFFERED], leaves_out="nothing")}
    assert (
        version_of(other)
        != version_of(DEFINITIONS)
        == version_of(dict(reversed(list(DEFINITIONS.items()))))
    )


def test_charts_keep_every_limit() -> None:
    names = [*HOSTILE, *HOSTILE, *(f"Alexandra S{n}" + "e" * 20 for n in range(15))]
    bars = charts.bar_chart(
        "t" * 60, [(n, list(range(len(names)))) for n in names], names, "l" * 60
    )
    pie = charts.pie_chart(
        "<!channel>" * 9, [(n, 0 if k % 3 else k + 1) for k, n in enumerate(names)]
    )
    assert bars is not None
    assert pie is not None
    assert chart_faults(bars) == chart_faults(pie) == []
    assert not [t for t in walk([bars, pie]) if "<" in str(t.get("label", ""))]
    assert pie["chart"]["segments"][-1]["label"] == "Other"
    assert sum(s["value"] for s in pie["chart"]["segments"]) == sum(
        k + 1 for k in range(len(names)) if not k % 3
    )
    assert charts.bar_chart("t", [("a", [0, 0])], ["x", "y"]) is None
    assert charts.pie_chart("t", [("a", 0)]) is None
    assert charts.unique_labels(["Alexandra Schwarzenegger", "Alexandra Sommerfeldbach"]) == [
        "Alexandra S.",
        "Alexandra Sommerfel…",
    ]
    with pytest.raises(ValueError, match="one value for each"):
        charts.bar_chart("t", [("a", [1])], ["x", "y"])
