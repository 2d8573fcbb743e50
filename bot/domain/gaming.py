"""What looks like gaming: flags with their evidence, and which points they would cost. Pure.

A flag takes nothing: the person is shown it first, then the manager, and only one that is settled as void costs its
points (`Flagged.voids` into `count_points(voided=…)`). Most of it gains nothing anyhow, by the rules of `chance` and
`points`; it is shown all the same, since it spoils the numbers that others work with. Each threshold leaves room for an
honest odd day. What is not here: keeping, showing and settling flags (services).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from bot.domain.challenge import Rule, Terms
from bot.domain.chance import (
    CROWD,
    CROWD_WITHIN,
    MEETINGS,
    TELL_WITHIN,
    Chance,
    Circumstances,
    Verdict,
    chances_of,
    crowded,
    now_of,
)
from bot.domain.feats import Holding, LeadFeats, Touch
from bot.domain.points import reach_of

#: What a dialler reports of itself may come fast; more than this within ten minutes no machine dials, either.
REPORTED = 15
#: A note about a call is forgotten now and then; three in a week that came after the time was over are a habit.
LATE_TOLD = 3
#: Some leads do turn out to be nothing. Of five a week that were accepted and sent off within a day without a word to
#: anybody, and at least a third of all that were accepted, it may be the points that they were accepted for.
SENT_OFF, SENT_OFF_WITHIN, SENT_OFF_SHARE = 5, timedelta(days=1), 3
#: Held back for the first day: three leads whose time was over before the start.
STUFFED = 3
#: A CRM is behind for hours, not for days; a rep forgets one entry, not half of them.
UNVERIFIED, UNVERIFIED_SHARE, UNVERIFIED_AFTER = 5, 2, timedelta(days=1)
#: "I'm busy" is free. Six of fifteen, and twice as often as the others in the team, is a choice of leads.
PASSED, PASSED_PERCENT, PASSED_TIMES = 6, 40, 2
#: Nobody calls the same person four times in an hour.
REPEATED, REPEATED_WITHIN = 4, timedelta(hours=1)
#: A manager who is a rep, too, takes over a lead that burns; three a week are a second source of leads.
SELF_GIVEN = 3


class FlagKind(StrEnum):
    """What it looks like. The value is what the table of flags keeps (24 characters at most)."""

    BURST = "burst"
    BACKDATED = "backdated"
    RECYCLE_RUN = "accept_then_recycle"
    GIVE_BACK_RUN = "accept_then_give_back"
    STUFFED = "stuffed"
    SELF_GIVEN = "self_given"
    UNVERIFIED_RUN = "unverified_run"
    CHERRY_PICKING = "cherry_picking"
    REPEATED = "repeated"


@dataclass(frozen=True, slots=True)
class Flagged:
    """One flag. Unique by (person, kind, about); the same journals give the same flags again, later ones the same with
    more evidence. `at`: of the newest evidence. `voids`: (rule, about) of the chances that it would cost. `data`: for
    the table: ids of leads and touches, times, counts, `voids`; no text."""

    person: int
    kind: FlagKind
    about: str  # a day, a week, an offer, or "all"; 80 characters at most
    at: datetime
    leads: tuple[int, ...]
    voids: tuple[tuple[Rule, str], ...]
    data: Mapping[str, Any]


def flags_of(
    terms: Terms,
    feats: Iterable[LeadFeats],
    entrants: Mapping[int, str],
    given: Circumstances,
) -> list[Flagged]:
    """All flags of entrants in the time of the challenge, by time. Input as for `count_points`."""
    look = _Look(terms, list(feats), entrants, given)
    found = [
        flag for person in sorted(entrants) for check in _CHECKS for flag in check(look, person)
    ]
    return sorted(found, key=lambda flag: (flag.at, flag.person, flag.kind, flag.about))


def voids_in(data: Mapping[str, Any]) -> list[tuple[Rule, str]]:
    """The chances that a stored flag would cost: `Flagged.data` as the table keeps it."""
    return [(Rule(rule), str(about)) for rule, about in data.get("voids", ())]


def touches_in(data: Mapping[str, Any]) -> list[int]:
    """The touches that a stored flag is about. Were they real, they go into `Circumstances.trusted`."""
    return [int(touch) for touch in data.get("touches", ())]


class _Look:
    """The material, by person: touches and holdings in the time of the challenge, and what was made of them."""

    def __init__(
        self,
        terms: Terms,
        feats: Sequence[LeadFeats],
        entrants: Mapping[int, str],
        given: Circumstances,
    ) -> None:
        self.begins_at, self.ends_at = reach_of(terms)
        self.entrants, self.given, self.zone = entrants, given, ZoneInfo(terms.zone)
        self.until = min(now_of(feats, given) or self.begins_at, self.ends_at)
        self.touches: dict[int, list[Touch]] = defaultdict(list)
        self.held: dict[int, list[Holding]] = defaultdict(list)
        self.before: dict[int, list[Holding]] = defaultdict(list)
        self.lead_of: dict[int, int] = {}
        self.of_offer: dict[str, list[Touch]] = defaultdict(list)
        for lead in sorted(feats, key=lambda each: each.lead):
            for touch in lead.touches:
                self.lead_of[touch.id] = lead.lead
                self.of_offer[touch.offer].append(touch)
                if self.begins_at <= touch.at < self.ends_at:
                    self.touches[touch.person].append(touch)
            for held in lead.holdings:
                if self.begins_at <= held.offered_at < self.ends_at:
                    self.held[held.person].append(held)
                elif held.offered_at < self.begins_at:
                    self.before[held.person].append(held)
        for touches in self.touches.values():
            touches.sort(key=lambda touch: (touch.at, touch.id))
        judged = chances_of(feats, replace(given, now=self.until, zone=terms.zone))
        self.chances: dict[str, list[Chance]] = defaultdict(list)
        for chance in judged:
            if self.begins_at <= chance.offered_at:
                self.chances[chance.about].append(chance)

    def day(self, at: datetime) -> str:
        return at.astimezone(self.zone).date().isoformat()

    def week(self, at: datetime) -> str:
        year, week, _ = at.astimezone(self.zone).date().isocalendar()
        return f"{year}-W{week:02d}"

    def resting_on(self, touches: Iterable[Touch]) -> list[tuple[Rule, str]]:
        """What was kept by these touches."""
        ids = {touch.id for touch in touches}
        offers = {touch.offer for touch in touches}
        return [
            (chance.rule, chance.about)
            for offer in sorted(offers)
            for chance in self.chances[offer]
            if chance.verdict is Verdict.KEPT and ids & set(chance.touches)
        ]

    def of_offers(self, held: Iterable[Holding], *verdicts: Verdict) -> list[tuple[Rule, str]]:
        return [
            (chance.rule, chance.about)
            for offer in held
            for chance in self.chances[offer.offer]
            if chance.verdict in verdicts
        ]

    def flag_touches(
        self, person: int, kind: FlagKind, about: str, touches: Sequence[Touch], **more: Any
    ) -> Flagged:
        leads = [self.lead_of[touch.id] for touch in touches]
        times = [touch.at for touch in touches]
        more["touches"] = [touch.id for touch in touches]
        return _flag(person, kind, about, times, leads, self.resting_on(touches), **more)


def _flag(
    person: int,
    kind: FlagKind,
    about: str,
    times: Iterable[datetime],
    leads: Iterable[int],
    voids: Iterable[tuple[Rule, str]],
    **more: Any,
) -> Flagged:
    whens, which = sorted(times), tuple(dict.fromkeys(leads))
    costs = tuple(dict.fromkeys(voids))
    data = {
        "leads": list(which),
        "n": len(whens),
        "from": whens[0].isoformat(),
        "to": whens[-1].isoformat(),
        "voids": [[rule.value, offer] for rule, offer in costs],
        **more,
    }
    return Flagged(person, kind, about, whens[-1], which, costs, data)


def _by(key: Callable[[Any], str], things: Iterable[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = defaultdict(list)
    for thing in things:
        found[key(thing)].append(thing)
    return found


def _bursts(look: _Look, person: int) -> list[Flagged]:
    """Three meetings in ten minutes, or more calls than fit into them."""
    mine = look.touches[person]
    bursts = [
        *crowded([t for t in mine if t.kind == "meeting"], MEETINGS, CROWD_WITHIN),
        *crowded([t for t in mine if not t.verified], CROWD, CROWD_WITHIN),
        *crowded(mine, REPORTED, CROWD_WITHIN),
    ]
    once = sorted({touch.id: touch for touch in bursts}.values(), key=lambda t: (t.at, t.id))
    days = _by(lambda touch: look.day(touch.at), once)
    return [
        look.flag_touches(person, FlagKind.BURST, day, touches) for day, touches in days.items()
    ]


def _backdated(look: _Look, person: int) -> list[Flagged]:
    """Told after the time was over that it had been done in time."""
    late = []
    for held in look.held[person]:
        promise = held.promise("first_touch")
        own = [touch for touch in look.of_offer[held.offer] if touch.person == person]
        if promise is not None and own:
            first = own[0]
            in_time = [each for each in first.tellings if each.at <= promise.due_at]
            told = min((each.told_at for each in in_time), default=None)
            if first.at <= promise.due_at and (told is None or told > promise.due_at + TELL_WITHIN):
                late.append(first)
    weeks = _by(lambda touch: look.week(touch.at), late)
    return [
        look.flag_touches(
            person,
            FlagKind.BACKDATED,
            week,
            touches,
            told=[touch.tellings[-1].told_at.isoformat() for touch in touches],
        )
        for week, touches in weeks.items()
        if len(touches) >= LATE_TOLD
    ]


def _sent_off(look: _Look, person: int) -> list[Flagged]:
    """Accepted, and within a day recycled or given back without a word to anybody, again and again."""
    weeks = _by(
        lambda held: look.week(held.accepted.at), (h for h in look.held[person] if h.accepted)
    )
    found = []
    for week, accepted in weeks.items():
        for kind, state in (
            (FlagKind.RECYCLE_RUN, "recycled"),
            (FlagKind.GIVE_BACK_RUN, "rejected"),
        ):
            off = [
                held
                for held in accepted
                if held.left_by == state
                and held.left_self
                and held.left_at - held.accepted.at <= SENT_OFF_WITHIN
                and not any(touch.reached for touch in look.of_offer[held.offer])
            ]
            if len(off) >= SENT_OFF and len(off) * SENT_OFF_SHARE >= len(accepted):
                voids = look.of_offers(off, Verdict.KEPT, Verdict.STOPPED)
                leads = [held.lead for held in off]
                times = [held.left_at for held in off]
                found.append(_flag(person, kind, week, times, leads, voids, of=len(accepted)))
    return found


def _stuffed(look: _Look, person: int) -> list[Flagged]:
    """Work that was due before the start and kept for its first day. It counts for nothing, also not as a bad past."""
    first_day = look.day(look.begins_at)
    held_back = []
    for held in look.before[person]:
        promise = held.promise("first_touch")
        own = [touch for touch in look.of_offer[held.offer] if touch.person == person]
        overdue = promise is not None and promise.due_at < look.begins_at
        if overdue and own and own[0].at >= look.begins_at and look.day(own[0].at) == first_day:
            held_back.append(own[0])
    if len(held_back) < STUFFED:
        return []
    return [look.flag_touches(person, FlagKind.STUFFED, first_day, held_back)]


def _self_given(look: _Look, person: int) -> list[Flagged]:
    """Leads that somebody who manages took for themselves. They count for nothing."""
    weeks = _by(lambda h: look.week(h.offered_at), (h for h in look.held[person] if h.self_given))
    return [
        _flag(
            person,
            FlagKind.SELF_GIVEN,
            week,
            (held.offered_at for held in taken),
            (held.lead for held in taken),
            (),
        )
        for week, taken in weeks.items()
        if len(taken) >= SELF_GIVEN
    ]


def _unverified(look: _Look, person: int) -> list[Flagged]:
    """Said, and after a day still not in the CRM: half of a week's."""
    if not look.given.verified_only:
        return []
    old = [touch for touch in look.touches[person] if touch.at <= look.until - UNVERIFIED_AFTER]
    found = []
    for week, touches in _by(lambda touch: look.week(touch.at), old).items():
        said = [touch for touch in touches if not touch.verified]
        if len(said) >= UNVERIFIED and len(said) * UNVERIFIED_SHARE >= len(touches):
            kind = FlagKind.UNVERIFIED_RUN
            found.append(look.flag_touches(person, kind, week, said, of=len(touches)))
    return found


