"""Points, the definition of an MQL, the SLA: and that a failing rule never loses a lead."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.agreement import Agreement, Condition, RuleFault, RuleInput, ScoreRule
from bot.domain.lead import LeadFacts, Score
from bot.domain.scoring import Verdict, judge, pick_sla, score_lead
from bot.playbook.conditions import rule_input
from tests.unit.playbook_kit import agreed

JANA = LeadFacts("contact_me", "42", email="jana@globex.example", employees=540)
PAVEL = LeadFacts("webinar", "43", email="pavel@initech.example", employees=4)


def broken(given: RuleInput) -> bool:
    raise RuleFault("it fails")


def lead_is_judged(
    facts: LeadFacts, points: int, *, mql: Condition | None = None, fast: Condition | None = None
) -> Verdict:
    agreement = agreed()
    agreement = replace(agreement, mql=mql or agreement.mql, fast_lane=fast or agreement.fast_lane)
    return judge(agreement, facts, Score(points), rule_input)


def with_rules(*rules: tuple[Condition, int, str]) -> Agreement:
    return replace(agreed(), scoring=tuple(ScoreRule(*rule) for rule in rules))


def test_points_add_up_and_the_best_reason_stands_first() -> None:
    agreement = with_rules(
        (lambda _: True, -20, "private mailbox"),
        (lambda _: True, 15, "200+ people"),
        (lambda _: True, 50, "asked for a call"),
        (lambda _: False, 90, "does not hold"),
    )
    score, faults = score_lead(agreement, JANA, rule_input)
    assert score == Score(45, ("asked for a call", "200+ people", "private mailbox"))
    assert faults == ()


def test_the_same_reason_is_said_once() -> None:
    agreement = with_rules((lambda _: True, 5, "keen"), (lambda _: True, 5, "keen"))
    assert score_lead(agreement, JANA, rule_input)[0] == Score(10, ("keen",))


def test_rules_of_the_playbook_see_the_lead() -> None:
    assert score_lead(agreed(), JANA, rule_input)[0] == Score(
        65, ("asked for a call", "200+ people")
    )
    assert score_lead(agreed(), PAVEL, rule_input)[0] == Score(0)


def test_without_scoring_the_senders_score_and_reasons_count() -> None:
    facts = replace(JANA, source_score=81, score_reasons=("opened pricing",))
    agreement = replace(agreed(), scoring=())
    assert score_lead(agreement, facts, rule_input) == (Score(81, ("opened pricing",)), ())


def test_a_failing_score_rule_is_told_and_the_others_count() -> None:
    agreement = with_rules((broken, 50, "asked"), (lambda _: True, 15, "200+ people"))
    score, faults = score_lead(agreement, JANA, rule_input)
    assert score == Score(15, ("200+ people",))
    assert faults == ("scoring, asked: it fails",)


def test_the_bar_decides_and_who_asks_is_above_it() -> None:
    assert lead_is_judged(PAVEL, 65) == Verdict(mql=True, fast_lane=False)
    assert lead_is_judged(PAVEL, 64) == Verdict(mql=False, fast_lane=False)
    assert lead_is_judged(JANA, 0) == Verdict(mql=True, fast_lane=True)


def test_a_definition_that_fails_leaves_the_lead_undecided() -> None:
    verdict = lead_is_judged(PAVEL, 90, mql=broken)
    assert verdict == Verdict(False, False, undecidable=True, faults=("definition: it fails",))


def test_who_asks_is_an_mql_even_when_the_definition_fails() -> None:
    verdict = lead_is_judged(JANA, 0, mql=broken)
    assert (verdict.mql, verdict.fast_lane, verdict.undecidable) == (True, True, False)
    assert verdict.faults == ("definition: it fails",)


def test_a_failing_fast_lane_leaves_only_weak_leads_undecided() -> None:
    assert lead_is_judged(PAVEL, 10, fast=broken).undecidable
    strong = lead_is_judged(PAVEL, 90, fast=broken)
    assert (strong.mql, strong.fast_lane, strong.undecidable) == (True, False, False)


def test_the_first_sla_that_holds_counts() -> None:
    assert pick_sla(agreed(), rule_input(JANA))[0].name == "hand raiser"
    assert pick_sla(agreed(), rule_input(PAVEL))[0].name == "standard"


def test_a_failing_sla_falls_to_the_next() -> None:
    agreement = agreed()
    slas = (replace(agreement.slas[0], when=broken), agreement.slas[1])
    sla, faults = pick_sla(replace(agreement, slas=slas), rule_input(JANA))
    assert sla.name == "standard"
    assert faults == ("SLA hand raiser: it fails",)
