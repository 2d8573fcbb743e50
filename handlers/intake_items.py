"""Parsed leads and touches as the items that the services take: of a new request, and of one stored before.

What is not here: HTTP, what a single field means (`lead_body`, `touch_body`), what is done with the items
(`bot.services`).
"""

from __future__ import annotations

from datetime import datetime

from bot.services.receive_leads import Incoming
from bot.services.take_touches import IncomingTouch
from handlers.lead_body import LeadItem, TooMany, parse_leads
from handlers.strict_json import NotJson, read_json
from handlers.touch_body import TouchItem, parse_touches


def items_of(data: object, source: str, now: datetime) -> tuple[Incoming, ...] | TooMany:
    """All items of a body in its order, the unusable ones with their reason. `source` is the sender's name."""
    parsed = parse_leads(data, source=source, now=now)
    if isinstance(parsed, TooMany):
        return parsed
    return tuple(
        Incoming(item.index, item.facts)
        if isinstance(item, LeadItem)
        else Incoming(item.index, None, item.reason)
        for item in parsed
    )


def items_of_stored(raw: bytes, source: str, now: datetime) -> tuple[Incoming, ...] | str:
    """The items of a message as it lies in the inbox, or the sentence why it still cannot be read."""
    try:
        data = read_json(raw)
    except NotJson as fault:
        return str(fault)
    items = items_of(data, source, now)
    return items.sentence if isinstance(items, TooMany) else items


def touches_of(data: object, source: str, now: datetime) -> tuple[IncomingTouch, ...] | TooMany:
    """The same for activities."""
    parsed = parse_touches(data, source=source, now=now)
    if isinstance(parsed, TooMany):
        return parsed
    return tuple(
        IncomingTouch(item.index, item.activity)
        if isinstance(item, TouchItem)
        else IncomingTouch(item.index, None, item.reason)
        for item in parsed
    )


def touches_of_stored(raw: bytes, source: str, now: datetime) -> tuple[IncomingTouch, ...] | str:
    """The activities of a message as it lies in the inbox, or the sentence why it still cannot be read."""
    try:
        data = read_json(raw)
    except NotJson as fault:
        return str(fault)
    items = touches_of(data, source, now)
    return items.sentence if isinstance(items, TooMany) else items
