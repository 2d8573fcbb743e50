"""Open windows: the hours of a local week as instants, kept in blocks of UTC time and walked there.

Instants are whole microseconds since 1970, UTC; nothing is ever added to an aware local time, so an
open minute is a real minute. How local times become instants:

- a time that exists once is that instant;
- in a gap (clocks go forward) opening and closing are the first existing minute after it;
- in a fold (clocks go back) opening is the first occurrence and closing the second one;
- 24:00 is the end of that local day: the instant after its last minute;
- a day that a zone left out (Apia, 2011-12-30) has no hours at all.

A closure covers both occurrences in a fold, and closes hours of its own day only.
What is not here: datetimes that callers pass, durations, working days (`business_time`).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import accumulate
from zoneinfo import ZoneInfo

SECOND = 1_000_000
DAY_MINUTES = 24 * 60

_SECOND = timedelta(seconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BLOCK = 14 * 86_400 * SECOND
_EMPTY_BLOCKS = 27  # 378 days without open time: nobody waits longer than a year
_FARTHEST_BLOCKS = 50 * 26  # no clock ends later than 50 years from its start
_KEPT_BLOCKS = 256  # of one schedule: ten years

#: [from, to) pairs: instants, or minutes of a day.
Spans = tuple[tuple[int, int], ...]
_Windows = list[tuple[int, int]]


def whole_seconds(start: datetime, end: datetime) -> int:
    """Full seconds on the wall from `start` to `end`, never below 0: how every span of a report is counted."""
    return max((end - start) // _SECOND, 0)


class NoOpenTime(ValueError):
    """No, or not enough, open time ahead: hours without a day, somebody away for good."""


@dataclass(frozen=True, slots=True)
class _Block:
    """The open windows within one block of UTC time, sorted and disjoint.

    `before[i]` is the open time ahead of window i; one item more is that of the whole block.
    """

    starts: tuple[int, ...]
    ends: tuple[int, ...]
    before: tuple[int, ...]

    def open_until(self, at: int) -> int:
        """Open microseconds from the block's begin to `at`."""
        index = bisect_right(self.starts, at) - 1
        if index < 0:
            return 0
        return self.before[index] + min(at, self.ends[index]) - self.starts[index]


