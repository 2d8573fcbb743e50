"""The playbook that ships, the shape of what comes out, and that no text whatever breaks the loader."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.agreement import Agreement, ClockKind, Role, StepKind, StepRule
from bot.domain.business_time import Duration, DurationKind
from bot.playbook.document import MAX_BYTES, read_document
from bot.playbook.loading import load_playbook
from bot.playbook.schema import json_schema
from tests.unit.playbook_kit import SMALL, TODAY

SHIPPED = (Path(__file__).parents[2] / "playbook.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def agreement() -> Agreement:
    result = load_playbook(SHIPPED, today=TODAY)
    assert [str(fault) for fault in (*result.faults, *result.warnings)] == []
    assert result.agreement is not None
    return result.agreement


def test_the_shipped_playbook_is_without_fault_or_warning(agreement: Agreement) -> None:
    assert agreement.company == "Acme"
    assert 12 <= len(agreement.people) <= 14
    zones = {person.calendar.zone.key for person in agreement.people.values()}
    assert {"Europe/Vienna", "America/New_York", "Asia/Singapore"} <= zones
    assert agreement.signer_sales == "vera.stone@acme.example"
    assert agreement.review_every == timedelta(days=180)
    assert agreement.version == 0


def test_people_know_their_names_roles_and_team(agreement: Agreement) -> None:
    ann = agreement.people["ann.lee@acme.example"]
    assert (ann.name, ann.team, ann.languages, ann.open_cap) == (
        "Ann Lee",
        "emea",
        ("de", "en"),
        20,
    )
    dana = agreement.people["dana.weiss@acme.example"]
    assert dana.roles == {Role.MANAGER, Role.REP}
    assert dana.team == ""
    assert [team.name for team in agreement.teams_managed_by(dana.email)] == ["emea"]
    assert agreement.team_of(ann.email) is agreement.teams["emea"]


def test_own_hours_replace_the_teams_and_holidays_are_where_people_work(
    agreement: Agreement,
) -> None:
    ann = agreement.people["ann.lee@acme.example"].calendar
    ben = agreement.people["ben.ode@acme.example"].calendar
    ivy = agreement.people["ivy.tan@acme.example"].calendar
    assert not ann.is_open(
        datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    )  # 13:00 in Vienna: lunch of EMEA
    assert ann.is_open(datetime(2026, 11, 23, 13, 0, tzinfo=UTC))
    assert date(2026, 12, 8) in ann.holidays  # Austria's, not Germany's
    assert date(2026, 12, 8) not in ben.holidays
    assert ivy.weekly == dict.fromkeys(range(4), ((540, 1080),))
    assert not ben.is_open(datetime(2026, 12, 31, 14, 0, tzinfo=UTC))  # the company's closure
    dana = agreement.people["dana.weiss@acme.example"].calendar
    assert (
        dana.weekly == agreement.teams["emea"].calendar.weekly
    )  # managers keep their team's hours
    vera = agreement.people["vera.stone@acme.example"].calendar
    assert vera.weekly == agreement.calendar.weekly
    pia = agreement.people["pia.lund@acme.example"].calendar
    assert pia.weekly == agreement.marketing.calendar.weekly


def test_clocks_and_steps_are_values(agreement: Agreement) -> None:
    raiser, standard = agreement.slas
    accept = raiser.clocks[ClockKind.ACCEPT]
    assert accept.within == Duration(DurationKind.BUSINESS, 900, "15m")
    assert accept.steps == (
        StepRule(75, StepKind.REMIND),
        StepRule(100, StepKind.ESCALATE, "manager"),
        StepRule(100, StepKind.REOFFER),
    )
    assert standard.when is None
    assert standard.clocks[ClockKind.FOLLOW_UP].touches == 5
    assert standard.clocks[ClockKind.SHELF_LIFE].within.kind is DurationKind.CLOCK
    review = agreement.marketing_slas[ClockKind.REVIEW]
    assert review.steps[-1] == StepRule(100, StepKind.ESCALATE, "marketing.above")


def test_reasons_carry_what_follows_and_whether_a_note_is_needed(agreement: Agreement) -> None:
    reject = {reason.code: reason for reason in agreement.reject_reasons}
    assert reject["wrong_territory"].then == "reroute"
    assert reject["other"].note_required
    assert not reject["duplicate"].note_required
    recycle = {reason.code: reason.wake_after.days for reason in agreement.recycle_reasons}
    assert recycle == {
        "not_now": 60, "no_budget": 90, "under_contract": 180, "competitor": 1825, "other": 90
    }  # fmt: skip


def test_without_a_turn_back_list_the_reject_reasons_hold() -> None:
    begin, end = SHIPPED.index("  turn_back:"), SHIPPED.index("  recycle:\n")
    result = load_playbook(SHIPPED[:begin] + SHIPPED[end:], today=TODAY)
    assert result.agreement is not None
    assert result.agreement.turn_back_reasons == result.agreement.reject_reasons


def test_somebody_without_a_name_is_called_after_the_address() -> None:
    text = SHIPPED.replace("{name: Ann Lee, roles", "{roles").replace("name: Ben Ode", "name: ")
    result = load_playbook(text, today=TODAY)
    assert result.agreement is not None
    assert result.agreement.people["ann.lee@acme.example"].name == "Ann Lee"
    assert result.agreement.people["ben.ode@acme.example"].name == "Ben Ode"


def test_capital_letters_in_addresses_make_no_difference() -> None:
    text = SHIPPED.replace("members: [ann.lee@acme.example", "members: [Ann.Lee@Acme.example")
    result = load_playbook(text, today=TODAY)
    assert result.agreement is not None
    assert result.agreement.teams["emea"].members[0] == "ann.lee@acme.example"


def test_the_same_text_has_the_same_fingerprint() -> None:
    first, second = load_playbook(SHIPPED, today=TODAY), load_playbook(SHIPPED + "\n", today=TODAY)
    assert first.sha256 == load_playbook(SHIPPED, today=TODAY).sha256
    assert first.sha256 != second.sha256


def test_text_stays_text() -> None:
    data = read_document('a: 17:30\nb: NO\nc: 2026-12-24\nd: 1.10\ne: ~\nf: "null"\n').data
    assert data == {"a": "17:30", "b": "NO", "c": "2026-12-24", "d": "1.10", "e": None, "f": "null"}


def test_editors_get_a_schema_that_knows_what_must_be_there() -> None:
    schema = json_schema()
    assert "people" in schema["required"]
    assert schema["$defs"]["TeamPart"]["required"] == ["manager", "members", "channel"]
    assert "from" in schema["$defs"]["ClosurePart"]["properties"]
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "holds no playbook"),
        ("just words", 1, "holds no playbook"),
        ("- a\n- b", 1, "holds no playbook"),
        ("a: 1\nb: [", 2, "a bracket or a quote is not closed"),
        ("a: 1\nb: c: d", 2, "put the text into quotes"),
        ("a: 1\n\tb: 2", 2, "not valid YAML"),
        ("a: &x {b: 1}\nc: *x", 2, "is an alias"),
        ("a: 1\nb: !!python/object:os.system x", 2, "is a tag"),
        ("a: 1\n---\nb: 2", 2, "a second document"),
        ("a: 1\nb: 2\na: 3", 3, "`a` stands here for the second time (first in line 1)"),
        ("? [a]\n: 1", 1, "a key must be plain text"),
        ("a: \x00", 1, "not valid YAML"),
        ('a: 1\nb: "\\ud800"', 2, "cannot be stored"),
        ('a: "\\UFFFFFFFF"', 1, "not valid YAML"),
        ("a: " + "[" * 5000, 1, "nested more than 16 levels deep"),
        ("#" * (MAX_BYTES + 1), 1, "512 KiB is the most"),
    ],
)
def test_what_is_no_playbook_is_refused_with_its_line(text: str, line: int, message: str) -> None:
    result = load_playbook(text, today=TODAY)
    assert result.agreement is None
    assert any(fault.line == line and message in fault.message for fault in result.faults), [
        str(fault) for fault in result.faults
    ]


def test_an_alias_bomb_is_a_fault_and_not_a_bomb() -> None:
    lines = ["a0: &a0 [x, x, x]"]
    lines += [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}]" for n in range(1, 60)]
    result = load_playbook("\n".join(lines), today=TODAY)
    assert result.agreement is None
    assert any("is an alias" in fault.message for fault in result.faults)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=300))
def test_no_text_breaks_the_loader(text: str) -> None:
    assert load_playbook(text, today=TODAY).agreement is None


_LINES = SMALL.splitlines()
_SCRAPS = st.sampled_from(
    ["", "{", "]", ": ", "- ", "null", "-1", "1e99", "[[]]", "{a: {b: c}}", "*a", "!x y", '"', "99999999999999999999"]
)  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(
    line=st.integers(0, len(_LINES) - 1),
    cut=st.tuples(st.integers(0, 120), st.integers(0, 120)),
    scrap=_SCRAPS | st.text(max_size=12),
)
def test_no_damaged_playbook_breaks_the_loader(line: int, cut: tuple[int, int], scrap: str) -> None:
    begin, end = sorted(cut)
    damaged = _LINES[line][:begin] + scrap + _LINES[line][end:]
    text = "\n".join([*_LINES[:line], damaged, *_LINES[line + 1 :]])
    result = load_playbook(text, today=TODAY)
    assert (result.agreement is None) == bool(result.faults)
    assert all(1 <= fault.line <= text.count("\n") + 2 for fault in result.faults)
    assert all(fault.message for fault in result.faults)


_SECTIONS = [
    "company", "agreement", "definition", "scoring", "people", "teams", "marketing", "routing", "slas",
    "marketing_slas", "reasons",
]  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(
    key=st.sampled_from(_SECTIONS),
    value=st.sampled_from(["x", "[1, {a: 2}]", "{a: }", "{a: {b: [c]}}", "[[x]]", "{a: x}"]),
)
def test_a_section_of_the_wrong_kind_is_a_fault_of_that_section(key: str, value: str) -> None:
    begin = f"\n{SMALL}".index(f"\n{key}:")
    rest = SMALL[begin:].splitlines()
    after = next((i for i, line in enumerate(rest) if i and line[:1] != " "), len(rest))
    text = SMALL[:begin] + f"{key}: {value}\n" + "\n".join(rest[after:])
    result = load_playbook(text, today=TODAY)
    assert result.agreement is None
    assert any(fault.where.startswith(key) for fault in result.faults)
