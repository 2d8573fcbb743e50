"""What every figure of the report means: the one place where Slack, the terminal and files have it from.

Written for whoever asks, marketing and sales alike. What holds for all of them stands in `GENERAL`. What is not here:
the kinds of values (`kpi`), counting (`storage.reports`), who may see figures about people (`people_figures`).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from bot.domain.kpi import Cut, Definition, Definitions, Kpi, Unit

#: What holds for every figure.
GENERAL = (
    "Test leads never count. Imported history counts in the baseline only.",
    "A period is made of whole days in the company's zone, and a figure is as things stood at its end (or now, while "
    "it runs): so the figures of a finished period change only when something is told late, corrected or withdrawn.",
    "The 50th and 90th percentile are by nearest rank: a span that really occurred. Spans are whole seconds, rounded "
    "down; business time is the working time of whoever the clock ran for.",
    "A team is that of the offer (for the speed to lead, of the first one); for arrivals, qualified and won leads and "
    "escalations the one that has the lead now.",
    "In figures about people, promises that were due while Baton was down are left out.",
)

#: Since a round's first offer, for leads that nobody has touched: hours that each band ends before, None for no end.
AGES: tuple[tuple[str, int | None], ...] = (
    ("under 24 h", 24),
    ("24 to 72 h", 72),
    ("3 to 7 days", 7 * 24),
    ("7 to 30 days", 30 * 24),
    ("over 30 days", None),
)
#: From here on an untouched lead is called decayed: the shelf life most people agree on.
DECAYED_HOURS = 72

_CLOCKS_LEAVE_OUT = "what was excused; what runs, or was stopped, before it was due"
_TEAM = (Cut.TEAM,)
_WHERE = (Cut.TEAM, Cut.SOURCE)
_WHO = (Cut.TEAM, Cut.PERSON)


def _in_time(kpi: Kpi, title: str, kind: str, what: str, cuts: tuple[Cut, ...] = ()) -> Definition:
    return Definition(
        kpi,
        title,
        Unit.PERCENT,
        f"Kept / (kept + broken) of the promises to {what}. Kept counts when it was kept, broken when it was due.",
        f"clocks of kind {kind}: kept is outcome met by ended_at, broken by breached_at",
        _CLOCKS_LEAVE_OUT,
        True,
        cuts,
    )


_UNITS: Mapping[Unit, str] = {
    Unit.LEADS: "count",
    Unit.PERCENT: "percent, with what it is of",
    Unit.BUSINESS: "p50 and p90 of working time",
    Unit.WALL: "p50 and p90 of wall-clock time",
    Unit.RATIO: "count, and per 100",
}

_ALL = (
    Definition(
        Kpi.ARRIVED, "Arrived", Unit.LEADS,
        "Leads that came in for the first time.",
        "leads.arrived_at; stages as of now",
        "leads that come back, also out of the imported history: they arrived once",
        None, (Cut.SOURCE, Cut.TEAM, Cut.STAGE),
    ),
    Definition(
        Kpi.OFFERED, "Offered", Unit.LEADS,
        "Leads that were offered to a rep at least once; each counts once, where it was offered first in the period.",
        "offers.offered_at",
        "further offers of the same lead",
        None, (Cut.TEAM, Cut.SOURCE, Cut.PERSON),
    ),
    Definition(
        Kpi.SPEED_TO_LEAD, "Speed to lead", Unit.WALL,
        "From a lead's arrival to its first touch, on the wall clock: what the systems took plus what people took.",
        "leads.arrived_at to the first touches.at of the first round, by when it was touched",
        "withdrawn touches; leads that came back",
        False, _WHERE,
    ),
    Definition(
        Kpi.SYSTEMS_DELAY, "Of it, systems", Unit.WALL,
        "From arrival to the first offer, plus what its card came late. Waiting for a rep's hours is not the systems'.",
        "leads.arrived_at to offers.offered_at, plus offers.show_at to delivered_at, of the first offer; "
        "at most the speed to lead",
        "as speed to lead",
        False, _WHERE,
    ),
    Definition(
        Kpi.PEOPLE_DELAY, "Of it, people", Unit.WALL,
        "The rest of the speed to lead: closed hours, reps who did not answer, and the one who did.",
        "speed to lead minus systems",
        "as speed to lead",
        False, _WHERE,
    ),
    Definition(
        Kpi.TIME_TO_ACCEPT, "Time to accept", Unit.BUSINESS,
        "From an offer (from its card, when that came late) to its accept, in the rep's working time; counted when "
        "accepted.",
        "clocks.taken_seconds of accept clocks that ended by an accept, by ended_at",
        "offers answered by no, lapsed or taken by a manager at once",
        False, _TEAM,
    ),
    Definition(
        Kpi.TIME_TO_ACCEPT_WALL, "Time to accept, wall clock", Unit.WALL,
        "The same on the wall clock, nights and weekends included.",
        "clocks.wall_seconds of the same clocks",
        "as time to accept",
        False, _TEAM,
    ),
    Definition(
        Kpi.TIME_TO_TOUCH, "Time to first touch", Unit.BUSINESS,
        "From the offer (from its card, when that came late) to its rep's first touch, in their working time; counts "
        "when it was touched.",
        "clocks.taken_seconds of first_touch clocks with outcome met or late, by ended_at",
        "leads that were not touched",
        False, _TEAM,
    ),
    Definition(
        Kpi.TIME_TO_TOUCH_WALL, "Time to first touch, wall clock", Unit.WALL,
        "The same on the wall clock.",
        "clocks.wall_seconds of the same clocks",
        "as time to first touch",
        False, _TEAM,
    ),
    _in_time(Kpi.ACCEPTED_IN_TIME, "Answered in time", "accept",
             "answer an offer (a no with a reason is an answer)", _WHO),
    _in_time(Kpi.TOUCHED_IN_TIME, "Touched in time", "first_touch",
             "contact a lead that was accepted", _WHO),
    _in_time(Kpi.FOLLOWED_UP_IN_TIME, "Followed up in time", "follow_up",
             "make all agreed touches", _WHO),
    _in_time(Kpi.DECIDED_IN_TIME, "Decided in time", "decide",
             "qualify, recycle or close a lead that was accepted", _TEAM),
    _in_time(Kpi.ROUTED_IN_TIME, "Routed in time (marketing)", "route",
             "hand over what arrives; marketing's, so the same in every team's report"),
    _in_time(Kpi.REVIEWED_IN_TIME, "Reviewed in time (marketing)", "review",
             "decide about what sales sent back; marketing's, so the same in every team's report"),
    Definition(
        Kpi.PICKED_UP, "Picked up", Unit.PERCENT,
        "Of the leads that were offered, those that were touched, in the same round.",
        "offered, and touches.at until the end of the period",
        "withdrawn touches",
        True, _WHERE,
    ),
    Definition(
        Kpi.ACCEPTED_UNTOUCHED, "Accepted, not touched", Unit.PERCENT,
        "Of the leads that were accepted, those that nobody has touched.",
        "the first offers.accepted_at of each round, and touches.at until the end of the period",
        "withdrawn touches",
        False, _WHERE,
    ),
    Definition(
        Kpi.VERIFIED, "Touches found in the CRM", Unit.PERCENT,
        "Of the touches made, those that a CRM or dialler shows; of the rest only somebody says so.",
        "touches.state by touches.at",
        "withdrawn touches",
        True, _TEAM,
    ),
    Definition(
        Kpi.UNTOUCHED, "Untouched", Unit.LEADS,
        "Leads that lie with a rep, offered or accepted, and that nobody has touched in this round.",
        "offers made and not ended, without touches.at; age since the round's first offer",
        "leads with marketing (see reviewed in time); withdrawn touches",
        False, (Cut.AGE, Cut.TEAM, Cut.SOURCE),
    ),
    Definition(
        Kpi.UNTOUCHED_72H, f"Untouched over {DECAYED_HOURS} h", Unit.LEADS,
        f"Those of them whose round's first offer is {DECAYED_HOURS} hours old or older, on the wall clock.",
        "as untouched",
        "as untouched",
        False, _WHERE,
    ),
    Definition(
        Kpi.BECAME_MQL, "MQL", Unit.RATIO,
        "Rounds of leads that were first offered to sales; per 100 that arrived.",
        "offers.offered_at of the first offer of a round / arrived",
        "leads below the bar",
        None, _WHERE,
    ),
    Definition(
        Kpi.BECAME_SAL, "SAL", Unit.RATIO,
        "Rounds that sales accepted; per 100 that became MQL. Both count when they happened, so it can pass 100.",
        "the first offers.accepted_at of each round / MQL",
        "accepts that were undone; the second accept of a round",
        True, _WHERE,
    ),
    Definition(
        Kpi.BECAME_SQL, "SQL", Unit.RATIO,
        "Rounds that were qualified: an opportunity is open; per 100 that became SAL.",
        "journal: moved to qualified / SAL",
        "leads closed in the CRM without being qualified",
        True, _WHERE,
    ),
    Definition(
        Kpi.BECAME_CUSTOMER, "Customers", Unit.RATIO,
        "Rounds that were won; per 100 that became SQL.",
        "journal: moved to won / SQL",
        "nothing",
        True, _WHERE,
    ),
    Definition(
        Kpi.TIME_TO_SAL, "From MQL to SAL", Unit.WALL,
        "From a round's first offer to its first accept; counts when it was accepted.",
        "offers.offered_at of the first offer to the first accepted_at",
        "as SAL",
        False, _WHERE,
    ),
    Definition(
        Kpi.TIME_TO_SQL, "From SAL to SQL", Unit.WALL,
        "From a round's first accept to being qualified; counts when it was qualified.",
        "the first offers.accepted_at to journal: moved to qualified",
        "leads that the CRM qualified before anybody accepted",
        False, _WHERE,
    ),
    Definition(
        Kpi.TIME_TO_CUSTOMER, "From SQL to customer", Unit.WALL,
        "From being qualified to being won; counts when it was won.",
        "journal: moved to qualified to moved to won",
        "leads won without being qualified",
        False, _WHERE,
    ),
    Definition(
        Kpi.REJECTED, "Rejected", Unit.RATIO,
        "Offers that a rep sent back with a reason, before or after accepting; per 100 offers made.",
        "offers.state rejected by ended_at / offers.offered_at",
        "offers passed on for lack of time, lapsed or taken away",
        False, (Cut.REASON, Cut.SOURCE, Cut.TEAM),
    ),
    Definition(
        Kpi.RECYCLED, "Recycled", Unit.RATIO,
        "Offers that ended with the lead put to sleep until a date; per 100 offers made.",
        "offers.state recycled by ended_at / offers.offered_at",
        "leads that marketing put to sleep",
        None, (Cut.REASON, Cut.SOURCE, Cut.TEAM),
    ),
    Definition(
        Kpi.REROUTED, "Rerouted", Unit.RATIO,
        "Offers that were not the first of their round; per 100 offered leads. Reasons: how the offer before ended.",
        "offers.n above 1 by offered_at / offered",
        "nothing",
        False, (Cut.REASON, Cut.TEAM, Cut.SOURCE),
    ),
    Definition(
        Kpi.ESCALATIONS, "Escalations", Unit.RATIO,
        "How often somebody was told of a promise that was not kept; per 100 offered leads. Reasons: the promise.",
        "journal: escalated / offered",
        "reminders",
        False, (Cut.REASON, Cut.TEAM),
    ),
    Definition(
        Kpi.DUE_TODAY, "Due today", Unit.LEADS,
        "Promises to answer, touch, follow up, decide or review that run now and are due before today ends.",
        "clocks.due_at of running clocks that are not breached, as of now",
        "what is overdue already",
        None, (Cut.REASON, *_WHO),
    ),
    Definition(
        Kpi.LIKELY_TO_BREACH, "Likely to be late", Unit.LEADS,
        "Those of them of which three quarters of the working time have passed, or of which less is left than the "
        "team's median time to accept or to first touch in this period.",
        "due today; clocks.started_at and due_at; medians of at least five",
        "as due today",
        False, (Cut.REASON, *_WHO),
    ),
)  # fmt: skip

#: By figure; every figure has one.
DEFINITIONS: Definitions = MappingProxyType({each.kpi: each for each in _ALL})


def define(kpi: Kpi) -> Definition:
    """What `kpi` means."""
    return DEFINITIONS[kpi]


def explain(kpi: Kpi) -> str:
    """The same in one paragraph, for whoever asks."""
    each = DEFINITIONS[kpi]
    return f"{each.title} ({_UNITS[each.unit]}): {each.formula} Source: {each.source}. Leaves out: {each.leaves_out}."