class Schedule:
    """The open windows of one set of hours and absences, computed block by block when asked for.

    Made by `schedule_of`. Points are instants; amounts of open time are microseconds.
    """

    __slots__ = ("_absences", "_blocks", "_closures", "_holidays", "_hours", "_weekly", "_zone")

    def __init__(
        self,
        zone: ZoneInfo,
        weekly: tuple[tuple[int, Spans], ...],
        holidays: frozenset[date],
        closures: tuple[tuple[date, int, int], ...],
        absences: Spans,
        hours: Schedule | None,
    ) -> None:
        self._zone, self._weekly, self._holidays = zone, dict(weekly), holidays
        self._closures: dict[date, _Windows] = {}
        for day, begin, end in closures:
            self._closures.setdefault(day, []).append((begin, end))
        self._absences = _merged(absences)
        self._hours = hours  # the same without absences: colleagues share its blocks
        self._blocks: dict[int, _Block] = {}

    def is_open(self, at: int) -> bool:
        """Whether `at` lies in a window; its end does not."""
        block = self._block(at // _BLOCK)
        index = bisect_right(block.starts, at) - 1
        return index >= 0 and at < block.ends[index]

    def next_open(self, at: int) -> int:
        """`at` when open, else the next window's begin. NoOpenTime when a year has none."""
        if self.is_open(at):
            return at
        number = at // _BLOCK
        block = self._block(number)
        index = bisect_right(block.starts, at)
        if index < len(block.starts):
            return block.starts[index]
        for ahead in range(number + 1, number + 1 + _EMPTY_BLOCKS):
            if starts := self._block(ahead).starts:
                return starts[0]
        raise NoOpenTime(f"no open time within a year after {moment(at):%Y-%m-%d %H:%M} UTC")

    def add(self, start: int, wanted: int) -> int:
        """The first instant that has `wanted` (> 0) open time between `start` and itself."""
        first = number = start // _BLOCK
        block = self._block(number)
        wanted += block.open_until(start)
        empty = 0
        while wanted > block.before[-1]:
            wanted -= block.before[-1]
            number += 1
            block = self._block(number)
            empty = 0 if block.starts else empty + 1
            if empty == _EMPTY_BLOCKS or number - first > _FARTHEST_BLOCKS:
                raise NoOpenTime(f"not enough open time after {moment(start):%Y-%m-%d %H:%M} UTC")
        index = bisect_left(block.before, wanted) - 1
        return block.starts[index] + wanted - block.before[index]

    def between(self, start: int, end: int) -> int:
        """The open time in [start, end)."""
        if end <= start:
            return 0
        first, last = start // _BLOCK, end // _BLOCK
        passed = sum(self._block(number).before[-1] for number in range(first, last))
        return passed + self._block(last).open_until(end) - self._block(first).open_until(start)

    def last_closing(self, begin: int, at: int) -> int | None:
        """The last closing in (begin, at], for an `at` that is closed; None when there is none."""
        for number in range(at // _BLOCK, begin // _BLOCK - 1, -1):
            block = self._block(number)
            index = bisect_right(block.ends, at) - 1
            if index >= 0:
                return block.ends[index] if block.ends[index] > begin else None
        return None

    def _block(self, number: int) -> _Block:
        block = self._blocks.get(number)
        if block is None:
            if len(self._blocks) >= _KEPT_BLOCKS:
                self._blocks.clear()
            # Threads may compute a block twice; both results are the same.
            block = self._blocks[number] = self._compute(number * _BLOCK, (number + 1) * _BLOCK)
        return block

    def _compute(self, begin: int, end: int) -> _Block:
        if self._hours is not None:
            base = self._hours._block(begin // _BLOCK)
            absences = [span for span in self._absences if span[0] < end and span[1] > begin]
            windows = list(_without(zip(base.starts, base.ends, strict=True), absences))
        else:
            # Zones are up to 14 h off UTC and a repeated day lasts 48 h: hence two days earlier.
            first, last = moment(begin).toordinal() - 2, moment(end).toordinal()
            days = (self._day(date.fromordinal(day)) for day in range(first, last + 1))
            merged = _merged(window for day in days for window in day)
            windows = [
                (max(lo, begin), min(hi, end)) for lo, hi in merged if lo < end and hi > begin
            ]
        lengths = accumulate((hi - lo for lo, hi in windows), initial=0)
        return _Block(
            tuple(lo for lo, _ in windows), tuple(hi for _, hi in windows), tuple(lengths)
        )

    def _day(self, day: date) -> _Windows:
        """The open windows of one local day."""
        hours = self._weekly.get(day.weekday())
        if not hours or day in self._holidays:
            return []
        opened = _merged(self._window(day, span) for span in hours)
        closed = _merged(self._window(day, span) for span in self._closures.get(day, ()))
        return list(_without(opened, closed))

    def _window(self, day: date, span: tuple[int, int]) -> tuple[int, int]:
        """From the first occurrence of the begin to the second of the end; empty inside a gap."""
        midnight = datetime.combine(day, time.min)
        begin = occurrences(self._zone, midnight + timedelta(minutes=span[0]))[0]
        if span[1] == DAY_MINUTES:
            return begin, end_of_day(self._zone, day)
        return begin, occurrences(self._zone, midnight + timedelta(minutes=span[1]))[1]


@lru_cache(maxsize=512)
def schedule_of(
    zone: ZoneInfo,
    weekly: tuple[tuple[int, Spans], ...],
    holidays: frozenset[date],
    closures: tuple[tuple[date, int, int], ...],
    absences: Spans,
) -> Schedule:
    """One schedule, and so one set of computed blocks, for all calendars that say the same."""
    hours = schedule_of(zone, weekly, holidays, closures, ()) if absences else None
    return Schedule(zone, weekly, holidays, closures, absences, hours)


def occurrences(zone: ZoneInfo, wall: datetime) -> tuple[int, int]:
    """The first and the last instant at which the clocks show the naive local time `wall`.

    In a gap both are the first existing instant after it.
    """
    first = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    last = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if first <= last:
        return micros(first), micros(last)
    # In a gap PEP 495 reads fold=1 as an instant before the change and fold=0 as one after it.
    after = first.astimezone(zone).utcoffset()
    low, high = micros(last) // SECOND, micros(first) // SECOND
    while high - low > 1:
        middle = (low + high) // 2
        if moment(middle * SECOND).astimezone(zone).utcoffset() == after:
            high = middle
        else:
            low = middle
    return high * SECOND, high * SECOND


@lru_cache(maxsize=4096)
def end_of_day(zone: ZoneInfo, day: date) -> int:
    """The instant after the last one of the local `day`."""
    first, last = occurrences(zone, datetime.combine(day + timedelta(days=1), time.min))
    if first != last and moment(last - SECOND).astimezone(zone).date() > day:
        return first  # Havana repeats 00:00 to 01:00: the day before ends at the first midnight
    return last


def _merged(spans: Iterable[tuple[int, int]]) -> _Windows:
    """Sorted and disjoint; what touches is one; empty ones are gone."""
    merged: _Windows = []
    for begin, end in sorted(spans):
        if end <= begin:
            continue
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged


def _without(windows: Iterable[tuple[int, int]], holes: _Windows) -> Iterator[tuple[int, int]]:
    """The parts of `windows` outside of `holes` (sorted, disjoint)."""
    for begin, end in windows:
        for hole_begin, hole_end in holes:
            if hole_end <= begin:
                continue
            if hole_begin >= end:
                break
            if hole_begin > begin:
                yield begin, hole_begin
            begin = hole_end
        if begin < end:
            yield begin, end


def micros(at: datetime) -> int:
    """The aware datetime `at` as an instant, exact. ValueError when it is naive."""
    if at.utcoffset() is None:
        raise ValueError(f"{at.isoformat()} has no time zone: an instant must be aware")
    passed = at - _EPOCH
    return (passed.days * 86_400 + passed.seconds) * SECOND + passed.microseconds


def moment(micros: int) -> datetime:
    """The instant as an aware UTC datetime."""
    return _EPOCH + timedelta(microseconds=micros)
