"""The figures of a report, counted again by hand: plain Python over the entries of the journal, nothing of Baton in it.

Written from the definitions (`bot/domain/kpi_definitions.py`, docs/report.md), not from the SQL. Besides the journal
(`journal_by_hand`) it takes the hours that people work, and when Baton was down. What is not here: the baseline,
people's loads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tests.journal_by_hand import Clock, History, Offer

#: (promise, person, team, from, to) -> open seconds between.
Hours = Callable[[str, int | None, str, datetime, datetime], int]
Figures = dict[str, Any]
_MARKETINGS = ("route", "review")


@dataclass
class Counting:
    """[begin, end) as it stood at `at`; begin None: since ever. `team` "": all."""

    told: History
    hours: Hours
    begin: datetime | None
    end: datetime
    at: datetime
    now: datetime
    team: str = ""

    def inside(self, at: datetime | None) -> bool:
        return at is not None and (self.begin is None or self.begin <= at < self.end)

    def here(self, team: str) -> bool:
        return self.team in ("", team)

    def live(self, lead: int) -> bool:
        return self.told.leads[lead].live

    def touched(self, lead: int, round_: int) -> bool:
        """By the end."""
        return any(touch.at < self.end for touch in self.told.of_round(lead, round_))

    def first(self, lead: int, round_: int) -> Offer:
        return min(self.told.offers_of(lead, round_), key=lambda offer: offer.n)

    def figures(self) -> Figures:
        """Shares are (part, of), spreads (how many, 50th, 90th), counts a number."""
        found = self._funnel()
        found |= self._promises()
        found |= self._speed()
        found |= self._spans()
        found |= self._decay()
        return found

    def _funnel(self) -> Figures:
        told = self.told
        arrived = sum(
            lead.live and not lead.told and self.inside(lead.arrived) and self.here(lead.team)
            for lead in told.leads.values()
        )
        made = [
            o for o in told.offers.values()
            if self.live(o.lead) and self.here(o.team) and self.inside(o.at)
        ]  # fmt: skip
        leads: dict[int, Offer] = {}
        for offer in sorted(made, key=lambda offer: (offer.round, offer.n)):
            leads.setdefault(offer.lead, offer)
        picked = sum(self.touched(offer.lead, offer.round) for offer in leads.values())
        mql = sum(offer.n == 1 for offer in made)
        accepted = self._first_accepts()
        untouched = sum(not self.touched(offer.lead, offer.round) for offer in accepted)
        ended = Counter(
            offer.state
            for offer in told.offers.values()
            if self.live(offer.lead) and self.here(offer.team) and self.inside(offer.ended)
        )
        stages = {
            to: [
                (lead, round_, at)
                for what, lead, round_, at in told.reached
                if what == to and self.live(lead) and self.inside(at)
                and self.here(told.leads[lead].team)
            ]
            for to in ("qualified", "won")
        }  # fmt: skip
        sql, won = len(stages["qualified"]), len(stages["won"])
        escalated = sum(
            self.live(lead) and self.inside(at) and self.here(told.leads[lead].team)
            for lead, _, at in told.escalated
        )
        accepted_at = {
            key: min(times)
            for key in {(lead, round_) for lead, round_, _ in stages["qualified"]}
            if (times := [o.accepted for o in told.offers_of(*key) if o.accepted])
        }
        qualified_at = {
            (lead, round_): at for what, lead, round_, at in told.reached if what == "qualified"
        }
        return {
            "arrived": arrived,
            "offered": len(leads),
            "picked_up": (picked, len(leads)),
            "accepted_untouched": (untouched, len(accepted)),
            "became_mql": (mql, arrived),
            "became_sal": (len(accepted), mql),
            "became_sql": (sql, len(accepted)),
            "became_customer": (won, sql),
            "rejected": (ended["rejected"], len(made)),
            "recycled": (ended["recycled"], len(made)),
            "rerouted": (sum(offer.n > 1 for offer in made), len(leads)),
            "escalations": (escalated, len(leads)),
            "time_to_sal": _spread(
                _seconds(self.first(o.lead, o.round).at, o.accepted or o.at) for o in accepted
            ),
            "time_to_sql": _spread(
                _seconds(accepted_at[lead, round_], at)
                for lead, round_, at in stages["qualified"]
                if (lead, round_) in accepted_at
            ),
            "time_to_customer": _spread(
                _seconds(qualified_at[lead, round_], at)
                for lead, round_, at in stages["won"]
                if (lead, round_) in qualified_at
            ),
        }

    def _first_accepts(self) -> list[Offer]:
        """The accept that made its round a SAL."""
        firsts: dict[tuple[int, int], Offer] = {}
        for offer in sorted(self.told.offers.values(), key=lambda offer: offer.n):
            if offer.accepted is not None and self.live(offer.lead):
                firsts.setdefault((offer.lead, offer.round), offer)
        return [o for o in firsts.values() if self.here(o.team) and self.inside(o.accepted)]

    def _promises(self) -> Figures:
        found: Figures = {}
        for kind, name in (
            ("accept", "accepted_in_time"), ("first_touch", "touched_in_time"),
            ("follow_up", "followed_up_in_time"), ("decide", "decided_in_time"),
            ("route", "routed_in_time"), ("review", "reviewed_in_time"),
        ):  # fmt: skip
            mine = [c for c in self.told.clocks.values() if c.kind == kind and not c.excused]
            mine = [c for c in mine if kind in _MARKETINGS or self.here(c.team)]
            kept = sum(self.inside(clock.kept_at()) for clock in mine)
            broken = sum(self.inside(clock.broken_at(self.now)) for clock in mine)
            found[name] = (kept, kept + broken)
        return found

    def of_person(self, kind: str, down: Iterable[tuple[datetime, datetime]]) -> dict[str, Any]:
        """Promises of each person, without those that were due while Baton was down."""
        down = list(down)
        kept: Counter[str] = Counter()
        broken: Counter[str] = Counter()
        for clock in self.told.clocks.values():
            if clock.kind != kind or clock.excused or not self.here(clock.team):
                continue
            due = clock.broken_at(self.now)
            kept[str(clock.person)] += self.inside(clock.kept_at())
            if due is not None and not any(begin <= due < end for begin, end in down):
                broken[str(clock.person)] += self.inside(due)
        people = {*kept, *broken}
        return {p: (kept[p], kept[p] + broken[p]) for p in people if kept[p] + broken[p]}

    def _speed(self) -> Figures:
        speed, systems = [], []
        for number, lead in self.told.leads.items():
            touches = self.told.of_round(number, 1) if lead.live else []
            if not touches or not self.inside(touches[0].at):
                continue
            first = self.first(number, 1)
            if self.here(first.team):
                speed.append(_seconds(lead.arrived, touches[0].at))
                took = _seconds(lead.arrived, first.at) + _seconds(first.at, first.at + first.late)
                systems.append(min(speed[-1], took))
        shown = [
            touch
            for touch in self.told.touches.values()
            if touch.state != "withdrawn" and self.live(touch.lead) and self.inside(touch.at)
            and self.here(self.told.offers[touch.offer].team)
        ]  # fmt: skip
        return {
            "speed_to_lead": _spread(speed),
            "systems_delay": _spread(systems),
            "people_delay": _spread(a - b for a, b in zip(speed, systems, strict=True)),
            "verified": (sum(touch.state == "verified" for touch in shown), len(shown)),
        }

    def _spans(self, team: str | None = None) -> Figures:
        found: Figures = {}
        for kind, name in (("accept", "time_to_accept"), ("first_touch", "time_to_touch")):
            over = [
                clock
                for clock in self.told.clocks.values()
                if clock.kind == kind and clock.reached and self.inside(clock.ended)
                and self.here(clock.team) and team in (None, clock.team)
                and (kind != "accept" or self.told.offers[clock.offer].accepted is not None)
            ]  # fmt: skip
            ends = [(clock, clock.ended) for clock in over if clock.ended is not None]
            found[name] = _spread(
                self.hours(kind, c.person, c.team, c.started, end) for c, end in ends
            )
            found[f"{name}_wall"] = _spread(_seconds(c.started, end) for c, end in ends)
        return found

    def _decay(self) -> Figures:
        ages = [
            self.at - self.first(offer.lead, offer.round).at
            for offer in self.told.offers.values()
            if self.live(offer.lead) and self.here(offer.team) and offer.at < self.end
            and (offer.ended is None or offer.ended >= self.end)
            and not self.touched(offer.lead, offer.round)
        ]  # fmt: skip
        return {
            "untouched": len(ages),
            "untouched_72h": sum(age >= timedelta(hours=72) for age in ages),
        }

    def due(self, evening: datetime) -> Figures:
        """What runs now and is due before the evening, and what of it looks late."""
        due = [
            clock
            for clock in self.told.clocks.values()
            if clock.ended is None and self.now < clock.due < evening and self.here(clock.team)
            and clock.kind in ("accept", "first_touch", "follow_up", "decide", "review")
        ]  # fmt: skip
        return {"due_today": len(due), "likely_to_breach": sum(map(self._looks_late, due))}

    def _looks_late(self, clock: Clock) -> bool:
        whose = (clock.kind, clock.person, clock.team)
        left = self.hours(*whose, self.now, clock.due)
        if 4 * left <= self.hours(*whose, clock.started, clock.due):
            return True
        name = {"accept": "time_to_accept", "first_touch": "time_to_touch"}.get(clock.kind)
        many, median, _ = self._spans(clock.team)[name] if name else (0, None, None)
        return many >= 5 and median is not None and left < median


def _seconds(begin: datetime, end: datetime) -> int:
    return max(0, (end - begin) // timedelta(seconds=1))


def _spread(seconds: Iterable[int]) -> tuple[int, int | None, int | None]:
    """How many, and the smallest that is not below 50 and 90 of 100 of them."""
    ordered = sorted(seconds)
    many = len(ordered)
    if not many:
        return 0, None, None
    ranks = [next(n for n in range(1, many + 1) if 100 * n >= p * many) for p in (50, 90)]
    return many, ordered[ranks[0] - 1], ordered[ranks[1] - 1]
