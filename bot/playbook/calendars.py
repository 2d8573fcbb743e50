"""Opening hours, zones, holidays and closures of the playbook, joined into one calendar for each person and team.

A person's own hours replace the team's, and those the company's; so do zone and holiday region. Closures add up.
What is not here: counting in business time (`bot.domain.business_time`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from bot.domain.business_time import Calendar, Closure, Weekly
from bot.playbook.faults import Faults, Path, did_you_mean, shown
from bot.playbook.holiday_dates import UnknownRegion, holiday_dates
from bot.playbook.schema import Closures, Hours

#: As the playbook writes them; Monday is 0.
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{2})")
_DAY_MINUTES = 24 * 60
_LEAST_MINUTES_A_WEEK = 60

#: Without a word about hours the company works like this.
USUAL_HOURS: Weekly = {day: ((9 * 60, 17 * 60),) for day in range(5)}


@dataclass(frozen=True, slots=True)
class TimePart:
    """What one level (person, team, company) says about its time; None where it says nothing."""

    zone: ZoneInfo | None = None
    weekly: Weekly | None = None
    holidays: frozenset[date] | None = None
    closures: tuple[Closure, ...] = ()


@dataclass(frozen=True, slots=True)
class TimeReader:
    """Reads the time keys of a part of the playbook; faults go to `faults`."""

    faults: Faults
    today: date

    def read(
        self,
        path: Path,
        timezone: str | None,
        hours: Hours | None,
        holidays: list[str | None] | None,
        closures: Closures | None = None,
    ) -> TimePart:
        """What the part at `path` says."""
        return TimePart(
            zone=self._zone((*path, "timezone"), timezone),
            weekly=self._weekly((*path, "hours"), hours) if hours is not None else None,
            holidays=self._holidays((*path, "holidays"), holidays),
            closures=self._closures((*path, "closures"), closures or []),
        )

    def _zone(self, path: Path, name: str | None) -> ZoneInfo | None:
        if name is None:
            return None
        try:
            if "/" in name or name == "UTC":
                return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            pass  # told below, together with names like CET that are no places
        self.faults.add(
            path,
            f"{shown(name)} is not a time zone{did_you_mean(name, available_timezones())}; "
            "write a place such as `Europe/Berlin`",
        )
        return None

    def _holidays(self, path: Path, regions: list[str | None] | None) -> frozenset[date] | None:
        if regions is None:
            return None
        days: frozenset[date] = frozenset()
        for index, region in enumerate(regions):
            if region is None or (region == "none" and len(regions) == 1):
                continue
            try:
                days |= holiday_dates(region, self.today)
            except UnknownRegion as error:
                self.faults.add((*path, index), str(error))
        return days

    def _weekly(self, path: Path, hours: Hours) -> Weekly:
        weekly: dict[int, tuple[tuple[int, int], ...]] = {}
        faulty = False
        for key, texts in hours.items():
            days = self._days((*path, key), key)
            spans = self._spans((*path, key), texts or [])
            faulty = faulty or days is None or spans is None
            for day in days or ():
                if day in weekly:
                    self.faults.add((*path, key), f"{DAYS[day]} stands in two lines")
                    faulty = True
                weekly[day] = spans or ()
        minutes = sum(end - begin for spans in weekly.values() for begin, end in spans)
        if not faulty and minutes < _LEAST_MINUTES_A_WEEK:
            self.faults.add(path, "less than an hour a week is open: no clock could ever run")
        return weekly

    def _days(self, path: Path, key: str) -> list[int] | None:
        days = days_of(key)
        if days is None:
            self.faults.add(
                path,
                f"{shown(key)} is not a day; write mon, tue, wed, thu, fri, sat, sun or mon-fri",
            )
        return days

    def _spans(self, path: Path, texts: list[str | None]) -> tuple[tuple[int, int], ...] | None:
        spans: list[tuple[int, int]] = []
        for index, text in enumerate(texts):
            if text is None:
                continue
            span = self._span((*path, index), text)
            if span is None:
                return None
            if spans and span[0] < spans[-1][1]:
                self.faults.add(
                    (*path, index), f"{shown(text)} begins before the hours written ahead of it end"
                )
                return None
            spans.append(span)
        return tuple(spans)

    def _span(self, path: Path, text: str) -> tuple[int, int] | None:
        first, dash, last = (word.strip() for word in text.replace("–", "-").partition("-"))
        begin, end = minute_of(first), minute_of(last)
        if not dash or begin is None or end is None:
            self.faults.add(path, f'{shown(text)} is not a time span; write "09:00-17:30"')
            return None
        if begin >= end:
            self.faults.add(
                path,
                f"{shown(text)} ends before it begins; a night is two spans, to 24:00 and, next day, from 00:00",
            )
            return None
        return begin, end

    def _closures(self, path: Path, parts: Closures) -> tuple[Closure, ...]:
        closures: list[Closure] = []
        for index, part in enumerate(parts):
            if part is None or part.day is None:
                continue
            place = (*path, index)
            try:
                day = date.fromisoformat(part.day.strip())
            except ValueError:
                self.faults.add(
                    (*place, "day"), f"{shown(part.day)} is not a date; write 2026-12-24"
                )
                continue
            begin, end = minute_of(part.from_ or "00:00"), minute_of(part.to or "24:00")
            if begin is None or end is None or begin >= end:
                self.faults.add(place, 'closed from when to when? Write from: "12:00", to: "24:00"')
                continue
            closures.append(Closure(day, begin, end))
        return tuple(closures)


def days_of(text: str) -> list[int] | None:
    """`mon-thu`, `mon,wed`, `sat`, `sat-mon`: days of the week, as written; Monday is 0. None: it names no days."""
    days: list[int] = []
    for part in text.lower().split(","):
        first, dash, last = (word.strip() for word in part.partition("-"))
        if first not in DAYS or (dash and last not in DAYS):
            return None
        begin = DAYS.index(first)
        span = (DAYS.index(last) - begin) % 7 if dash else 0
        days.extend((begin + step) % 7 for step in range(span + 1))
    return days


def minute_of(text: str) -> int | None:
    """`09:30` as minutes since midnight; `24:00` is the end of the day. None: it is no time."""
    found = _TIME.fullmatch(text.strip())
    if not found:
        return None
    hour, minute = int(found[1]), int(found[2])
    total = hour * 60 + minute
    return total if minute < 60 and total <= _DAY_MINUTES else None


def joined(*levels: TimePart) -> Calendar:
    """One calendar from the nearest level (the person) to the farthest (the company)."""
    zone = next((level.zone for level in levels if level.zone is not None), ZoneInfo("UTC"))
    weekly = next((level.weekly for level in levels if level.weekly is not None), USUAL_HOURS)
    days = next((level.holidays for level in levels if level.holidays is not None), frozenset())
    closures = tuple(dict.fromkeys(closure for level in levels for closure in level.closures))
    return Calendar(zone=zone, weekly=_frozen(weekly), holidays=days, closures=closures)


def _frozen(weekly: Weekly) -> Mapping[int, tuple[tuple[int, int], ...]]:
    return {day: tuple(spans) for day, spans in sorted(weekly.items())}
