"""How many points a lead has, whether it is an MQL, and which SLA it runs under.

A rule that cannot be evaluated for a lead never loses it: its fault is handed back to be journalled, the other
rules count, and a lead whose definition cannot be decided goes to review.
What is not here: who gets the lead (`routing`), compiling conditions (`bot.playbook`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bot.domain.agreement import Agreement, Condition, RuleFault, RuleInput, SlaRule
from bot.domain.lead import LeadFacts, Score

#: Prepares facts and score for conditions; `bot.playbook.conditions.rule_input` is one.
MakeInput = Callable[[LeadFacts, int], RuleInput]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the definition says of a lead. `undecidable`: a rule failed, so people must look at it."""

    mql: bool
    fast_lane: bool
    undecidable: bool = False
    faults: tuple[str, ...] = ()


def score_lead(
    agreement: Agreement, facts: LeadFacts, make_input: MakeInput
) -> tuple[Score, tuple[str, ...]]:
    """Points with their reasons, best first, and the faults of rules that failed.

    Without scoring rules in the playbook the score and reasons that came with the lead count.
    """
    if not agreement.scoring:
        return Score(facts.source_score, facts.score_reasons), ()
    given = make_input(facts, 0)
    hits: list[tuple[int, str]] = []
    faults: list[str] = []
    for rule in agreement.scoring:
        try:
            if rule.when(given):
                hits.append((rule.points, rule.because))
        except RuleFault as fault:
            faults.append(f"scoring, {rule.because}: {fault}")
    best_first = sorted(
        hits, key=lambda hit: -hit[0]
    )  # stable: equal points stay in the file's order
    reasons = tuple(dict.fromkeys(because for _, because in best_first))
    return Score(sum(points for points, _ in hits), reasons), tuple(faults)


def judge(agreement: Agreement, facts: LeadFacts, score: Score, make_input: MakeInput) -> Verdict:
    """Whether the lead is an MQL. The fast lane makes it one whatever its score: people who ask are called."""
    given = make_input(facts, score.points)
    fast, fast_fault = _asked(agreement.fast_lane, given, "fast lane", without=False)
    mql, mql_fault = _asked(agreement.mql, given, "definition", without=True)
    faults = tuple(fault for fault in (fast_fault, mql_fault) if fault)
    is_mql = fast or mql
    return Verdict(is_mql, fast, bool(faults) and not is_mql, faults)


def pick_sla(agreement: Agreement, given: RuleInput) -> tuple[SlaRule, tuple[str, ...]]:
    """The first SLA that holds for the lead, and the faults on the way there.

    The last one has no condition (the playbook's check sees to it), so there is always one.
    """
    faults: list[str] = []
    for sla in agreement.slas[:-1]:
        holds, fault = _asked(sla.when, given, f"SLA {sla.name}", without=True)
        if fault:
            faults.append(fault)
        if holds:
            return sla, tuple(faults)
    return agreement.slas[-1], tuple(faults)


def _asked(
    condition: Condition | None, given: RuleInput, what: str, *, without: bool
) -> tuple[bool, str]:
    """The condition's answer (`without` where there is none) and the fault that kept it from answering."""
    if condition is None:
        return without, ""
    try:
        return condition(given), ""
    except RuleFault as fault:
        return False, f"{what}: {fault}"
