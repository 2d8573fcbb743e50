"""An export without times: its leads are spread over a period by a column of numbers that grow with arrival.

What is not here: which fields the instants fill (`column_map`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Any

from bot.playbook.column_values import Notation, Unreadable
from bot.playbook.faults import Faults, did_you_mean, shown

_KEYS = ("by", "from", "to", "between")


@dataclass(frozen=True, slots=True)
class Spread:
    """`by`: the column; the lowest number arrives as `start` begins, the highest as `end` (a day) ends. `between`: the
    two numbers, None: those of the file, found by reading it once."""

    by: str
    first_day: date
    last_day: date
    zone: tzinfo
    between: tuple[float, float] | None = None

    def at(self, number: float, between: tuple[float, float]) -> datetime:
        """When `number` arrived, aware UTC, to the second; outside of `between` it is the nearer end."""
        low, high = between
        begin, seconds = _period(self.first_day, self.last_day, self.zone)
        share = (min(max(number, low), high) - low) / (high - low) if high > low else 0.0
        return begin + timedelta(seconds=int(share * (seconds - 1)))

    def sentence(self, between: tuple[float, float]) -> str:
        """What the summary says of it."""
        low, high = between
        return (
            f"The export holds no times of arrival: leads are spread from {self.first_day} to {self.last_day} by "
            f"“{self.by}” ({low:.15g} to {high:.15g})."
        )


@lru_cache(maxsize=8)
def _period(first: date, last: date, zone: tzinfo) -> tuple[datetime, float]:
    """When the period begins, and its seconds."""
    begin = datetime.combine(first, time(), zone).astimezone(UTC)
    end = datetime.combine(last + timedelta(days=1), time(), zone).astimezone(UTC)
    return begin, (end - begin).total_seconds()


def read_spread(data: Any, notation: Notation, faults: Faults) -> Spread | None:
    """The group `spread` of a map, None when it is not there or faulty."""
    if data is None:
        return None
    if not isinstance(data, dict):
        faults.add(
            ("spread",), "must be a group: {by: Lead Number, from: 2026-01-01, to: 2026-06-30}"
        )
        return None
    for key in data:
        if key not in _KEYS:
            faults.add(
                ("spread", key),
                f"{shown(key)} is not known here{did_you_mean(key, _KEYS)}; there are {', '.join(_KEYS)}",
            )
    by = data.get("by")
    if not isinstance(by, str) or not by.strip():
        faults.add(("spread", "by"), "must name the column of numbers that grow with arrival")
    first, last = _day(data, "from", faults), _day(data, "to", faults)
    between = _between(data["between"], notation, faults) if "between" in data else None
    if first and last and first > last:
        faults.add(("spread", "to"), "lies before `from`")
    if not isinstance(by, str) or first is None or last is None:
        return None
    return Spread(by.strip(), first, last, notation.zone or UTC, between)


def _day(data: dict[str, Any], key: str, faults: Faults) -> date | None:
    value = data.get(key)
    try:
        day = date.fromisoformat(value.strip() if isinstance(value, str) else "")
        if 1980 <= day.year <= 2200:
            return day
    except ValueError:
        pass
    faults.add(("spread", key), "must be a day like 2026-03-01")
    return None


def _between(data: Any, notation: Notation, faults: Faults) -> tuple[float, float] | None:
    try:
        if isinstance(data, list) and len(data) == 2 and all(isinstance(x, str) for x in data):
            low, high = (float(notation.number(x.strip())) for x in data)
            if low < high:
                return low, high
    except Unreadable:
        pass
    faults.add(("spread", "between"), "must be two numbers, the lowest and the highest: [1, 5000]")
    return None
