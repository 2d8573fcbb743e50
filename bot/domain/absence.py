"""Reading "until monday", "3d", "2026-12-24": when an absence ends, in the person's own zone.

What is not here: storing it (`storage.people`), its effects (`bot.services.mark_absence`).
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SPAN = re.compile(r"(\d{1,3})\s*(h|hours?|d|days?|w|weeks?)")
_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_LONGEST = timedelta(days=400)


class UnclearDate(ValueError):
    """The words do not say when; the message says what would."""


def parse_until(words: str, now: datetime, zone: str) -> datetime | None:
    """When an absence said at `now` ends: the start of that local day. None: open end (nothing said).

    Knows `until monday`, `monday`, `tomorrow`, `today` (until midnight), `3d`, `2w`, `4h`, `2026-12-24`,
    `24.12.`. Raises `UnclearDate` for anything else and for days that are past or over a year away.
    """
    text = " ".join(words.lower().replace(",", " ").split())
    for prefix in ("until ", "till ", "til ", "to ", "for "):
        text = text.removeprefix(prefix)
    if not text:
        return None
    local = now.astimezone(ZoneInfo(zone))
    span = _SPAN.fullmatch(text)
    if span and span[2].startswith("h"):
        return now + timedelta(hours=int(span[1]))
    day = _day_of(text, local.date(), span)
    if day is None:
        raise UnclearDate(
            f"I do not know when “{words.strip()}” is. Try: until monday, 3d, 2026-12-24, or nothing at all."
        )
    until = datetime.combine(day, time(0), tzinfo=ZoneInfo(zone))
    if until <= now:
        raise UnclearDate(f"{day.isoformat()} is not in the future.")
    if until - now > _LONGEST:
        raise UnclearDate("That is over a year away. Who is gone for good leaves the playbook.")
    return until


def _day_of(text: str, today: date, span: re.Match[str] | None) -> date | None:
    if text == "today":
        return today + timedelta(days=1)
    if text == "tomorrow":
        # Away until tomorrow: back when tomorrow begins.
        return today + timedelta(days=1)
    if span:
        days = int(span[1]) * (7 if span[2].startswith("w") else 1)
        return today + timedelta(days=days)
    for index, name in enumerate(_DAYS):
        if text in (name, name[:3], f"next {name}"):
            return today + timedelta(days=(index - today.weekday() - 1) % 7 + 1)
    iso = _ISO.fullmatch(text)
    if iso:
        try:
            return date(int(iso[1]), int(iso[2]), int(iso[3]))
        except ValueError:
            return None
    short = re.fullmatch(r"(\d{1,2})\.(\d{1,2})\.?", text)
    if short:
        for year in (today.year, today.year + 1):
            try:
                day = date(year, int(short[2]), int(short[1]))
            except ValueError:
                continue
            if day > today:
                return day
    return None
