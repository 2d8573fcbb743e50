"""Words for the stories about business time: usual hours, instants by the wall, calendars in a line."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from bot.domain.business_time import Calendar, Closure, Weekly

NINE_TO_FIVE = {day: ((9 * 60, 17 * 60),) for day in range(5)}
#: The shipped playbook's team: a lunch break, and a short Friday.
EMEA = {day: ((540, 750), (810, 1080)) for day in range(4)} | {4: ((540, 960),)}
SUNDAY, MONDAY, TUESDAY, SATURDAY = 6, 0, 1, 5
WHOLE_DAY = ((0, 1440),)


def at(zone: str, text: str, *, second_time: bool = False) -> datetime:
    """The instant when the clocks of `zone` show `text`, the second time they do when asked for."""
    wall = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=int(second_time))
    return wall.astimezone(UTC)


def office(
    zone: str,
    weekly: Weekly,
    holidays: frozenset[date] = frozenset(),
    closures: tuple[Closure, ...] = (),
    absences: tuple[tuple[datetime, datetime], ...] = (),
) -> Calendar:
    return Calendar(ZoneInfo(zone), weekly, holidays, closures, absences)
