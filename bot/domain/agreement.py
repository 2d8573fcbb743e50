"""The agreement of marketing and sales, compiled: what the playbook says, as values the rules can use.

`bot.playbook` builds an `Agreement` from YAML; the rules (`routing`, `scoring`, `sla`) read it.
What is not here: YAML, line numbers, CEL. Conditions arrive as callables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

from bot.domain.business_time import Calendar, Duration
from bot.domain.challenge import Terms
from bot.domain.lead import LeadFacts
from bot.domain.people_figures import PeopleFigures


class RuleFault(Exception):
    """A condition could not be evaluated for this lead. Journalled; the next rule is tried."""


#: A compiled condition over a lead and its score. Raises `RuleFault`; never returns anything but bool.
Condition = Callable[["RuleInput"], bool]


@dataclass(frozen=True, slots=True)
class RuleInput:
    """What a condition may look at: facts and score. Build one per lead; conditions share its context."""

    facts: LeadFacts
    score: int = 0
    context: Any = None  # the rule engine's prepared form of facts and score, or None


class Role(StrEnum):
    """What a person may be. Roles are a set; rights are their union."""

    REP = "rep"
    MANAGER = "manager"
    SCRUB = "scrub"
    MARKETING = "marketing"
    ADMIN = "admin"


class ClockKind(StrEnum):
    """The running SLAs of the design's section 4."""

    ROUTE = "route"
    SCRUB = "scrub"
    ACCEPT = "accept"
    FIRST_TOUCH = "first_touch"
    FOLLOW_UP = "follow_up"
    DECIDE = "decide"
    STALLED = "stalled"
    SHELF_LIFE = "shelf_life"
    REVIEW = "review"


class StepKind(StrEnum):
    """What happens at a point of a clock."""

    REMIND = "remind"
    REOFFER = "reoffer"
    ESCALATE = "escalate"
    REVIEW = "review"


@dataclass(frozen=True, slots=True)
class StepRule:
    """`percent` of the clock, then `kind`. `to` names the receiver of an escalation:
    "manager", "above", "marketing", "marketing.above", or an e-mail address. `now` ignores their hours."""

    percent: int
    kind: StepKind
    to: str = ""
    now: bool = False


@dataclass(frozen=True, slots=True)
class ClockRule:
    """One clock of an SLA: how long, what happens when, and (follow_up) how many touches it waits for."""

    kind: ClockKind
    within: Duration
    steps: tuple[StepRule, ...]
    touches: int = 1


@dataclass(frozen=True, slots=True)
class SlaRule:
    """A named set of clocks for the leads that `when` holds for; the first match counts."""

    name: str
    when: Condition | None
    clocks: Mapping[ClockKind, ClockRule]
    source_when: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """One entry of `people:`. `calendar` is the person's effective one (own, team, company), without absences."""

    email: str
    name: str
    roles: frozenset[Role]
    team: str = ""  # the team the person is a member of, "" for none
    languages: tuple[str, ...] = ()
    open_cap: int | None = None  # offered and accepted leads at once; None: no cap
    deputy: str = ""
    calendar: Calendar = field(default_factory=Calendar.around_the_clock)


@dataclass(frozen=True, slots=True)
class Team:
    """A sales team: `manager` and `above` are e-mail addresses, `channel` a Slack id."""

    name: str
    manager: str
    above: str
    members: tuple[str, ...]
    channel: str
    calendar: Calendar
    people_figures: PeopleFigures = PeopleFigures.TEAM


@dataclass(frozen=True, slots=True)
class ReportTimes:
    """When and where reports go by themselves. `channel`: of both teams, "" for marketing's. Minutes of the day, in
    the company's zone; the digest is a manager's own morning. None: not sent."""

    channel: str = ""
    weekly_day: int | None = 0  # 0 is Monday
    weekly_at: int = 9 * 60
    digest_at: int | None = 8 * 60 + 30
    monthly: bool = True


@dataclass(frozen=True, slots=True)
class Marketing:
    """The marketing side: who reviews, in which channel, who stands above them."""

    members: tuple[str, ...]
    above: str
    channel: str
    calendar: Calendar


@dataclass(frozen=True, slots=True)
class RoutingRule:
    """`to`: "owner" (the account owner), a team's name, or a person's e-mail. `overflow`: a team for closed hours."""

    name: str
    when: Condition | None
    to: str
    prefer: tuple[str, ...] = ()
    overflow: str = ""
    source_when: str = ""


@dataclass(frozen=True, slots=True)
class ScoreRule:
    """Points for a lead that `when` holds for, with the reason the card shows."""

    when: Condition
    points: int
    because: str
    source_when: str = ""


@dataclass(frozen=True, slots=True)
class RejectReason:
    """`then` is "reroute" or "review"."""

    code: str
    then: str
    note_required: bool = False

    @property
    def label(self) -> str:
        """`not_our_kind` -> "Not our kind"."""
        return self.code.replace("_", " ").capitalize()


@dataclass(frozen=True, slots=True)
class RecycleReason:
    """`wake_after`: calendar days until the lead comes back by itself."""

    code: str
    wake_after: timedelta
    note_required: bool = False

    @property
    def label(self) -> str:
        """`no_budget` -> "No budget"."""
        return self.code.replace("_", " ").capitalize()


@dataclass(frozen=True, slots=True)
class Lapses:
    """How often an offer may lapse: who hears at which lapse of the round, and where the lead goes in the end."""

    manager_hears_at: int = 2
    above_hears_at: int = 3
    then: str = "review"


@dataclass(frozen=True, slots=True)
class Agreement:
    """A whole compiled playbook. `version` is 0 until it is stored."""

    company: str
    timezone: str
    signer_sales: str
    signer_marketing: str
    mql: Condition | None
    fast_lane: Condition | None
    scoring: tuple[ScoreRule, ...]
    people: Mapping[str, Person]  # by e-mail, lower case
    teams: Mapping[str, Team]
    marketing: Marketing
    routing: tuple[RoutingRule, ...]
    slas: tuple[SlaRule, ...]
    marketing_slas: Mapping[ClockKind, ClockRule]
    lapses: Lapses
    reject_reasons: tuple[RejectReason, ...]
    turn_back_reasons: tuple[RejectReason, ...]
    recycle_reasons: tuple[RecycleReason, ...]
    calendar: Calendar  # the company's
    version: int = 0
    source_definition: str = ""  # the MQL definition as written, for `why`
    review_every: timedelta | None = None  # how often both sides look at the agreement again
    reports: ReportTimes = ReportTimes()
    challenges: tuple[Terms, ...] = ()

    def team_of(self, email: str) -> Team | None:
        """The team that `email` is a member of, or None."""
        person = self.people.get(email)
        return self.teams.get(person.team) if person else None

    def teams_managed_by(self, email: str) -> tuple[Team, ...]:
        """The teams whose manager (or above) is `email`."""
        return tuple(t for t in self.teams.values() if email in (t.manager, t.above))
