"""Leads as senders write them -> `LeadFacts`: one object, a list, or `{"leads": [...]}`.

Each item becomes a `LeadItem` or a `BadItem` with a sentence; nothing here raises, whatever the JSON. Too long a text
is cut, a key (`external_id`, `source`) never: two leads could become one. What is not here: JSON itself
(`strict_json`), single values (`wire_values`), what is done with leads (`bot.services`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bot.domain.lead import LeadFacts
from handlers import wire_values as wire

MAX_ITEMS = 200
LINE_CHARS = 300
SOURCE_CHARS = 80
EXTERNAL_ID_CHARS = 300
COUNTRY_CHARS = 80
LANGUAGE_CHARS = 16
MESSAGE_CHARS = 5_000
MAX_REASONS = 10
MOST = 10**9  # employees, visits, points
#: A sender's clock may be this far ahead; what lies further in the future did not happen yet.
CLOCK_SKEW = timedelta(minutes=5)

_KNOWN = frozenset(LeadFacts.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class LeadItem:
    """A usable lead. `raw` is the item as ASCII JSON, for quarantine should applying it fail."""

    index: int
    facts: LeadFacts
    raw: str


@dataclass(frozen=True, slots=True)
class BadItem:
    """An item that cannot be used: a sentence for the sender, and the item as ASCII JSON."""

    index: int
    reason: str
    raw: str


@dataclass(frozen=True, slots=True)
class TooMany:
    """More items than one request may bring: 413, nothing of it is taken."""

    count: int
    limit: int = MAX_ITEMS

    @property
    def sentence(self) -> str:
        """What the sender is told."""
        return f"{self.count} items in one request; at most {self.limit} are taken. Send them in parts."


def split_items(data: object, key: str) -> list[object] | TooMany:
    """The items of a body that is one item, a list of them, or an object with nothing but such a list under `key`."""
    if isinstance(data, dict) and set(data) == {key} and isinstance(data[key], list):
        data = data[key]
    items = data if isinstance(data, list) else [data]
    return items if len(items) <= MAX_ITEMS else TooMany(len(items))


def parse_leads(data: object, *, source: str, now: datetime) -> list[LeadItem | BadItem] | TooMany:
    """All leads of a body, in its order. `source` is the credential's name, for items that do not name theirs."""
    items = split_items(data, "leads")
    if isinstance(items, TooMany):
        return items
    return [_parse(index, item, source, now) for index, item in enumerate(items)]


def as_raw(item: object) -> str:
    """`item` as ASCII JSON: any text survives any database, NUL and half characters included."""
    return json.dumps(item, ensure_ascii=True, default=str, skipkeys=True)


def _parse(index: int, item: object, source: str, now: datetime) -> LeadItem | BadItem:
    raw = as_raw(item)
    if not isinstance(item, dict):
        return BadItem(index, "A lead must be a JSON object.", raw)
    try:
        return LeadItem(index, lead_facts(item, source=source, now=now), raw)
    except wire.BadValue as fault:
        return BadItem(index, str(fault), raw)


def lead_facts(item: Mapping[str, Any], *, source: str, now: datetime) -> LeadFacts:
    """One lead by the rules of every door. `source`: of items that do not name theirs. Raises wire.BadValue."""
    extra = _free_fields(item)

    def line(name: str) -> str:
        return wire.line(name, item.get(name), LINE_CHARS)

    def plausible(name: str, check: Callable[[str], str]) -> str:
        """The checked value; what does not look right is kept beside the facts, not in them."""
        text = line(name)
        value = check(text)
        if text and not value:
            extra[f"{name}_raw"] = text
        return value

    email = plausible("email", wire.email)
    external_id = wire.key("external_id", item.get("external_id"), EXTERNAL_ID_CHARS)
    if not external_id and not email:
        raise wire.BadValue("A lead needs an external_id or an e-mail address.")
    return LeadFacts(
        source=wire.key("source", item.get("source"), SOURCE_CHARS) or source,
        external_id=external_id or f"email:{email}",
        email=email,
        first_name=line("first_name"),
        last_name=line("last_name"),
        title=line("title"),
        company=line("company"),
        phone=wire.line("phone", item.get("phone"), LINE_CHARS, numbers=True),
        country=wire.country(line("country"))[:COUNTRY_CHARS],
        language=wire.language(line("language"))[:LANGUAGE_CHARS],
        employees=wire.integer("employees", item.get("employees"), 0, MOST),
        industry=line("industry"),
        message=wire.paragraphs("message", item.get("message"), MESSAGE_CHARS),
        source_score=wire.integer("source_score", item.get("source_score"), -MOST, MOST),
        score_reasons=wire.lines(
            "score_reasons", item.get("score_reasons"), MAX_REASONS, LINE_CHARS
        ),
        campaign=line("campaign"),
        visits=wire.integer("visits", item.get("visits"), 0, MOST),
        account_owner=plausible("account_owner", wire.email),
        url=plausible("url", wire.web_address),
        occurred_at=_occurred_at(item.get("occurred_at"), now),
        extra=extra,
    )


def _free_fields(item: Mapping[str, Any]) -> dict[str, Any]:
    """What we do not know; a sender may have put it under `extra` already."""
    nested = item.get("extra")
    if nested is not None and not isinstance(nested, dict):
        raise wire.BadValue("extra must be a JSON object.")
    unknown = {key: value for key, value in item.items() if key not in _KNOWN}
    return wire.free_fields({**unknown, **(nested or {})})


def _occurred_at(value: object, now: datetime) -> datetime | None:
    instant = wire.instant("occurred_at", value)
    return None if instant is not None and instant > now + CLOCK_SKEW else instant
