"""Single values as they come over the wire -> clean ones: text, numbers, instants, addresses, free fields.

Each reader takes any JSON value and raises `BadValue` with a sentence when it cannot be used; absent is "" or 0.
Control and bidirectional characters are removed: they could make a card show other text than it holds. What is not
here: which fields a lead has (`lead_body`).
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

#: A text beyond this is no name and no message but a mistake.
ABSURD_CHARS = 100_000
EXTRA_KEYS = 50
EXTRA_KEY_CHARS = 100
EXTRA_CHARS = 2_000  # of a text, and of a structure's JSON
_INT64 = 2**63

_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")
_SPACES = re.compile(r"\s+")
_DIGITS = re.compile(r"[+-]?[0-9]{1,15}")
_EMAIL = re.compile(r"[^\s@<>()\[\],;:\\\"']{1,64}@(?:[\w-]{1,63}\.)+[^\W\d_][\w-]{1,62}")
_LANGUAGE = re.compile(r"([A-Za-z]{2})(?:[-_].*)?")
_COUNTRY = re.compile(r"[A-Za-z]{2}")
_WEB = re.compile(r"https?://[^\s/<>\"|]+[^\s<>\"|]*", re.IGNORECASE)


class BadValue(Exception):
    """A value that cannot be used; the message is a sentence for the sender."""


def line(name: str, value: object, limit: int, *, numbers: bool = False) -> str:
    """One line of text, cut at `limit`. `numbers`: 4930123 is taken for "4930123"."""
    if value is None or value == "":
        return ""
    if isinstance(value, str) and value.isprintable() and len(value) <= ABSURD_CHARS:
        return " ".join(value.split())[:limit].rstrip()  # most texts: nothing to clean but spaces
    return _SPACES.sub(" ", _clean(name, value, numbers)).strip()[:limit].rstrip()


def paragraphs(name: str, value: object, limit: int) -> str:
    """Text that may have several lines, cut at `limit`."""
    text = _clean(name, value, numbers=False)
    return "\n".join(part.strip() for part in text.splitlines()).strip()[:limit].rstrip()


def lines(name: str, value: object, most: int, limit: int) -> tuple[str, ...]:
    """A list of lines; a single text is a list of one."""
    values = [value] if isinstance(value, str) else value
    if values is None:
        return ()
    if not isinstance(values, list):
        raise BadValue(f"{name} must be a list of texts.")
    return tuple(text for each in values[:most] if (text := line(name, each, limit)))


def key(name: str, value: object, limit: int) -> str:
    """A text or whole number that identifies something: refused, not cut, when too long."""
    text = line(name, value, ABSURD_CHARS, numbers=True)
    if len(text) > limit:
        raise BadValue(f"{name} is longer than {limit} characters.")
    return text


def integer(name: str, value: object, lowest: int, highest: int) -> int:
    """A whole number, also as a text of digits; 0 when absent."""
    if value is None or value == "":
        return 0
    if isinstance(value, str) and _DIGITS.fullmatch(value.strip()):
        value = int(value.strip())
    elif isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadValue(f"{name} must be a whole number.")
    if not lowest <= value <= highest:
        raise BadValue(f"{name} must be between {lowest} and {highest}.")
    return value


def instant(name: str, value: object) -> datetime | None:
    """ISO 8601 with a zone -> aware UTC; None when absent."""
    if value is None or value == "":
        return None
    wish = f"{name} must be a date and time with its zone, like 2026-03-01T09:30:00+01:00."
    if not isinstance(value, str):
        raise BadValue(wish)
    try:
        parsed = datetime.fromisoformat(value.strip())
        if parsed.tzinfo is None:
            raise BadValue(wish)
        return parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadValue(wish) from None


def email(text: str) -> str:
    """The address in lower case when it looks like one, else ""."""
    return text.lower() if len(text) <= 254 and _EMAIL.fullmatch(text) else ""


def web_address(text: str) -> str:
    """`text` when it is an http(s) address, else ""."""
    return text if _WEB.fullmatch(text) else ""


def country(text: str) -> str:
    """ISO 3166-1 codes in upper case; anything else as it is."""
    return text.upper() if _COUNTRY.fullmatch(text) else text


def language(text: str) -> str:
    """`de-AT` -> `de`; anything that is no code in lower case, as it is."""
    code = _LANGUAGE.fullmatch(text)
    return code.group(1).lower() if code else text.lower()


def free_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields we do not know, for conditions in the playbook: the first 50, clean; long texts are cut, large
    structures left out."""
    kept: dict[str, Any] = {}
    for name, value in fields.items():
        clean_name = line("a key", name, EXTRA_KEY_CHARS)
        cleaned = _free(value)
        if isinstance(cleaned, list | dict) and len(json.dumps(cleaned)) > EXTRA_CHARS:
            continue
        if clean_name and len(kept) < EXTRA_KEYS:
            kept[clean_name] = cleaned
    return kept


def _free(value: Any) -> Any:
    if isinstance(value, str):
        return _clean("a text", value[:EXTRA_CHARS], numbers=False)
    if isinstance(value, list):
        return [_free(each) for each in value]
    if isinstance(value, dict):
        return {line("a key", name, EXTRA_KEY_CHARS): _free(each) for name, each in value.items()}
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if -_INT64 <= value < _INT64 else str(value)  # conditions count in 64 bits
    return value if isinstance(value, float) and math.isfinite(value) else None


def _clean(name: str, value: object, numbers: bool) -> str:
    if value is None:
        return ""
    if numbers and isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if abs(value) < _INT64 else None
    if not isinstance(value, str):
        raise BadValue(f"{name} must be a text.")
    if len(value) > ABSURD_CHARS:
        raise BadValue(f"{name} has {len(value)} characters; that is no {name}.")
    if value.isprintable():  # nothing below can be found in it, and most texts are
        return value
    if "\x00" in value or _HALF_CHARACTER.search(value):
        raise BadValue(f"{name} has characters that are no text.")
    return "".join(
        char
        for char in value
        if char in "\n\t\r" or (char not in _BIDI and unicodedata.category(char) != "Cc")
    )
