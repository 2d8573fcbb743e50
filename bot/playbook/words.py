"""Single words of the playbook: on and off, one of a few, a day, a moment of the week, a channel.

What is not here: opening hours and zones (`calendars`), durations (`bot.domain.business_time`), addresses
(`addresses`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TypeVar

from bot.playbook.calendars import DAYS, days_of, minute_of
from bot.playbook.checks import check_channel
from bot.playbook.faults import Faults, Path, did_you_mean, shown

#: In YAML 1.2 these are text like any other.
ON = frozenset({"on", "yes", "true"})
OFF = frozenset({"off", "no", "false"})
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_YEARS = range(2000, 2100)
_DAY_MINUTES = 24 * 60

_Word = TypeVar("_Word", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class WordReader:
    """Reads single words; faults go to `faults`."""

    faults: Faults

    def day(self, path: Path, text: str | None) -> date | None:
        """`2026-03-01`; None for what is not said, or is told to be wrong."""
        if text is None:
            return None
        word = text.strip()
        example = "write it like 2026-03-01"
        if not _DATE.fullmatch(word):
            self.faults.add(path, f"{shown(text)} is not a date; {example}")
            return None
        try:
            found = date.fromisoformat(word)
        except ValueError:
            self.faults.add(path, f"there is no day {shown(text)}")
            return None
        if found.year not in _YEARS:
            self.faults.add(path, f"{shown(text)} is not in this century; {example}")
            return None
        return found

    def switch(self, path: Path, text: str | None, usual: bool) -> bool:
        """`on` or `off`."""
        word = (text or "").strip().lower()
        if text is not None and word not in ON | OFF:
            self.faults.add(path, f"{shown(text)} is neither; write on or off")
        return word in ON if word in ON | OFF else usual

    def word(self, path: Path, text: str | None, usual: _Word) -> _Word:
        """One of the kind of `usual`."""
        if text is None:
            return usual
        known = [one.value for one in type(usual)]
        word = text.strip().lower()
        if word in known:
            return type(usual)(word)
        self.faults.add(
            path,
            f"{shown(text)} is unknown{did_you_mean(word, known)}; there are {', '.join(known)}",
        )
        return usual

    def channel(self, path: Path, channel: str | None) -> str:
        """A channel's id; "" for none."""
        if channel is None and path in self.faults.lines and not self.faults.told(path):
            # `channel: #both` holds nothing: what follows is a comment.
            self.faults.add(path, "is empty (# begins a comment: write the channel's id)")
        check_channel(path, channel, self.faults)
        return channel or ""

    def moment(
        self, path: Path, text: str, example: str
    ) -> tuple[tuple[int, ...] | None, int | None]:
        """`mon-fri 16:00` as days and the minute; None for what is not said, or is told to be wrong."""
        *words, last = text.split() or [""]
        minute = minute_of(last)
        if ":" not in last:
            self.faults.add(path, f"{shown(text)} says no time; write `{example}`")
            return None, None
        if minute is None or minute >= _DAY_MINUTES:
            self.faults.add(
                path, f"{shown(last)} is not a time of the day; write `{example}` (00:00 to 23:59)"
            )
            return None, None
        if not words:
            return None, minute
        named = " ".join(words)
        days = days_of(named)
        if days is None:
            self.faults.add(
                path,
                f"{shown(named)} is not a day{did_you_mean(named.lower(), DAYS)}; write `{example}`",
            )
            return None, None
        return tuple(sorted(set(days))), minute
