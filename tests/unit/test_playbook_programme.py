"""Reports, challenges and whose figures may be shown, as the playbook says them.

What is not here: challenges that cannot be (`test_playbook_challenge_faults`).
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.commands.checking import print_findings
from bot.commands.programme_telling import days_in_words, programme_lines
from bot.domain.agreement import ReportTimes
from bot.domain.challenge import Counting, Kind, Rule, Terms
from bot.domain.people_figures import PeopleFigures
from bot.playbook.loading import LoadResult, load_playbook
from bot.playbook.schema import json_schema
from tests.unit.playbook_kit import SMALL, TODAY, USUAL_REPORTS, with_changes
from tests.unit.programme_kit import FIRST, NAMED, SPRING, agreed, held, spring, told

ROOT = Path(__file__).parents[2]


# ------------------------------------------------------------------ reports


def reports(written: str) -> LoadResult:
    return load_playbook(f"{SMALL}reports: {written}\n", today=TODAY)


@pytest.mark.parametrize(
    ("written", "times"),
    [
        ("", ReportTimes()),
        ("{}", ReportTimes()),
        ("{channel: C0BOTH001}", ReportTimes("C0BOTH001")),
        ("{weekly: fri 16:30}", ReportTimes(weekly_day=4, weekly_at=990)),
        ('{weekly: "Tue 8:00", digest: "07:15"}', ReportTimes("", 1, 480, 435)),
        ("{weekly: off, digest: off, monthly: off}", ReportTimes("", None, 540, None, False)),
        ("{weekly: no, digest: false, monthly: Off}", ReportTimes("", None, 540, None, False)),
        ("{weekly: on, digest: yes, monthly: true}", ReportTimes()),
    ],
)  # fmt: skip
def test_reports_go_as_written_and_as_usual_where_nothing_is(
    written: str, times: ReportTimes
) -> None:
    result = reports(written)
    assert result.agreement is not None, [str(fault) for fault in result.faults]
    assert result.agreement.reports == times


@pytest.mark.parametrize(
    ("written", "where", "message"),
    [
        ("{weekly: fri}", "reports.weekly", "`fri` says no time; write `mon 09:00`"),
        ('{weekly: "09:00"}', "reports.weekly", "`09:00` says no day; write `mon 09:00`"),
        ('{weekly: "mon 24:00"}', "reports.weekly", "`24:00` is not a time of the day"),
        ('{weekly: "mon 9:60"}', "reports.weekly", "`9:60` is not a time of the day"),
        ('{weekly: "mno 09:00"}', "reports.weekly", "`mno` is not a day (did you mean `mon`?)"),
        ('{weekly: "mon-fri 09:00"}', "reports.weekly", "is more than one day"),
        ('{weekly: ""}', "reports.weekly", "says no time"),
        ("{digest: 8}", "reports.digest", "`8` says no time; write `08:30`"),
        ('{digest: "mon-fri 08:30"}', "reports.digest", "names days; write the time alone"),
        ("{monthly: sometimes}", "reports.monthly", "`sometimes` is neither; write on or off"),
        ("{monthly: 1}", "reports.monthly", "write on or off"),
        ("{weekly: {mon: 9}}", "reports.weekly", "must be a single text"),
        ("{weakly: off}", "reports.weakly", "did you mean `weekly`?"),
        ("{channel: both}", "reports.channel", "`both` is not a channel id"),
        ('{channel: ""}', "reports.channel", "is not a channel id"),
        ("\n  channel: #both", "reports.channel", "# begins a comment"),
        ("mon 09:00", "reports", "must be a group"),
    ],
)  # fmt: skip
def test_a_faulty_time_of_a_report_is_told_where_it_is(
    written: str, where: str, message: str
) -> None:
    [(place, said)] = told(reports(written))
    assert place == where
    assert message in said


# ------------------------------------------------------------------ whose figures


def test_whose_figures_may_be_shown_is_said_by_team() -> None:
    result = load_playbook(with_changes(NAMED), today=TODAY)
    assert result.agreement is not None
    rules = {team.name: team.people_figures for team in result.agreement.teams.values()}
    assert rules == {"emea": PeopleFigures.NAMED, "west": PeopleFigures.TEAM}
    assert programme_lines(result.agreement) == [
        USUAL_REPORTS,
        "people_figures: emea named, west team (totals only, 1 rep)",
    ]


def test_an_unknown_rule_about_figures_is_no_rule() -> None:
    text = with_changes((NAMED[0], f"{NAMED[0]}, people_figures: everybody"))
    assert told(load_playbook(text, today=TODAY)) == [
        (
            "teams.emea.people_figures",
            "`everybody` is unknown; there are self, team, named",
        )
    ]


# ------------------------------------------------------------------ challenges that can be


def test_a_short_challenge_is_as_usual_where_it_says_nothing() -> None:
    result = held(spring())
    assert result.warnings == ()
    assert agreed(result) == (
        Terms(
            "Spring challenge",
            date(2027, 3, 1),
            date(2027, 3, 31),
            "Europe/Berlin",
            ("emea",),
            {Rule.ACCEPT: 1, Rule.FIRST_TOUCH: 2},
            Kind.IMPROVED,
        ),
    )


def test_every_key_of_a_challenge_counts() -> None:
    full = spring(
        kind="Teams", teams="[emea, west]", count="volume", minimum="8", most_a_day="20",
        points="{accept: 1, first_touch: 2, follow_up: 3, qualified: 5}",
        weigh="{hand_raiser: 2, score: {at_least: 80, times: 3}}", trial="yes",
        prizes='[dinner for the team, "a day off, or two"]', channel="C0BOTH001",
        post='"mon, wed,fri 9:05"', from_='"2027-03-01"',
    )  # fmt: skip
    [terms] = agreed(held(full))
    assert (terms.kind, terms.counting, terms.teams) == (
        Kind.TEAMS,
        Counting.VOLUME,
        ("emea", "west"),
    )
    assert dict(terms.points) == dict(zip(Rule, (1, 2, 3, 5), strict=True))
    assert (terms.minimum, terms.most_a_day, terms.hand_raiser) == (8, 20, 2)
    assert (terms.high_score, terms.high_score_times) == (80, 3)
    assert terms.prizes == ("dinner for the team", "a day off, or two")
    assert (terms.channel, terms.post_days, terms.post_at) == ("C0BOTH001", (0, 2, 4), 545)
    assert terms.trial
    assert terms.begins == date(2027, 3, 1)


def test_a_time_alone_is_the_time_of_every_working_day() -> None:
    [terms] = agreed(held(spring(post='"11:30"')))
    assert (terms.post_days, terms.post_at) == ((0, 1, 2, 3, 4), 690)


@pytest.mark.parametrize(
    "name", ["تحدي الربيع", "春のチャレンジ", "<!channel> & *all*", "no", "1e3"]
)
def test_a_name_in_any_script_is_a_name(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    result = held(spring(name=f'"{name}"', prizes=f'["{name}"]'))
    [terms] = agreed(result)
    assert (terms.name, terms.prizes) == (name, (name,))
    assert result.agreement is not None
    assert f"challenge: {name}, 1-31 March 2027" in programme_lines(result.agreement)[-1]
    print_findings(held(spring(name=f'"{name}"', teams="[emae]")))
    assert f"challenges.{name}.teams[1]: there is no team" in capsys.readouterr().out


def test_names_that_would_steer_a_terminal_or_break_a_line_are_shown_tamely() -> None:
    result = held(spring(name='"Spring\\n\\e[2J challenge"'))
    [terms] = agreed(result)
    assert terms.name == "Spring \x1b[2J challenge"
    assert result.agreement is not None
    assert programme_lines(result.agreement)[-1].startswith("challenge: Spring \\x1b[2J challenge,")


def test_what_was_understood_is_said_in_a_line() -> None:
    trial = spring(name="Rehearsal", trial="yes", from_="2027-02-27", to="2027-03-02")
    result = held(spring(prizes="[tea, cake]"), trial)
    assert result.agreement is not None
    assert programme_lines(result.agreement)[2:] == [
        "challenge: Spring challenge, 1-31 March 2027, emea, most improved by rate, "
        "board mon-fri 16:00 in C0EMEA01, 2 prizes",
        "challenge: Rehearsal, 27 February - 2 March 2027, emea, most improved by rate, "
        "a hidden trial run",
    ]
    assert (
        days_in_words(date(2026, 12, 31), date(2027, 1, 1)) == "31 December 2026 - 1 January 2027"
    )
    assert days_in_words(date(2027, 1, 1), date(2027, 1, 1)) == "1 January 2027"


def test_the_shipped_example_needs_but_its_comment_taken_away() -> None:
    shipped = (ROOT / "playbook.yaml").read_text(encoding="utf-8")
    before, _, example = shipped.partition("# challenges:\n")
    lines = [line.removeprefix("# ") for line in example.splitlines()]
    result = load_playbook("\n".join([before, "challenges:", *lines]), today=TODAY)
    assert (result.faults, result.warnings) == ((), ())
    assert result.agreement is not None
    assert len(result.agreement.challenges) == 1
    assert "team against team" in programme_lines(result.agreement)[-1]


@pytest.mark.parametrize("sample", sorted((ROOT / "samples").glob("*.playbook.yaml")), ids=str)
def test_the_sample_playbooks_are_fine(sample: Path) -> None:
    result = load_playbook(sample.read_text(encoding="utf-8"), today=TODAY)
    assert result.faults == ()
    assert [w.message for w in result.warnings if "was over" not in w.message] == []


# ------------------------------------------------------------------ whatever is written


def test_editors_know_the_keys_and_their_words() -> None:
    schema = json_schema()
    parts = schema["$defs"]
    challenge = parts["ChallengePart"]
    assert challenge["required"] == ["name", "from", "to", "teams", "points"]
    assert challenge["additionalProperties"] is False
    words = {
        key: challenge["properties"][key]["anyOf"][0] for key in ("kind", "count", "trial", "from")
    }
    assert words["kind"] == {"enum": ["race", "teams", "improved"]}
    assert words["count"] == {"enum": ["rate", "volume"]}
    assert words["from"] == {"type": "string", "format": "date"}
    assert True in words["trial"]["enum"]  # an editor with an older YAML reads `yes` so
    figures = parts["TeamPart"]["properties"]["people_figures"]["anyOf"][0]
    assert figures == {"enum": ["self", "team", "named"]}


_SCRAPS = ["", "{}", "[]", "[[]]", "on", "off", "-1", "0", "1e9", '"\\u202e"', "2027-03-01", "{a: b}", "[~, x]", "*a",
           "mon", "mon 09:00", "99:99", "：", "x" * 300]  # fmt: skip


@settings(max_examples=20, deadline=None)
@given(
    key=st.sampled_from([*SPRING, "weigh", "prizes", "channel", "post", "trial", "minimum", "most_a_day", "count"]),
    value=st.sampled_from(_SCRAPS) | st.text(max_size=10),
)  # fmt: skip
def test_whatever_stands_in_a_challenge_is_taken_or_told(key: str, value: str) -> None:
    result = held(spring(**{key: value}))
    assert (result.agreement is None) == bool(result.faults)
    assert all(1 <= fault.line <= FIRST + 20 and fault.message for fault in result.faults)
    if result.agreement is not None:
        assert len(programme_lines(result.agreement)) == 3
