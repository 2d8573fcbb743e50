"""Chances: each promise of somebody's about one lead, and whether it was kept. Pure.

The rules by which cheating gains nothing stand here: an accept is worth nothing without a touch, what is told late was
not done in time, touches that nobody can have made do not count. What is not here: what chances are worth, and which
of them lie in a challenge (`points`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from bot.domain.challenge import Rule
from bot.domain.feats import Holding, LeadFeats, Promise, Telling, Touch
from bot.domain.period import midnight

#: A CRM tells us of a call within minutes. What is told longer than this after the due time was not done in time:
#: else whoever writes "called at nine" in the evening kept every promise. (A rep can log it in Baton at once.)
TELL_WITHIN = timedelta(minutes=30)
#: A burst: so many touches, or meetings, of one person within ten minutes, for which nobody but they vouch. Nobody
#: makes more than a call every two minutes, and three meetings in ten minutes were not held. None of a burst counts,
#: not even the first, until the CRM has it or the manager says that it was real: a part would be worth trying.
CROWD, MEETINGS, CROWD_WITHIN = 6, 3, timedelta(minutes=10)
#: A follow-up is patience: of the touches on a lead within an hour one of each kind counts towards it, two in all.
ONCE_WITHIN, MOST_WITHIN = timedelta(hours=1), 2
#: Shorter absences excuse nothing: else an hour away before each due time would.
SHORTEST_ABSENCE = timedelta(hours=4)
#: Baton restarts in seconds; it lost somebody a promise when it was down at the due time or for a tenth of the time.
DOWN_SHARE = 10
#: Touches before somebody who reached nobody can say that there is an opportunity.
ENOUGH_TOUCHES = 2


class Verdict(StrEnum):
    """KEPT and BROKEN count. OPEN: nobody can know yet. EXCUSED: absence, downtime, a manager's word. STOPPED: it went
    without a verdict (somebody said no in time, the lead was taken away)."""

    KEPT = "kept"
    BROKEN = "broken"
    OPEN = "open"
    EXCUSED = "excused"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Chance:
    """One rule, one offer. `at`: when it was kept (as it happened), else when it was due; `told_at`: when that was
    logged. `done_at`: when it was done after all, though not in time. `touches`: ids of those that it rests on."""

    rule: Rule
    about: str  # the offer id
    lead: int
    person: int
    offered_at: datetime
    at: datetime
    told_at: datetime
    verdict: Verdict
    why: str = ""
    fast_lane: bool = False
    score: int = 0
    touches: tuple[int, ...] = ()
    done_at: datetime | None = None


def _weekdays(_person: int, day: date) -> bool:
    return day.weekday() < 5


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What points depend on beside the journals of leads.

    `absences`: person id -> [from, until), until None: open. `downtimes`: [from, until) when Baton was down.
    `works(person, day)`: whether that local day is a working day of theirs, absences aside (weekends, holidays).
    `verified_only`: a CRM reports, so only verified touches count. `trusted`: ids of touches that a manager said were
    real. `now`: what is due later is open; None: the time of the newest entry given, so that nothing but the journals
    decides. `zone`: of the days of absence."""

    absences: Mapping[int, tuple[tuple[datetime, datetime | None], ...]] = field(
        default_factory=dict
    )
    downtimes: tuple[tuple[datetime, datetime], ...] = ()
    works: Callable[[int, date], bool] = _weekdays
    verified_only: bool = False
    trusted: frozenset[int] = frozenset()
    now: datetime | None = None
    zone: str = "UTC"


def now_of(feats: Iterable[LeadFeats], given: Circumstances) -> datetime | None:
    """Up to when is known what happened; None: nothing is known."""
    heard = (lead.heard_at for lead in feats if lead.heard_at is not None)
    return given.now if given.now is not None else max(heard, default=None)


def chances_of(feats: Iterable[LeadFeats], given: Circumstances) -> list[Chance]:
    """Every chance in these leads, by time; the order in which they are given does not matter."""
    leads = sorted(feats, key=lambda each: each.lead)
    given = replace(given, now=now_of(leads, given))
    touches = [touch for lead in leads for touch in lead.touches if touch.id not in given.trusted]
    idle = impossible_touches(touches)
    found = [chance for lead in leads for chance in _Judge(lead, given, idle).chances()]
    return sorted(found, key=lambda c: (c.at, c.rule, c.about))


