"""A span of time that a report is about: a day, a week, a month, so many days, or all there is. In a zone, DST-proof.

A local day begins at its first instant, also where the clocks skip midnight (Cairo, Beirut) or show it twice (Havana);
weeks are ISO weeks. What is not here: what is counted in it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from bot.domain.open_windows import end_of_day, moment

#: What can be typed, for whoever typed something else.
WORDS = "today, yesterday, this week, last week, this month, last month, 30d, all, 2026-W12, 2026-03 or 2026-03-24"
_DAY = timedelta(days=1)
_MOST_DAYS = 3660
_YEARS = range(1990, 2201)
#: Nobody handed over leads before.
_BEGINNING = datetime(1990, 1, 1, tzinfo=UTC)
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_DAYS = re.compile(r"([0-9]{1,6})d(?:-([0-9]{4}-[0-9]{2}-[0-9]{2}))?")
_WEEK = re.compile(r"([0-9]{4})-w([0-9]{1,2})")
_MONTH = re.compile(r"([0-9]{4})-([0-9]{1,2})")
_DATE = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})")


class PeriodKind(StrEnum):
    """DAYS: so many whole days up to and with today; ALL: since the beginning."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    DAYS = "days"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Period:
    """[begin, end) in UTC, made of whole local days of `zone`. `key`: 2026-03-24, 2026-W13, 2026-03, 30d-2026-03-24,
    all; unique for what it is about, and `parse_period` reads it."""

    kind: PeriodKind
    key: str
    begin: datetime
    end: datetime
    zone: str

    @property
    def first_day(self) -> date:
        """The first local day."""
        return self.begin.astimezone(ZoneInfo(self.zone)).date()

    @property
    def last_day(self) -> date:
        """The last local day."""
        return (self.end - timedelta(microseconds=1)).astimezone(ZoneInfo(self.zone)).date()

    @property
    def label(self) -> str:
        """For people: `Week 13 (23 to 29 March 2026)`, `March 2026`, `24 March 2026`, `30 days to 24 March 2026`."""
        if self.kind is PeriodKind.ALL:
            return "Since the beginning"
        if self.kind is PeriodKind.DAY:
            return _long(self.first_day)
        if self.kind is PeriodKind.MONTH:
            return f"{_MONTHS[self.first_day.month - 1]} {self.first_day.year}"
        if self.kind is PeriodKind.WEEK:
            number = self.first_day.isocalendar().week
            return f"Week {number} ({_span(self.first_day, self.last_day)})"
        count = int(self.key.partition("d")[0])
        return f"{count} {'day' if count == 1 else 'days'} to {_long(self.last_day)}"


def midnight(day: date, zone: str) -> datetime:
    """The first instant of a local day (aware UTC)."""
    return moment(end_of_day(ZoneInfo(zone), day - _DAY))


def local_day(at: datetime, zone: str) -> date:
    """The local day that `at` lies in."""
    return at.astimezone(ZoneInfo(zone)).date()


def day_of(day: date, zone: str) -> Period:
    """One local day."""
    return _period(PeriodKind.DAY, day.isoformat(), day, day + _DAY, zone)


def week_of(day: date, zone: str) -> Period:
    """The ISO week, Monday to Sunday, that `day` lies in."""
    year, week, weekday = day.isocalendar()
    monday = day - _DAY * (weekday - 1)
    return _period(PeriodKind.WEEK, f"{year}-W{week:02}", monday, monday + 7 * _DAY, zone)


def month_of(day: date, zone: str) -> Period:
    """The calendar month that `day` lies in."""
    first = day.replace(day=1)
    return _period(PeriodKind.MONTH, f"{first:%Y-%m}", first, _next_month(first), zone)


def days_to(last: date, count: int, zone: str) -> Period:
    """`count` days, the last of them `last`."""
    key = f"{count}d-{last.isoformat()}"
    return _period(PeriodKind.DAYS, key, last - (count - 1) * _DAY, last + _DAY, zone)


