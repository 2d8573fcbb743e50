"""A second opinion on business time that shares no idea with the first: it looks at every minute.

A window of UTC time is written out minute by minute with what the local clock shows; opening and
closing are found by reading along that list, adding and counting by walking it. Slow and plain on
purpose. Nothing here uses `fold`, offsets, blocks or bisection.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from bot.domain.business_time import Calendar

MINUTE = timedelta(minutes=1)
WINDOW_DAYS = 10


@lru_cache(maxsize=16)
def changes_of(zone: str) -> tuple[datetime, ...]:
    """The UTC midnights before each change of the zone's clock from 2007 to 2029."""
    days = [datetime(2007, 1, 1, tzinfo=UTC) + timedelta(days=n) for n in range(365 * 23)]
    offsets = [day.astimezone(ZoneInfo(zone)).utcoffset() for day in days]
    return tuple(days[n] for n in range(len(days) - 1) if offsets[n] != offsets[n + 1])


@dataclass(frozen=True)
class Minutes:
    """What the local clock shows in each UTC minute from `begin` on."""

    begin: datetime
    walls: list[datetime]
    first: dict[datetime, int]
    last: dict[datetime, int]
    last_of_day: dict[date, int]

    def reached(self, wall: datetime) -> int:
        """The first minute that shows more than `wall`, for a time that is never shown."""
        found = (n for n, shown in enumerate(self.walls) if shown > wall)
        return next(found, len(self.walls))

    def opening(self, day: date, minute: int) -> int:
        wall = datetime.combine(day, time()) + minute * MINUTE
        return self.first[wall] if wall in self.first else self.reached(wall)

    def closing(self, day: date, minute: int) -> int:
        if minute == 1440:
            return self.last_of_day[day] + 1
        wall = datetime.combine(day, time()) + minute * MINUTE
        return self.last[wall] if wall in self.last else self.reached(wall)


@lru_cache(maxsize=128)
def minutes_of(zone: str, begin: datetime) -> Minutes:
    walls = [
        (begin + n * MINUTE).astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)
        for n in range(WINDOW_DAYS * 1440)
    ]
    first: dict[datetime, int] = {}
    last: dict[datetime, int] = {}
    last_of_day: dict[date, int] = {}
    for n, wall in enumerate(walls):
        first.setdefault(wall, n)
        last[wall] = n
        last_of_day[wall.date()] = n
    return Minutes(begin, walls, first, last, last_of_day)


class Oracle:
    """Answers for one calendar within the window that begins at `begin` (a UTC midnight)."""

    def __init__(self, calendar: Calendar, begin: datetime) -> None:
        self.minutes = minutes_of(str(calendar.zone), begin)
        self.begin = begin
        self.end = begin + timedelta(days=WINDOW_DAYS)
        self.open = bytearray(len(self.minutes.walls))
        for day in self.minutes.last_of_day:
            for n in self._minutes_of_day(calendar, day):
                self.open[n] = 1
        for since, until in calendar.absences:  # they begin and end with a minute in these tests
            for n in range(max(0, self._index(since)), min(len(self.open), self._index(until))):
                self.open[n] = 0
        self.open_days = sorted(
            {wall.date() for n, wall in enumerate(self.minutes.walls) if self.open[n]}
        )

    def _minutes_of_day(self, calendar: Calendar, day: date) -> set[int]:
        if day in calendar.holidays:
            return set()
        found: set[int] = set()
        for begin, end in calendar.weekly.get(day.weekday(), ()):
            found.update(range(self.minutes.opening(day, begin), self.minutes.closing(day, end)))
        for closure in calendar.closures:
            if closure.day == day:
                begin = self.minutes.opening(day, closure.from_minute)
                found.difference_update(range(begin, self.minutes.closing(day, closure.to_minute)))
        return found

    def _index(self, at: datetime) -> int:
        return self._seconds(at) // 60

    def _seconds(self, at: datetime) -> int:
        return int((at - self.begin).total_seconds())

    def is_open(self, at: datetime) -> bool:
        return self.open[self._index(at)] == 1

    def next_open(self, at: datetime) -> datetime | None:
        """None when the window has no more open minute."""
        if self.is_open(at):
            return at
        for n in range(self._index(at), len(self.open)):
            if self.open[n]:
                return self.begin + n * MINUTE
        return None

    def _open_parts(self, start: int) -> Iterator[tuple[int, int]]:
        """The rest of each open minute from `start` on, in seconds since the window's begin."""
        for n in range(start // 60, len(self.open)):
            if self.open[n]:
                yield max(start, n * 60), n * 60 + 60

    def add(self, start: datetime, seconds: int) -> datetime | None:
        """None when that much open time lies beyond the window."""
        for begin, end in self._open_parts(self._seconds(start)):
            if end - begin >= seconds:
                return self.begin + timedelta(seconds=begin + seconds)
            seconds -= end - begin
        return None

    def between(self, start: datetime, end: datetime) -> int:
        total, until = 0, self._seconds(end)
        for part_begin, part_end in self._open_parts(self._seconds(start)):
            if part_begin >= until:
                break
            total += min(part_end, until) - part_begin
        return total

    def add_working_days(self, start: datetime, days: int) -> datetime | None:
        """None when the day lies beyond the window (or is cut by its end)."""
        begin = self.next_open(start)
        if begin is None:
            return None
        walls = self.minutes.walls
        wall = walls[self._index(begin)] + timedelta(seconds=begin.second)
        following = [day for day in self.open_days if wall.date() < day < walls[-1].date()]
        if len(following) < days:
            return None
        day = following[days - 1]
        target = datetime.combine(day, wall.time())
        shown = target.replace(second=0)
        if shown in self.minutes.first:
            n, seconds = self.minutes.first[shown], target.second
        else:
            n, seconds = self.minutes.reached(target), 0
        if self.open[n]:
            return self.begin + n * MINUTE + timedelta(seconds=seconds)
        midnight = self.minutes.opening(day, 0)
        for earlier in range(n, midnight, -1):
            if self.open[earlier - 1]:
                return self.begin + earlier * MINUTE
        return self.next_open(self.begin + midnight * MINUTE)
