"""Who gets a lead: rules in order, people in the order they have waited, and a trace of every decision.

- The first rule that holds and has somebody eligible wins; a rule whose people are all taken falls through.
- Never: who rejected the lead, is absent, inactive, or at the cap of open leads.
- Who let this lead lapse comes only when nobody else is eligible under any rule.
- Within a rule: speakers of the lead's language first where the rule prefers them, then who waits longest.
Pure: the caller brings the candidates' state and `now`. What is not here: making the offer (a service),
clocks (`sla`). `why` may be read by reps and names no colleague; names stand in the trace, for managers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.domain.agreement import Agreement, Person, Role, RoutingRule, RuleFault, RuleInput
from bot.domain.lead import LeadFacts

#: The name under which a lead comes back to the rep who had it before.
SAME_REP = "same rep as before"
_LAPSED = "let it lapse"
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Candidate:
    """What matters about one rep at this moment. `waiting_since`: their latest offer; None: never had one.

    `busy`: why they cannot take a lead now that can wait for them; nobody else gets it in their place.
    """

    email: str
    active: bool
    absent: bool
    open_count: int
    waiting_since: datetime | None = None
    busy: str = ""


@dataclass(frozen=True, slots=True)
class Considered:
    """One person under one rule: `chosen`, `eligible`, or `skipped` and why."""

    email: str
    state: str
    why: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For the journal."""
        return {"email": self.email, "state": self.state, "why": self.why}