def all_to(last: date, zone: str) -> Period:
    """Everything up to and with the day `last`."""
    return Period(PeriodKind.ALL, "all", _BEGINNING, midnight(last + _DAY, zone), zone)


def period_before(period: Period) -> Period | None:
    """The one that ends where this one begins, of the same kind and length; None for ALL."""
    last = period.first_day - _DAY
    match period.kind:
        case PeriodKind.ALL:
            return None
        case PeriodKind.DAY:
            return day_of(last, period.zone)
        case PeriodKind.WEEK:
            return week_of(last, period.zone)
        case PeriodKind.MONTH:
            return month_of(last, period.zone)
        case PeriodKind.DAYS:
            return days_to(last, int(period.key.partition("d")[0]), period.zone)


def parse_period(text: str, now: datetime, zone: str) -> Period:
    """What somebody typed (see `WORDS`; nothing: this week), or a period's key. ValueError with a sentence otherwise,
    also for a period that has not begun."""
    words = " ".join(text.lower().split())
    found = _named(words, local_day(now, zone), zone) or _written(words, text, now, zone)
    if found.begin > now:
        raise ValueError(f"{_quoted(text)} has not begun yet")
    return found


def _named(words: str, today: date, zone: str) -> Period | None:
    match words:
        case "today":
            return day_of(today, zone)
        case "yesterday":
            return day_of(today - _DAY, zone)
        case "" | "week" | "this week":
            return week_of(today, zone)
        case "last week":
            return week_of(today - 7 * _DAY, zone)
        case "month" | "this month":
            return month_of(today, zone)
        case "last month":
            return month_of(today.replace(day=1) - _DAY, zone)
        case "all":
            return all_to(today, zone)
    return None


def _written(words: str, text: str, now: datetime, zone: str) -> Period:
    if days := _DAYS.fullmatch(words):
        count = int(days[1])
        if not 1 <= count <= _MOST_DAYS:
            raise ValueError(f"{_quoted(text)}: write 1d to {_MOST_DAYS}d")
        last = _date(days[2], text) if days[2] else local_day(now, zone)
        return days_to(last, count, zone)
    if week := _WEEK.fullmatch(words):
        year, number = _year(week[1], text), int(week[2])
        try:
            return week_of(date.fromisocalendar(year, number, 1), zone)
        except ValueError:
            raise ValueError(f"{_quoted(text)}: {year} has no week {number}") from None
    if month := _MONTH.fullmatch(words):
        year, number = _year(month[1], text), int(month[2])
        if not 1 <= number <= 12:
            raise ValueError(f"{_quoted(text)}: {year} has no month {number}")
        return month_of(date(year, number, 1), zone)
    if _DATE.fullmatch(words):
        return day_of(_date(words, text), zone)
    raise ValueError(f"{_quoted(text)} is no period: write {WORDS}")


def _date(written: str, text: str) -> date:
    year, month, day = written.split("-")
    known = _year(year, text)
    try:
        return date(known, int(month), int(day))
    except ValueError:
        raise ValueError(f"{_quoted(text)}: there is no such day") from None


def _year(written: str, text: str) -> int:
    if int(written) not in _YEARS:
        raise ValueError(f"{_quoted(text)}: years are {_YEARS[0]} to {_YEARS[-1]}")
    return int(written)


def _period(kind: PeriodKind, key: str, first: date, after: date, zone: str) -> Period:
    return Period(kind, key, midnight(first, zone), midnight(after, zone), zone)


def _next_month(first: date) -> date:
    return (first + 31 * _DAY).replace(day=1)


def _long(day: date) -> str:
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def _span(first: date, last: date) -> str:
    if first.year != last.year:
        return f"{_long(first)} to {_long(last)}"
    if first.month != last.month:
        return f"{first.day} {_MONTHS[first.month - 1]} to {_long(last)}"
    return f"{first.day} to {_long(last)}"


def _quoted(text: str) -> str:
    said = " ".join(text.split())
    return repr(said if len(said) <= 40 else said[:39] + "…")