def _cherry_picking(look: _Look, person: int) -> list[Flagged]:
    """Passes on far more than the others in the team. A no with a reason is marketing's to judge, not counted here."""

    def passed(who: int) -> list[Holding]:
        return [held for held in look.held[who] if held.left_by == "passed" and held.left_self]

    mine, offers = passed(person), len(look.held[person])
    others = [
        other
        for other, team in look.entrants.items()
        if team == look.entrants[person] and other != person
    ]
    theirs = sum(len(passed(other)) for other in others)
    of_theirs = sum(len(look.held[other]) for other in others)
    if len(mine) < PASSED or 100 * len(mine) < PASSED_PERCENT * offers:
        return []
    if len(mine) * of_theirs < PASSED_TIMES * theirs * offers:
        return []
    times = [held.left_at for held in mine if held.left_at is not None]
    voids = [void for void in look.of_offers(mine, Verdict.STOPPED) if void[0] is Rule.ACCEPT]
    leads = [held.lead for held in mine]
    return [_flag(person, FlagKind.CHERRY_PICKING, "all", times, leads, voids, of=offers)]


def _repeated(look: _Look, person: int) -> list[Flagged]:
    """The same lead again and again within an hour."""
    offers = _by(lambda touch: touch.offer, look.touches[person])
    found = []
    for offer, touches in offers.items():
        often = crowded(touches, REPEATED, REPEATED_WITHIN)
        if often:
            found.append(look.flag_touches(person, FlagKind.REPEATED, offer, often))
    return found


_CHECKS: tuple[Callable[[_Look, int], list[Flagged]], ...] = (
    _bursts,
    _backdated,
    _sent_off,
    _stuffed,
    _self_given,
    _unverified,
    _cherry_picking,
    _repeated,
)