def impossible_touches(touches: Iterable[Touch]) -> frozenset[int]:
    """Ids of the touches that stand in a burst; one that the CRM has was made, and stands in none."""
    by_person: dict[int, list[Touch]] = {}
    for touch in sorted(touches, key=lambda each: (each.at, each.id)):
        if not touch.verified:
            by_person.setdefault(touch.person, []).append(touch)
    idle: set[int] = set()
    for mine in by_person.values():
        meetings = [touch for touch in mine if touch.kind == "meeting"]
        for some, most in ((mine, CROWD), (meetings, MEETINGS)):
            idle |= {touch.id for touch in crowded(some, most, CROWD_WITHIN)}
    return frozenset(idle)


def crowded(touches: Sequence[Touch], most: int, within: timedelta) -> list[Touch]:
    """The touches (given by time) that stand among at least `most` within a span."""
    found: dict[int, Touch] = {}
    begin = 0
    for end, touch in enumerate(touches):
        while touch.at - touches[begin].at >= within:
            begin += 1
        if end - begin + 1 >= most:
            found.update((each.id, each) for each in touches[begin : end + 1])
    return list(found.values())


class _Judge:
    """One lead's promises, judged."""

    def __init__(self, lead: LeadFeats, given: Circumstances, idle: Collection[int]) -> None:
        self._lead, self._given = lead, given
        self._touches = [
            touch
            for touch in lead.touches
            if (touch.verified or not given.verified_only) and touch.id not in idle
        ]

    def chances(self) -> list[Chance]:
        found: list[Chance] = []
        for held in self._lead.holdings:
            own = [t for t in self._touches if t.offer == held.offer and t.person == held.person]
            judged = (
                self._accept(held, own),
                self._first_touch(held, own),
                self._follow_up(held),
                self._qualified(held, own),
            )
            found += [self._excused_or_open(held, each) for each in judged if each is not None]
        return found

    def _accept(self, held: Holding, own: list[Touch]) -> Chance | None:
        promise = held.promise("accept")
        if promise is None:
            return None
        chance = _missed(Rule.ACCEPT, held, promise)
        if held.self_given:
            return _stopped(chance, "self_given")
        if held.accepted is None:
            went_in_time = held.left_at is not None and held.left_at < promise.due_at
            if held.left_by in ("withdrawn", "undeliverable"):
                return _stopped(chance, held.left_by)
            if went_in_time and held.left_by != "lapsed":
                return _stopped(chance, held.left_by)
            return replace(chance, why="not_answered")
        if not _in_time([held.accepted], promise.due_at):
            return replace(chance, why="late", done_at=held.accepted.at)
        if not own:
            return self._untouched(held, chance)
        return _kept(chance, held.accepted, own[:1])

    def _untouched(self, held: Holding, chance: Chance) -> Chance:
        """Accepted and (as far as can be counted) never touched: no accept that anybody gains by. Once the touch is
        due it is a promise not kept; was the lead gone before, it is none."""
        promise = held.promise("first_touch")
        if promise is None:
            return _stopped(chance, held.left_by) if held.left_at else _open(chance)
        due = replace(chance, at=promise.due_at, told_at=promise.due_at, why="untouched")
        if held.left_at is not None and held.left_at < promise.due_at:
            return _stopped(due, held.left_by)
        return self._excused(held, promise, due)

    def _first_touch(self, held: Holding, own: list[Touch]) -> Chance | None:
        promise = held.promise("first_touch")
        if promise is None:
            return None
        chance = _missed(Rule.FIRST_TOUCH, held, promise)
        if held.self_given:
            return _stopped(chance, "self_given")
        if held.accepted is None:
            return _stopped(chance, "undone")
        for touch in own:
            if touch.at <= promise.due_at and _in_time(touch.tellings, promise.due_at):
                return _kept(chance, Telling(touch.at, touch.told_at), [touch])
        if own:
            return replace(chance, why="late", done_at=own[0].at)
        if held.left_at is not None and held.left_at < promise.due_at:
            return _stopped(chance, held.left_by)
        return replace(chance, why="untouched")

    def _follow_up(self, held: Holding) -> Chance | None:
        promise = held.promise("follow_up")
        if promise is None:
            return None
        chance = _missed(Rule.FOLLOW_UP, held, promise)
        if held.self_given:
            return _stopped(chance, "self_given")
        made = _patient([t for t in self._touches if t.round == held.round])
        rest = made[promise.goal - 1 :] if promise.goal else []
        nth = next((touch for touch in rest if touch.offer == held.offer), None)
        if nth is not None and nth.at <= promise.due_at:
            if _in_time(nth.tellings, promise.due_at):
                return _kept(chance, Telling(nth.at, nth.told_at), made[: promise.goal])
            return replace(chance, why="told_late", done_at=nth.at)
        stopped = held.left_at if held.qualified is None else held.qualified.at
        if stopped is not None and stopped < promise.due_at:
            talked = any(t.reached and t.person == held.person for t in made)
            gave_up = held.left_by == "recycled" and held.left_self and not talked
            if held.qualified is None and gave_up:
                # Somebody says "not now" for a person whom they never spoke to.
                return replace(chance, at=stopped, told_at=stopped, why="gave_up")
            return _stopped(chance, held.left_by or "qualified")
        return replace(chance, why="too_few", done_at=nth.at if nth is not None else None)

    def _qualified(self, held: Holding, own: list[Touch]) -> Chance | None:
        """A chance only when it happens: that a lead is no opportunity is nobody's miss."""
        said = held.qualified
        if said is None:
            return None
        chance = Chance(
            Rule.QUALIFIED,
            held.offer,
            held.lead,
            held.person,
            held.offered_at,
            said.at,
            said.told_at,
            Verdict.KEPT,
            fast_lane=held.fast_lane,
            score=held.score,
        )
        if held.self_given:
            return _stopped(chance, "self_given")
        if held.unqualified_at is not None:
            return _stopped(chance, "gone_again")
        before = _patient([touch for touch in own if touch.at <= said.at])
        if not any(touch.reached for touch in before) and len(before) < ENOUGH_TOUCHES:
            return _stopped(chance, "untouched")
        return replace(chance, touches=tuple(touch.id for touch in before))

    def _excused_or_open(self, held: Holding, chance: Chance) -> Chance:
        promise = held.promise(chance.rule.value)
        if promise is not None and chance.verdict is Verdict.BROKEN and chance.why != "gave_up":
            chance = self._excused(held, promise, chance)
        now = self._given.now
        return _open(chance) if now is not None and chance.at > now else chance

    def _excused(self, held: Holding, promise: Promise, chance: Chance) -> Chance:
        why = "by_manager" if promise.excused else ""
        why = why or ("absent" if self._was_away(held.person, promise) else "")
        why = why or ("baton_down" if self._was_down(promise) else "")
        return replace(chance, verdict=Verdict.EXCUSED, why=why) if why else chance

    def _was_away(self, person: int, promise: Promise) -> bool:
        """At the due time, or for a whole working day on the way to it."""
        zone = ZoneInfo(self._given.zone)
        for begin, until in self._given.absences.get(person, ()):
            if until is not None and until - begin < SHORTEST_ABSENCE:
                continue
            if begin <= promise.due_at and (until is None or promise.due_at < until):
                return True
            first = max(begin, promise.started_at).astimezone(zone).date()
            last = min(until or promise.due_at, promise.due_at).astimezone(zone).date()
            for day in (first + timedelta(days=n) for n in range((last - first).days + 1)):
                whole = begin <= midnight(day, self._given.zone) and (
                    until is None or midnight(day + timedelta(days=1), self._given.zone) <= until
                )
                if whole and self._given.works(person, day):
                    return True
        return False

    def _was_down(self, promise: Promise) -> bool:
        down = timedelta(0)
        for begin, until in self._given.downtimes:
            if begin <= promise.due_at < until:
                return True
            down += max(timedelta(0), min(until, promise.due_at) - max(begin, promise.started_at))
        return down > timedelta(0) and down * DOWN_SHARE >= promise.due_at - promise.started_at


