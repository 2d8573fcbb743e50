"""Taking one person's items out of a kept body, so that the others in it can still be replayed.

The items keep their places: what became of each is noted by its place. What is not here: whom they are about
(`erase_person`, `spot_erased`), the inbox.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

#: Lists of both doors stand under these names, or alone.
_LISTS = ("leads", "touches")
#: Fewer digits are found everywhere.
_LEAST_DIGITS = 8
_LEAST_KEY = 4
_ADDRESS = re.compile(r"[^\s<>()\[\]{}\"',;:|\\]+@[^\s<>()\[\]{}\"',;:|\\@]+")


@dataclass(frozen=True, slots=True)
class Marks:
    """By what a person is found in what others wrote: addresses, numbers, keys. Never by the name: others have it."""

    emails: frozenset[str]
    phones: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()

    @classmethod
    def of(cls, emails: Collection[str], phones: Collection[str], keys: Collection[str]) -> Marks:
        """Folded as they are looked for."""
        digits = {re.sub(r"\D", "", phone) for phone in phones}
        return cls(
            frozenset(email.strip().casefold() for email in emails if email.strip()),
            frozenset(each for each in digits if len(each) >= _LEAST_DIGITS),
            frozenset(key for key in keys if key),
        )

    def are_in(self, item: Any) -> bool:
        """Whether a JSON value is about the person."""
        return any(self._is(leaf) for leaf in leaves(item))

    def are_in_bytes(self, raw: bytes) -> bool:
        """The same for what is no JSON."""
        text = raw.decode("utf-8", "replace")
        keys = any(len(key) >= _LEAST_KEY and key in text for key in self.keys)
        return keys or self._holds(text)

    def _is(self, text: str) -> bool:
        return text in self.keys or self._holds(text)

    def _holds(self, text: str) -> bool:
        folded = text.casefold()
        if any(email in folded for email in self.emails):
            return True
        digits = re.sub(r"[\s()/.\-+]", "", text)
        return any(phone in digits for phone in self.phones)


def leaves(value: Any) -> Iterator[str]:
    """Every text and number in a JSON value, names of fields too. Not deeper than what the doors take."""
    ahead = [value]
    while ahead:
        one = ahead.pop()
        if isinstance(one, dict):
            ahead += [*one.keys(), *one.values()]
        elif isinstance(one, list):
            ahead += one
        elif one is not None and not isinstance(one, bool):
            yield str(one)


def addresses_in(text: str) -> list[str]:
    """Whatever may be an address in a text, as it may have been erased: without the full stop of a sentence."""
    return [found.rstrip(".!?") for found in _ADDRESS.findall(text)]


def items_in(raw: bytes) -> list[Any] | None:
    """The items of a body in its order; None when it cannot be read."""
    try:
        data = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    if isinstance(data, dict):
        for name in _LISTS:
            if isinstance(data.get(name), list):
                return list(data[name])
        return [data]
    return list(data) if isinstance(data, list) else None


def places_of(raw: bytes, about: Callable[[Any], bool]) -> list[int] | None:
    """Which items of a body are about somebody; None when it cannot be read."""
    items = items_in(raw)
    if items is None:
        return None
    return [place for place, item in enumerate(items) if about(item)]


def without_items(raw: bytes, places: Collection[int]) -> bytes | None:
    """The body with nothing at these places; None when nothing of it is left, or it cannot be read."""
    items = items_in(raw)
    if items is None or all(place in places for place in range(len(items))):
        return None
    kept = [{} if place in places else item for place, item in enumerate(items)]
    return json.dumps(kept).encode()
