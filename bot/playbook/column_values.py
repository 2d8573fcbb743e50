"""Texts of an export as values: numbers, dates, yes or no, statuses, and which texts mean that nothing was chosen.

What is not here: which column is which field (`column_takes`), the limits of a lead's fields (`handlers`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import Any

from bot.domain.funnel import Status


class Kind(StrEnum):
    """What a field of Baton holds."""

    TEXT = "text"
    NUMBER = "number"
    COUNT = "count"  # of the past: whole, not negative
    YES_NO = "yes_no"
    STATUS = "status"
    DATE = "date"
    FREE = "free"  # `extra`: whatever it is


class Unreadable(Exception):
    """A value that is not what its field holds; the text says so without the value, to follow the field's name."""


_YES = frozenset({"yes", "y", "true", "1", "x", "ja", "oui", "si", "sí"})
_NO = frozenset({"no", "n", "false", "0", "", "-", "nein", "non"})
_STATUSES = frozenset(status.value for status in Status)
#: A count of touches or of reps beyond this is another column.
MOST_COUNT = 10_000
_MOST_DIGITS = 15
_SPACES = re.compile(r"[\s\u00a0\u202f'’]")
_NUMBER = {
    ".": re.compile(r"[+-]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,2})?"),
    ",": re.compile(r"[+-]?(?:[0-9]{1,3}(?:\.[0-9]{3})+|[0-9]+)(?:,[0-9]*)?(?:[eE][+-]?[0-9]{1,2})?"),
}  # fmt: skip
_GROUPS = {".": ",", ",": "."}


def folded(text: str) -> str:
    """Texts that differ only in case and spaces are one: `Interested  in MBA` and `interested in mba`."""
    return " ".join(text.split()).casefold()


@dataclass(frozen=True, slots=True)
class Notation:
    """How the export writes things. `empty`: folded texts that mean nothing; `dates`: formats of strptime, ISO 8601
    when there are none; `zone`: of dates that name none."""

    empty: frozenset[str] = frozenset({""})
    decimal: str = "."
    dates: tuple[str, ...] = ()
    zone: tzinfo | None = None

    def clean(self, text: str) -> str:
        """`text` without spaces around it, "" when it means nothing."""
        text = text.strip()
        return "" if text.casefold() in self.empty or folded(text) in self.empty else text

    def read(self, kind: Kind, value: Any) -> Any:
        """`value` (clean text, or what an expression gave) as `kind` has it. Raises Unreadable.

        TEXT str, NUMBER and COUNT int or float, YES_NO bool, STATUS str or "", DATE aware datetime or None.
        """
        return _READERS[kind](self, value)

    def number(self, text: str) -> int | float:
        """`1,234.5` as a number, whole ones as int; 0 for "". Raises Unreadable."""
        if text.isdigit() and text.isascii() and len(text) <= _MOST_DIGITS:
            return int(text)
        if not text:
            return 0
        plain = _SPACES.sub("", text)
        if not _NUMBER[self.decimal].fullmatch(plain):
            raise Unreadable("is no number")
        plain = plain.replace(_GROUPS[self.decimal], "").replace(self.decimal, ".")
        number = float(plain)
        if abs(number) >= 10**_MOST_DIGITS:
            raise Unreadable("is too large a number")
        return whole(number)

    def instant(self, text: str) -> datetime | None:
        """A date or a date and time as aware UTC; None for "". Raises Unreadable."""
        if not text:
            return None
        parsed = self._parsed(text)
        if parsed.tzinfo is None:
            if self.zone is None:
                raise Unreadable("has no time zone; say `timezone:` in the map")
            parsed = parsed.replace(tzinfo=self.zone)
        try:
            return parsed.astimezone(UTC)
        except (OverflowError, ValueError):
            raise Unreadable("is no date of our times") from None

    def _parsed(self, text: str) -> datetime:
        for form in self.dates:
            try:
                return datetime.strptime(text, form)  # noqa: DTZ007 (the map's zone follows)
            except ValueError:
                continue
        if self.dates:
            raise Unreadable(f"is no date like {' or '.join(self.dates)}")
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            raise Unreadable(
                "is no date like 2026-03-01 or 2026-03-01T09:30; say `dates:`"
            ) from None


def whole(number: int | float) -> int | float:
    """2.0 as 2, 2.5 as it is."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


def as_text(value: Any) -> str:
    """What an expression gave, as the text that a value table lists. Raises Unreadable."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(whole(value))
    raise Unreadable("is no single text or number")


def _text(_: Notation, value: Any) -> str:
    if isinstance(value, bool):
        raise Unreadable("is true or false, where text is needed")
    return as_text(value)


def _number(notation: Notation, value: Any) -> int | float:
    if isinstance(value, bool):
        raise Unreadable("is true or false, where a number is needed")
    if isinstance(value, int | float):
        return whole(value)
    return notation.number(as_text(value))


def _count(notation: Notation, value: Any) -> int:
    number = _number(notation, value)
    if not isinstance(number, int):
        raise Unreadable("is no whole number")
    if not 0 <= number <= MOST_COUNT:
        raise Unreadable(f"must be between 0 and {MOST_COUNT}")
    return number


def _yes_no(_: Notation, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = as_text(value).casefold()
    if word in _YES or word in _NO:
        return word in _YES
    raise Unreadable("is neither yes nor no")


def _status(_: Notation, value: Any) -> str:
    word = as_text(value).casefold()
    if word and word not in _STATUSES:
        raise Unreadable(f"is no status; there are {', '.join(status.value for status in Status)}")
    return word


def _date(notation: Notation, value: Any) -> datetime | None:
    return notation.instant(as_text(value))


def _free(_: Notation, value: Any) -> Any:
    if isinstance(value, bool):
        return value
    return whole(value) if isinstance(value, int | float) else as_text(value)


_READERS: Mapping[Kind, Callable[[Notation, Any], Any]] = {
    Kind.TEXT: _text,
    Kind.NUMBER: _number,
    Kind.COUNT: _count,
    Kind.YES_NO: _yes_no,
    Kind.STATUS: _status,
    Kind.DATE: _date,
    Kind.FREE: _free,
}
