"""Conditions: what they may say, what they see of a lead, and that whatever goes wrong is a fault of the rule."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.agreement import RuleFault, RuleInput
from bot.domain.lead import LeadFacts
from bot.playbook.conditions import NAMES, ConditionFault, compile_condition, rule_input

JANA = LeadFacts(
    source="contact_me",
    external_id="42",
    email="Jana.Novak@Globex.example",
    title="VP Operations",
    country="AT",
    language="de",
    employees=540,
    visits=3,
    extra={"plan": "pro", "seats": 12, "trial": {"days": 14.5}, "gone": None, "tags": ["a", "b"]},
)


def holds(source: str, facts: LeadFacts = JANA, score: int = 70) -> bool:
    return compile_condition(source)(rule_input(facts, score))


@pytest.mark.parametrize(
    "source",
    [
        'score >= 65 && email != ""',
        'country in ["DE", "AT"]',
        'title.contains("VP") || title.startsWith("Head")',
        'email_domain == "globex.example"',
        "employees >= 199.5",
        "employees / 2 == 270",
        'has(extra.plan) && extra.plan == "pro"',
        "!has(extra.nothing)",
        '"seats" in extra && extra["seats"] > 10',
        "extra.trial.days > 14",
        '"b" in extra.tags',
        "extra.gone == null",
        'phone == ""',
        "source_score == 0",
        "size(score_reasons) == 0",
        'email.matches("(?i)^jana")',
        'language == "de" ? score > 1 : false',
        "true",
        '"a.map(b, c)" != email',
    ],
)
def test_conditions_see_the_lead_by_flat_names(source: str) -> None:
    assert holds(source) is True


def test_every_name_has_a_default_of_its_type() -> None:
    nobody = LeadFacts("", "")
    for name in NAMES - {"extra", "score_reasons"}:
        zero = "0" if name in ("employees", "source_score", "visits", "score") else '""'
        assert holds(f"{name} == {zero}", nobody, 0)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("emial == ''", "did you mean `email`?"),
        ("country == DE", "text needs quotes"),
        ("lead.email == ''", "`lead` is not a name"),
        ("occurred_at != null", "not a name"),
        ('email.endWith("x")', "did you mean `endsWith`?"),
        ("now() > 3", "`now` is not known"),
        ("[1, 2].all(x, x > 0)", "is a loop"),
        ("score_reasons.exists(score, true)", "is a loop"),
        ("[1].map(score, score) == [1]", "is a loop"),
        ("[1] . filter (score, true) == [1]", "is a loop"),
        ('r"\\" == email || [1].map(score, score) == [1]', "is a loop"),
        ("score", "true or false"),
        ('"yes"', "true or false"),
        ("email > 3", "different kinds"),
        ("score + 1.5 > 2", "different kinds"),
        ('employees.contains("x")', "does not work on"),
        ('email.matches("[")', "no regular expression"),
        ("score = 3", "write `==`"),
        ("score > 3 and visits > 1", "write `&&` for `and`"),
        ("NOT has(extra.x)", "write `!` for `NOT`"),
        ("", "is empty"),
        ("score >", "cannot be read"),
        ('email == "x', "cannot be read"),
        ("(" * 500 + "true" + ")" * 500, "cannot be read"),
        ("true" + " && true" * 500, "2000 is the most"),
    ],
)
def test_what_cannot_work_is_refused_before_it_is_used(source: str, message: str) -> None:
    with pytest.raises(ConditionFault, match=re.escape(message)):
        compile_condition(source)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ('extra.nothing == "x"', "`nothing` is absent; ask has"),
        ("extra.gone > 3", "different kinds"),
        ("extra.plan > 3", "different kinds"),
        ("extra.seats", "neither true nor false"),
        ("score / (visits - 3) == 1", "division by zero"),
        ("int(extra.plan) > 3", "invalid digit"),
        ("extra.tags[9] == ''", "out of bounds"),
    ],
)
def test_what_goes_wrong_with_a_lead_is_a_fault_of_the_rule(source: str, message: str) -> None:
    with pytest.raises(RuleFault, match=re.escape(message)):
        holds(source)


def test_a_bare_input_without_context_is_prepared_on_the_way() -> None:
    assert compile_condition("score == 7 && visits == 3")(RuleInput(JANA, 7))


def test_all_conditions_of_one_decision_share_the_context() -> None:
    given_once = rule_input(JANA, 70)
    first, second = compile_condition("score == 70"), compile_condition('country == "AT"')
    assert first(given_once)
    assert second(given_once)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=100, deadline=None)
@given(
    extra=st.dictionaries(st.text(max_size=8), _JSON, max_size=4),
    text=st.text(st.characters(), max_size=20),
    number=st.integers(-(10**400), 10**400),
)
def test_no_lead_whatever_breaks_a_rule(extra: dict[str, object], text: str, number: int) -> None:
    extra["x"] = number
    facts = LeadFacts(text, text, email=text, employees=number, extra=extra)
    condition = compile_condition("has(extra.x) && employees != 0 && extra.x == 1")
    try:
        answer = condition(rule_input(facts, number))
    except RuleFault:
        return
    assert answer is (number == 1)


_WORDS = st.sampled_from([*sorted(NAMES), "==", "&&", "(", ")", "!", "1", '"a"', "in", "["])


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40) | st.lists(_WORDS, max_size=8).map(" ".join))
def test_no_source_whatever_breaks_the_compiler(source: str) -> None:
    try:
        answer = holds(source)
    except (ConditionFault, RuleFault):
        return
    assert answer in (True, False)


def test_the_conditions_in_the_guide_are_true_examples() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "playbook.md").read_text(encoding="utf-8")
    block = guide.split("## Conditions")[1].split("```")[1]
    examples = [line for line in block.splitlines() if line.strip()]
    assert len(examples) == 4
    for source in examples:
        compile_condition(source)
    named = guide.split("Names: ")[1].split("What is absent")[0]
    assert set(re.findall(r"`([a-z_]+)`", named)) - {"scoring"} == NAMES - {"extra"}


@pytest.mark.parametrize(
    "source", ["extra[message] == 1", "message.matches(email)", "int(message) > 3"]
)
def test_a_fault_says_nothing_that_the_lead_said(source: str) -> None:
    facts = LeadFacts(
        source="web", external_id="1", message="kanari 4711", email="kanari(@x.example"
    )
    with pytest.raises(RuleFault) as fault:
        compile_condition(source)(rule_input(facts))
    assert "kanari" not in str(fault.value)