@dataclass(frozen=True, slots=True)
class TraceLine:
    """One rule: `chosen`, `nobody free`, `does not apply`, `fault` or `skipped`; who was looked at."""

    rule: str
    to: str
    outcome: str
    note: str = ""
    people: tuple[Considered, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For the journal."""
        return {
            "rule": self.rule,
            "to": self.to,
            "outcome": self.outcome,
            "note": self.note,
            "people": [person.as_dict() for person in self.people],
        }


@dataclass(frozen=True, slots=True)
class Decision:
    """Who gets the lead, or None and why. `team` is the rep's (or the one that had nobody)."""

    rep: str | None
    rule: str
    team: str
    why: str
    trace: tuple[TraceLine, ...] = ()
    faults: tuple[str, ...] = ()
    unavailable: int = 0  # colleagues who were looked at and could not be offered it
    waits: bool = False  # the rule's people are only busy: it is theirs, later


@dataclass(frozen=True, slots=True)
class _Choice:
    """What one rule comes to: the fresh pick, else the pick among those who let it lapse."""

    rule: str
    to: str
    fresh: str = ""
    lapsed: str = ""
    why: str = ""
    people: tuple[Considered, ...] = ()

    def line(self, chosen: str) -> TraceLine:
        people = tuple(
            Considered(one.email, "chosen", one.why) if chosen and one.email == chosen else one
            for one in self.people
        )
        return TraceLine(self.rule, self.to, "chosen" if chosen else "nobody free", "", people)


@dataclass(frozen=True, slots=True)
class _Question:
    """Everything that one decision looks at."""

    agreement: Agreement
    facts: LeadFacts
    candidates: Mapping[str, Candidate]
    excluded: frozenset[str]
    lapsed: frozenset[str]
    skip_teams: frozenset[str]
    now: datetime

    def hindrance(self, email: str) -> str:
        """Why `email` cannot be offered the lead, or ""."""
        person, candidate = self.agreement.people.get(email), self.candidates.get(email)
        if person is None or Role.REP not in person.roles:
            return "not a rep"
        if candidate is None or not candidate.active:
            return "inactive"
        if email in self.excluded:
            return "rejected it before"
        if person.team and person.team in self.skip_teams:
            return "in a team that is passed over"
        if candidate.absent:
            return "absent"
        if person.open_cap is not None and candidate.open_count >= person.open_cap:
            return f"at cap, {candidate.open_count} of {person.open_cap}"
        return candidate.busy

    def is_busy(self, email: str) -> bool:
        candidate = self.candidates.get(email)
        return (
            candidate is not None
            and bool(candidate.busy)
            and self.hindrance(email) == candidate.busy
        )

    def speaks(self, email: str) -> bool:
        person = self.agreement.people.get(email)
        return (
            bool(self.facts.language)
            and person is not None
            and (self.facts.language in person.languages)
        )

    def at_work(self, email: str) -> bool:
        return self.agreement.people[email].calendar.is_open(self.now)

    def waited(self, email: str) -> tuple[datetime, str]:
        return self.candidates[email].waiting_since or _NEVER, email


def route(
    agreement: Agreement,
    rule_input: RuleInput,
    facts: LeadFacts,
    candidates: Mapping[str, Candidate],
    *,
    excluded: frozenset[str] = frozenset(),
    lapsed: frozenset[str] = frozenset(),
    skip_rules: frozenset[str] = frozenset(),
    skip_teams: frozenset[str] = frozenset(),
    prefer_person: str = "",
    now: datetime,
) -> Decision:
    """Decide who is offered the lead.

    `candidates`: by e-mail in lower case; who is missing counts as inactive. `excluded` rejected it, `lapsed` let
    it lapse, `skip_rules` and `skip_teams` are passed over after a "wrong territory". `prefer_person` had the lead
    in the round before and gets it back when eligible. `now` (aware UTC) only matters to rules with an `overflow`.
    """
    question = _Question(agreement, facts, candidates, excluded, lapsed, skip_teams, now)
    trace: list[TraceLine] = []
    faults: list[str] = []
    held_back: list[tuple[int, _Choice]] = []
    tried: list[_Choice] = []
    if prefer_person:
        choice = _same_rep(question, prefer_person.strip().lower())
        if choice.fresh:
            return _won(question, choice, choice.fresh, [choice.line(choice.fresh)], faults, tried)
        trace.append(choice.line(""))
    for rule in agreement.routing:
        outcome, note = _applies(rule, rule_input, skip_rules, skip_teams)
        if outcome:
            trace.append(TraceLine(rule.name, rule.to, outcome, note))
            if outcome == "fault":
                faults.append(f"routing, {rule.name}: {note}")
            continue
        choice = _choose(question, rule)
        if choice.fresh:
            trace.append(choice.line(choice.fresh))
            return _won(question, choice, choice.fresh, trace, faults, tried)
        if choice.lapsed:
            held_back.append((len(trace), choice))
        tried.append(choice)
        trace.append(choice.line(""))
        if any(question.is_busy(person.email) for person in choice.people):
            return replace(_nobody(question, tried, trace, faults), waits=True)
    if held_back:
        index, choice = held_back[0]
        trace[index] = choice.line(choice.lapsed)
        return _won(question, choice, choice.lapsed, trace, faults, tried)
    return _nobody(question, tried, trace, faults)


def turn_after(now: datetime, turns: Iterable[datetime | None]) -> datetime:
    """The time of a turn taken at `now`: later than all that were taken, so that many leads of one instant go round
    instead of all to whose address comes first."""
    latest = max((turn for turn in turns if turn is not None), default=_NEVER)
    return now if latest < now else latest + timedelta(microseconds=1)


def _applies(
    rule: RoutingRule, given: RuleInput, skip_rules: frozenset[str], skip_teams: frozenset[str]
) -> tuple[str, str]:
    """Empty when the rule is to be tried, else the trace's outcome and note."""
    if rule.name in skip_rules:
        return "skipped", "passed over after a rejection"
    if rule.when is not None:
        try:
            if not rule.when(given):
                return "does not apply", rule.source_when
        except RuleFault as fault:
            return "fault", str(fault)
    if rule.to in skip_teams and rule.overflow in skip_teams | {""}:
        return "skipped", "its team is passed over after a rejection"
    return "", ""


def _same_rep(question: _Question, email: str) -> _Choice:
    person = _consider(question, email)
    fresh = email if person.state == "eligible" else ""
    return _Choice(SAME_REP, email, fresh, why="had this lead before", people=(person,))


def _choose(question: _Question, rule: RoutingRule) -> _Choice:
    main = _people_of(question, rule.to)
    spare = _team_members(question, rule.overflow)
    considered = tuple(_consider(question, email) for email in dict.fromkeys((*main, *spare)))
    free = {person.email for person in considered if person.state == "eligible"}
    late = {p.email for p in considered if p.state == "skipped" and p.why == _LAPSED}
    fresh, why = _pick(question, rule, main, spare, free)
    lapsed, _ = _pick(question, rule, main, spare, late)
    if not fresh and lapsed:
        why = "nobody else is free"
    return _Choice(rule.name, rule.to, fresh, lapsed, why, considered)


def _consider(question: _Question, email: str) -> Considered:
    hindrance = question.hindrance(email)
    if not hindrance and email in question.lapsed:
        hindrance = _LAPSED
    return Considered(email, "skipped" if hindrance else "eligible", hindrance)


def _people_of(question: _Question, to: str) -> tuple[str, ...]:
    """Whom a rule names: the account's owner, one person, or a team's members."""
    if to == "owner":
        owner = question.facts.account_owner.strip().lower()
        return (owner,) if owner else ()
    if "@" in to:
        return (to,)
    return _team_members(question, to)


def _team_members(question: _Question, name: str) -> tuple[str, ...]:
    team = question.agreement.teams.get(name)
    return team.members if team and name not in question.skip_teams else ()


def _pick(
    question: _Question,
    rule: RoutingRule,
    main: Sequence[str],
    spare: Sequence[str],
    allowed: set[str],
) -> tuple[str, str]:
    """The best of `allowed`, and why. With an overflow team, those at work now come before those who are not."""
    groups: list[tuple[list[str], str]] = [([email for email in main if email in allowed], "")]
    if rule.overflow:
        others = [email for email in spare if email in allowed]
        groups = [
            ([email for email in groups[0][0] if question.at_work(email)], ""),
            ([email for email in others if question.at_work(email)], f"{rule.overflow} is at work"),
            groups[0],
            (others, f"nobody in {rule.to} is free"),
        ]
    for people, note in groups:
        if people:
            chosen, why = _best(question, rule, people)
            return chosen, ", ".join(part for part in (note, why) if part)
    return "", ""


def _best(question: _Question, rule: RoutingRule, people: Iterable[str]) -> tuple[str, str]:
    waiting = sorted(people, key=question.waited)
    if rule.to == "owner" and question.facts.account_owner.strip().lower() in waiting:
        return waiting[0], "owns the account"
    if "@" in rule.to and rule.to in waiting:
        return waiting[0], "named by the rule"
    if "language" in rule.prefer:
        speakers = [email for email in waiting if question.speaks(email)]
        if speakers:
            alone = len(speakers) == 1
            return speakers[0], f"speaks {question.facts.language}" + (
                "" if alone else ", longest waiting"
            )
    return waiting[0], "longest waiting" if len(waiting) > 1 else "the one who is free"


def _won(
    question: _Question,
    choice: _Choice,
    rep: str,
    trace: list[TraceLine],
    faults: list[str],
    tried: Iterable[_Choice],
) -> Decision:
    person: Person = question.agreement.people[rep]
    hindered = {
        one.email
        for one in (*(p for c in tried for p in c.people), *choice.people)
        if one.state == "skipped" and one.email != rep
    }
    count = len(hindered)
    why = choice.why
    if count:
        why += f", {count} {'colleague' if count == 1 else 'colleagues'} unavailable"
    rule = f"{choice.rule}, " if choice.rule != SAME_REP else ""
    return Decision(rep, choice.rule, person.team, rule + why, tuple(trace), tuple(faults), count)


def _nobody(
    question: _Question, tried: Sequence[_Choice], trace: list[TraceLine], faults: list[str]
) -> Decision:
    reasons: dict[str, str] = {}
    for choice in tried:
        for person in choice.people:
            reasons.setdefault(person.email, _kind(person.why))
    teams = list(dict.fromkeys(c.to for c in tried if c.to in question.agreement.teams))
    counts = Counter(reasons.values())
    detail = ", ".join(f"{counts[kind]} {kind}" for kind in _KINDS if counts[kind])
    if not tried:
        why = "no routing rule applies to this lead"
    else:
        why = f"nobody in {' or '.join(teams)} is free" if teams else "nobody is free"
        why += f": {detail}" if detail else ""
    rule = tried[0].rule if tried else ""
    return Decision(
        None, rule, teams[0] if teams else "", why, tuple(trace), tuple(faults), len(reasons)
    )


_KINDS = ("absent", "at their cap", "rejected it", "inactive", "passed over", "no rep")


def _kind(why: str) -> str:
    """A person's hindrance as it is counted where names must not stand."""
    if why.startswith("at cap"):
        return "at their cap"
    return {
        "absent": "absent",
        "rejected it before": "rejected it",
        "not a rep": "no rep",
        "in a team that is passed over": "passed over",
    }.get(why, "inactive")
