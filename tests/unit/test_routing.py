"""Who gets a lead: rules in order, people by how long they wait; who cannot have it, and what is said of it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.agreement import Agreement, Role, RoutingRule, RuleFault, RuleInput
from bot.domain.lead import LeadFacts
from bot.domain.routing import SAME_REP, Candidate, Decision, route
from bot.playbook.conditions import rule_input
from tests.unit.playbook_kit import agreed

MONDAY = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)  # 10:00 in Berlin
NIGHT = datetime(2026, 11, 23, 23, 0, tzinfo=UTC)
ANN, BEN, EVE, DANA = (f"{name}@acme.example" for name in ("ann", "ben", "eve", "dana"))
JANA = LeadFacts("contact_me", "42", email="jana@globex.example", country="AT", language="de")
KIM = LeadFacts("webinar", "43", email="kim@initech.example", country="NO")
AGREEMENT = agreed()


def waiting(*emails: str, **changes: Any) -> dict[str, Candidate]:
    """Everybody is free; those named were asked in that order, the first the longest ago."""
    state = {
        email: Candidate(email, active=True, absent=False, open_count=0)
        for email in (ANN, BEN, EVE, DANA)
    }
    for minutes, email in enumerate(emails):
        state[email] = replace(state[email], waiting_since=MONDAY + timedelta(minutes=minutes))
    for name, change in changes.items():
        email = f"{name}@acme.example"
        state[email] = replace(state[email], **change)
    return state


def routed(
    facts: LeadFacts,
    candidates: dict[str, Candidate],
    agreement: Agreement = AGREEMENT,
    **more: Any,
) -> Decision:
    more.setdefault("now", MONDAY)
    return route(agreement, rule_input(facts, 70), facts, candidates, **more)


def with_rules(*rules: RoutingRule) -> Agreement:
    return replace(AGREEMENT, routing=rules)


def test_the_account_owner_gets_the_lead_first() -> None:
    decision = routed(replace(JANA, account_owner="Ben@acme.example"), waiting(ANN, BEN))
    assert (decision.rep, decision.rule, decision.team) == (BEN, "known owner", "emea")
    assert decision.why == "known owner, owns the account"


def test_an_owner_who_is_no_rep_here_is_passed_over() -> None:
    decision = routed(replace(JANA, account_owner="zoe@old.example"), waiting(ANN, BEN))
    assert (decision.rep, decision.rule) == (ANN, "DACH")
    owner = decision.trace[0].as_dict()
    assert owner["people"] == [{"email": "zoe@old.example", "state": "skipped", "why": "not a rep"}]


def test_who_speaks_the_leads_language_comes_before_who_waits_longer() -> None:
    decision = routed(JANA, waiting(BEN, ANN))
    assert (decision.rep, decision.why) == (ANN, "DACH, speaks de")


def test_who_waits_longest_is_next_and_never_asked_waits_longest() -> None:
    assert routed(KIM, waiting(BEN, ANN)).rep == BEN
    decision = routed(KIM, waiting(ANN))
    assert (decision.rep, decision.why) == (BEN, "rest, longest waiting")


def test_ties_go_by_address() -> None:
    assert routed(KIM, waiting()).rep == ANN


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"absent": True}, "absent"),
        ({"active": False}, "inactive"),
        ({"open_count": 20}, "at cap, 20 of 20"),
        ({"open_count": 21}, "at cap, 21 of 20"),
    ],
)
def test_who_cannot_have_it_is_skipped_and_the_trace_says_why(
    change: dict[str, Any], why: str
) -> None:
    decision = routed(JANA, waiting(ann=change))
    assert decision.rep == BEN
    assert decision.why == "DACH, the one who is free, 1 colleague unavailable"
    line = next(line for line in decision.trace if line.rule == "DACH")
    assert {person.email: (person.state, person.why) for person in line.people} == {
        ANN: ("skipped", why),
        BEN: ("chosen", ""),
        EVE: ("eligible", ""),  # the overflow team was looked at, too
    }


def test_nobody_without_a_cap_is_at_it_and_unknown_candidates_are_inactive() -> None:
    state = waiting(eve={"open_count": 500})
    del state[ANN], state[BEN]
    decision = routed(JANA, state)
    assert (decision.rep, decision.unavailable) == (EVE, 2)


def test_who_rejected_it_is_not_asked_again() -> None:
    decision = routed(KIM, waiting(), excluded=frozenset({ANN}))
    assert decision.rep == BEN
    assert routed(KIM, waiting(), excluded=frozenset({ANN, BEN})).rep is None


def test_who_let_it_lapse_comes_only_when_no_rule_has_anybody_else() -> None:
    last_resort = with_rules(*AGREEMENT.routing, RoutingRule("last resort", None, "west"))
    lapsed = frozenset({ANN, BEN})
    assert routed(KIM, waiting(), last_resort, lapsed=lapsed).rep == EVE
    decision = routed(KIM, waiting(BEN, ANN, eve={"absent": True}), last_resort, lapsed=lapsed)
    assert (decision.rep, decision.rule) == (BEN, "rest")
    assert decision.why == "rest, nobody else is free, 2 colleagues unavailable"
    assert [line.outcome for line in decision.trace[-2:]] == ["chosen", "nobody free"]


def test_a_rule_whose_people_are_all_taken_falls_through() -> None:
    decision = routed(
        replace(KIM, country="DE"), waiting(ann={"absent": True}, ben={"absent": True}),
        with_rules(
            RoutingRule("first", None, "emea"), RoutingRule("second", None, "west")
        ),
    )  # fmt: skip
    assert (decision.rep, decision.rule, decision.team) == (EVE, "second", "west")
    assert decision.why == "second, the one who is free, 2 colleagues unavailable"


def test_a_rule_can_name_a_person() -> None:
    decision = routed(KIM, waiting(), with_rules(RoutingRule("key account", None, DANA)))
    assert (decision.rep, decision.team) == (DANA, "")
    assert decision.why == "key account, named by the rule"


def test_nobody_left_says_why_without_names() -> None:
    decision = routed(
        KIM, waiting(ann={"absent": True}, ben={"open_count": 20}), excluded=frozenset({EVE})
    )
    assert decision.rep is None
    assert decision.why == "nobody in emea is free: 1 absent, 1 at their cap"
    assert decision.team == "emea"
    assert not any(name in decision.why for name in ("ann", "ben", "eve", "@"))


def test_after_a_wrong_territory_its_rule_and_team_are_passed_over() -> None:
    decision = routed(JANA, waiting(), skip_rules=frozenset({"DACH"}))
    assert decision.rule == "rest"
    decision = routed(JANA, waiting(), skip_teams=frozenset({"emea"}))
    assert decision.rep == EVE  # the overflow team is another team
    nobody = routed(KIM, waiting(), skip_teams=frozenset({"emea"}))
    assert (nobody.rep, nobody.why) == (None, "no routing rule applies to this lead")
    owned = routed(replace(KIM, account_owner=ANN), waiting(), skip_teams=frozenset({"emea"}))
    assert owned.rep is None


def test_a_failing_rule_is_a_fault_and_the_next_one_is_tried() -> None:
    def broken(given: RuleInput) -> bool:
        raise RuleFault("it fails")

    rules = with_rules(RoutingRule("odd", broken, "west"), RoutingRule("rest", None, "emea"))
    decision = routed(KIM, waiting(), rules)
    assert decision.rep == ANN
    assert decision.faults == ("routing, odd: it fails",)
    assert [line.outcome for line in decision.trace] == ["fault", "chosen"]


def test_a_lead_that_comes_back_goes_to_the_rep_who_had_it() -> None:
    decision = routed(JANA, waiting(ANN, BEN), prefer_person=EVE)
    assert (decision.rep, decision.rule, decision.team) == (EVE, SAME_REP, "west")
    assert decision.why == "had this lead before"


@pytest.mark.parametrize("hindrance", [{"absent": True}, {"active": False}])
def test_unless_that_rep_cannot_have_it(hindrance: dict[str, Any]) -> None:
    decision = routed(JANA, waiting(eve=hindrance), prefer_person=EVE)
    assert (decision.rep, decision.rule) == (ANN, "DACH")
    assert routed(JANA, waiting(), prefer_person=EVE, lapsed=frozenset({EVE})).rep == ANN


def test_offers_are_made_at_any_hour() -> None:
    assert routed(KIM, waiting(), now=NIGHT).rep == ANN


def test_the_overflow_team_takes_over_while_nobody_of_the_first_is_at_work() -> None:
    always_open = replace(
        AGREEMENT.people[EVE], calendar=AGREEMENT.people[EVE].calendar.around_the_clock()
    )
    awake = replace(AGREEMENT, people={**AGREEMENT.people, EVE: always_open})
    assert routed(JANA, waiting(), awake).rep == ANN
    decision = routed(JANA, waiting(), awake, now=NIGHT)
    assert (decision.rep, decision.team) == (EVE, "west")
    assert decision.why == "DACH, west is at work, the one who is free"
    assert routed(JANA, waiting(), now=NIGHT).rep == ANN  # both closed: the first team's lead
    taken = waiting(ann={"absent": True}, ben={"absent": True})
    assert routed(JANA, taken, now=NIGHT).rep == EVE


def test_the_trace_can_be_stored() -> None:
    decision = routed(JANA, waiting(ann={"absent": True}))
    stored = json.loads(json.dumps([line.as_dict() for line in decision.trace]))
    assert [line["outcome"] for line in stored] == ["does not apply", "chosen"]
    assert stored[0]["note"] == 'account_owner != ""'


_REPS = [email for email, person in AGREEMENT.people.items() if Role.REP in person.roles]
_STATES = st.fixed_dictionaries(
    {
        email: st.builds(
            Candidate,
            st.just(email),
            st.booleans(),
            st.booleans(),
            st.integers(0, 25),
            st.none() | st.integers(0, 9).map(lambda minutes: MONDAY + timedelta(minutes=minutes)),
        )
        for email in _REPS
    }
)
_SOME = st.frozensets(st.sampled_from(_REPS))


@settings(max_examples=200, deadline=None)
@given(
    state=_STATES, excluded=_SOME, lapsed=_SOME, back=st.sampled_from(["", *_REPS]),
    facts=st.sampled_from([JANA, KIM, replace(KIM, account_owner=DANA)]),
    now=st.sampled_from([MONDAY, NIGHT]),
)  # fmt: skip
def test_whoever_is_chosen_could_be(
    state: dict[str, Candidate],
    excluded: frozenset[str],
    lapsed: frozenset[str],
    back: str,
    facts: LeadFacts,
    now: datetime,
) -> None:
    decision = routed(facts, state, excluded=excluded, lapsed=lapsed, prefer_person=back, now=now)

    def free(email: str) -> bool:
        one, cap = state[email], AGREEMENT.people[email].open_cap
        full = cap is not None and one.open_count >= cap
        return one.active and not one.absent and not full and email not in excluded

    assert not any(email in decision.why for email in _REPS)
    emea = [email for email in (ANN, BEN) if free(email)]
    if decision.rep is None:
        assert not emea  # the last rule is for every lead
        return
    assert free(decision.rep)
    if decision.rep in lapsed:
        assert not [email for email in emea if email not in lapsed]
    elif decision.rule == "rest":
        waited = {email: state[email].waiting_since for email in emea if email not in lapsed}
        chosen = waited.pop(decision.rep)
        assert all(
            chosen is None or (other is not None and other >= chosen) for other in waited.values()
        )
