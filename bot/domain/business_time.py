"""Business time: opening hours, holidays, closures, absence; add and count, right across DST.

Local times become instants as `open_windows` says (gap, fold, 24:00); counting is done there, in
UTC. What is not here: whose calendar a clock uses (`sla`), holidays of regions, YAML (`playbook`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from bot.domain.open_windows import (
    DAY_MINUTES,
    SECOND,
    NoOpenTime,
    Schedule,
    end_of_day,
    micros,
    moment,
    occurrences,
    schedule_of,
)

__all__ = [
    "Calendar",
    "Closure",
    "Duration",
    "DurationKind",
    "NoOpenTime",
    "Weekly",
    "due_at",
    "parse_days",
    "parse_duration",
    "point_at",
]

_YEARS = range(1900, 2201)
_LONGEST_DAYS = 3653  # ten years


class DurationKind(StrEnum):
    """How a duration of the playbook counts."""

    BUSINESS = "business"  # `15m`, `4h`: seconds of open time
    CLOCK = "clock"  # `24h clock`: wall seconds
    WORKING_DAYS = "working_days"  # `1d`: the same time on the Nth following working day
    CALENDAR_DAYS = "calendar_days"  # wake dates, review_every


@dataclass(frozen=True, slots=True)
class Duration:
    """`amount`: seconds for BUSINESS and CLOCK, days for the two others. `text`: as written."""

    kind: DurationKind
    amount: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class Closure:
    """A local day or a part of it that is closed. Minutes of the day; the whole day by default."""

    day: date
    from_minute: int = 0
    to_minute: int = DAY_MINUTES


#: Open intervals of a weekday (0 = Monday) as minutes of the local day, sorted, disjoint; 1440
#: closes the day.
Weekly = Mapping[int, tuple[tuple[int, int], ...]]


@dataclass(frozen=True, slots=True)
class Calendar:
    """When a person or a team is at work. Immutable; `absences` are aware UTC instants [from, to).

    ValueError for a weekday that is none of 0..6, an interval that is not within 0..1440 or ends
    before it begins, and naive absences. Every method refuses naive instants with ValueError.
    """

    zone: ZoneInfo
    weekly: Weekly = field(hash=False)  # a dict cannot be hashed; equality still looks at it
    holidays: frozenset[date] = frozenset()
    closures: tuple[Closure, ...] = ()
    absences: tuple[tuple[datetime, datetime], ...] = field(default=())
    _schedule: Schedule = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        weekly = tuple((day, tuple(hours)) for day, hours in sorted(self.weekly.items()) if hours)
        spans = [(closure.from_minute, closure.to_minute) for closure in self.closures]
        for day, hours in weekly:
            if day not in range(7):
                raise ValueError(f"{day} is not a weekday: 0 is Monday, 6 is Sunday")
            spans.extend(hours)
        for begin, end in spans:
            if not 0 <= begin < end <= DAY_MINUTES:
                raise ValueError(f"minutes {begin} to {end} are not a part of a day (0 to 1440)")
        closures = tuple((one.day, one.from_minute, one.to_minute) for one in self.closures)
        absences = tuple((micros(begin), micros(end)) for begin, end in self.absences)
        schedule = schedule_of(self.zone, weekly, self.holidays, closures, absences)
        object.__setattr__(self, "_schedule", schedule)

    @classmethod
    def around_the_clock(cls, zone: str = "UTC") -> Calendar:
        """Always open."""
        return cls(zone=ZoneInfo(zone), weekly={day: ((0, DAY_MINUTES),) for day in range(7)})

    def with_absences(self, absences: tuple[tuple[datetime, datetime], ...]) -> Calendar:
        """The same hours with other absences."""
        return replace(self, absences=absences)

    def is_open(self, at: datetime) -> bool:
        """Whether `at` (aware) lies in open time. The closing instant itself is closed."""
        return self._schedule.is_open(_instant(at))

    def next_open(self, at: datetime) -> datetime:
        """`at` itself when open, else the next opening (aware UTC).

        NoOpenTime when the next year (378 to 392 days) has none.
        """
        return moment(self._schedule.next_open(_instant(at)))

    def add(self, start: datetime, seconds: int) -> datetime:
        """The first instant at which `seconds` of open time have passed since `start` (aware UTC).

        It may be a closing time; 0 seconds are `start` itself. NoOpenTime when a year without open
        time lies on the way, or the end is 50 years off. ValueError for negative seconds.
        """
        if seconds < 0:
            raise ValueError(f"cannot add {seconds} seconds: business time only runs forward")
        instant = _instant(start)
        return moment(self._schedule.add(instant, seconds * SECOND) if seconds else instant)

    def between(self, start: datetime, end: datetime) -> int:
        """Open seconds in [start, end), rounded down; 0 when end <= start. The inverse of `add`."""
        return self._schedule.between(_instant(start), _instant(end)) // SECOND

    def add_working_days(self, start: datetime, days: int) -> datetime:
        """The same local time on the `days`-th following working day (aware UTC).

        - A working day is a local day with any open time; holidays, days closed or absent whole
          are none.
        - A start outside of hours counts as the next opening: Saturday's lead counts from Monday's.
        - Closed at that time on that day: the day's last closing at or before it; when there is
          none, the day's first opening.
        - In a gap the time is the first existing minute after, in a fold its first occurrence.

        NoOpenTime as in `next_open`; ValueError for less than one day.
        """
        if days < 1:
            raise ValueError(f"cannot add {days} working days: one is the least")
        schedule = self._schedule
        begin = moment(schedule.next_open(_instant(start))).astimezone(self.zone)
        day = begin.date()
        for _ in range(days):
            opening = schedule.next_open(end_of_day(self.zone, day))
            day = moment(opening).astimezone(self.zone).date()
        target = occurrences(self.zone, datetime.combine(day, begin.time()))[0]
        if schedule.is_open(target):
            return moment(target)
        midnight = occurrences(self.zone, datetime.combine(day, time.min))[0]
        closing = schedule.last_closing(midnight, target)
        return moment(schedule.next_open(midnight) if closing is None else closing)


def _instant(at: datetime) -> int:
    """An instant given by a caller."""
    if at.year not in _YEARS:
        raise ValueError(f"{at.isoformat()} is out of range: years are 1900 to 2200")
    return micros(at)


_TIME = re.compile(r"(?:([0-9]{1,12})h)?(?:([0-9]{1,12})m)?(?:([0-9]{1,12})s)?( +clock)?")
_DAYS = re.compile(r"([0-9]{1,12})d")


def parse_duration(text: str) -> Duration:
    """`15m`, `4h`, `90s`, `1h30m`, `24h clock`, `5d`. ValueError with a sentence otherwise."""
    written = text.strip()
    if days := _DAYS.fullmatch(written):
        return _checked(DurationKind.WORKING_DAYS, int(days[1]), _LONGEST_DAYS, written)
    found = _TIME.fullmatch(written)
    if found is None or not any(found.groups()[:3]):
        raise ValueError(f"{_quoted(written)} is not a duration: write 4h, 30m, 1d or '24h clock'")
    hours, minutes, seconds = (int(part or 0) for part in found.groups()[:3])
    kind = DurationKind.CLOCK if found[4] else DurationKind.BUSINESS
    amount = hours * 3600 + minutes * 60 + seconds
    return _checked(kind, amount, _LONGEST_DAYS * 86_400, written)


def parse_days(text: str) -> Duration:
    """Calendar days, `90d`: wake dates and `review_every`. ValueError with a sentence otherwise."""
    written = text.strip()
    days = _DAYS.fullmatch(written)
    if days is None:
        raise ValueError(f"{_quoted(written)} is not a number of days: write 90d")
    return _checked(DurationKind.CALENDAR_DAYS, int(days[1]), _LONGEST_DAYS, written)


def _checked(kind: DurationKind, amount: int, most: int, written: str) -> Duration:
    if amount == 0:
        raise ValueError(f"{_quoted(written)} is no time at all: a duration is more than 0")
    if amount > most:
        raise ValueError(f"{_quoted(written)} is too long: ten years are the most")
    return Duration(kind, amount, written)


def _quoted(written: str) -> str:
    return repr(written if len(written) <= 40 else written[:39] + "…")


def due_at(calendar: Calendar, start: datetime, duration: Duration) -> datetime:
    """When a clock of `duration` that runs from `start` is due (aware UTC).

    Calendar days end at the same local time, open or not; working days as `add_working_days` says.
    """
    if duration.kind is DurationKind.BUSINESS:
        return calendar.add(start, duration.amount)
    if duration.kind is DurationKind.WORKING_DAYS:
        return calendar.add_working_days(start, duration.amount)
    begin = moment(_instant(start))
    if duration.kind is DurationKind.CLOCK:
        return begin + timedelta(seconds=duration.amount)
    wall = begin.astimezone(calendar.zone).replace(tzinfo=None) + timedelta(days=duration.amount)
    return moment(occurrences(calendar.zone, wall)[0])


def point_at(
    calendar: Calendar, start: datetime, due: datetime, percent: int, kind: DurationKind
) -> datetime:
    """The instant of `percent` between `start` and `due` (aware UTC).

    Percent of business seconds; of wall seconds for CLOCK and CALENDAR_DAYS. 100 is `due` itself;
    above 100 goes on past it. ValueError below 0.
    """
    if percent < 0:
        raise ValueError(f"{percent} % is before the start")
    begin, end = moment(_instant(start)), moment(_instant(due))
    if percent == 100:
        return end
    base, share = (begin, percent) if percent < 100 else (end, percent - 100)
    if kind in (DurationKind.CLOCK, DurationKind.CALENDAR_DAYS):
        return base + (end - begin) * share // 100
    return calendar.add(base, calendar.between(begin, end) * share // 100)
