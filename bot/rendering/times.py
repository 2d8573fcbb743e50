"""Instants and spans as people say them, in the reader's zone. `now` and the zone always come in.

What is not here: business time (`bot.domain.business_time`); `date` elements of rich text (`rich`).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
#: From this many days away a weekday alone would be ambiguous, so the date is said.
_WEEKDAY_DAYS = 6


def zone_of(name: str) -> tzinfo:
    """The zone `name`; UTC for a name that the machine does not know, so that nothing stays
    unsent."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def local(at: datetime, zone: str) -> datetime:
    """`at` on the wall of `zone`. ValueError for a naive instant: guessing a zone would be a wrong
    time."""
    if at.tzinfo is None:
        raise ValueError("an instant without a zone cannot be shown")
    return at.astimezone(zone_of(zone))


def clock(at: datetime, zone: str) -> str:
    """ "10:45"."""
    return f"{local(at, zone):%H:%M}"


def clock_seconds(at: datetime, zone: str) -> str:
    """ "10:45:03"."""
    return f"{local(at, zone):%H:%M:%S}"


def day(value: date, today: date) -> str:
    """ "3 June", with the year when it is not this one."""
    said = f"{value.day} {_MONTHS[value.month - 1]}"
    return said if value.year == today.year else f"{said} {value.year}"


def today(now: datetime, zone: str) -> date:
    """The reader's local day."""
    return local(now, zone).date()


def is_today(at: datetime, zone: str, now: datetime) -> bool:
    """Whether `at` falls on the reader's local day."""
    return local(at, zone).date() == today(now, zone)


def moment(at: datetime, zone: str, now: datetime) -> str:
    """ "10:45" today, "Tue 10:45" within six days, "3 June 10:45" else."""
    there, here = local(at, zone).date(), today(now, zone)
    away = abs((there - here).days)
    if away == 0:
        return clock(at, zone)
    if away <= _WEEKDAY_DAYS:
        return f"{_DAYS[there.weekday()]} {clock(at, zone)}"
    return f"{day(there, here)} {clock(at, zone)}"


def span(seconds: float) -> str:
    """ "15 min", "1 h 20 min", "2 d", "2 d 3 h"; rounded to minutes, never below 1 min. Sign is
    ignored."""
    minutes = max(1, round(abs(seconds) / 60))
    days, rest = divmod(minutes, 24 * 60)
    hours, left = divmod(rest, 60)
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {left} min" if left else f"{hours} h"
    return f"{left} min"