def _missed(rule: Rule, held: Holding, promise: Promise) -> Chance:
    return Chance(
        rule,
        held.offer,
        held.lead,
        held.person,
        held.offered_at,
        promise.due_at,
        promise.due_at,
        Verdict.BROKEN,
        fast_lane=held.fast_lane,
        score=held.score,
    )


def _kept(chance: Chance, telling: Telling, touches: list[Touch]) -> Chance:
    ids = tuple(touch.id for touch in touches)
    return replace(
        chance, verdict=Verdict.KEPT, at=telling.at, told_at=telling.told_at, touches=ids
    )


def _stopped(chance: Chance, why: str) -> Chance:
    return replace(chance, verdict=Verdict.STOPPED, why=why)


def _open(chance: Chance) -> Chance:
    return replace(chance, verdict=Verdict.OPEN)


def _in_time(tellings: Iterable[Telling], due: datetime) -> bool:
    """Whether we knew in time (or soon after) that it was in time."""
    return any(each.at <= due and each.told_at <= due + TELL_WITHIN for each in tellings)


def _patient(touches: list[Touch]) -> list[Touch]:
    """Of touches on one lead those that count towards a follow-up."""
    counted: list[Touch] = []
    for touch in touches:
        lately = [other for other in counted if touch.at - other.at < ONCE_WITHIN]
        if len(lately) < MOST_WITHIN and all(other.kind != touch.kind for other in lately):
            counted.append(touch)
    return counted
