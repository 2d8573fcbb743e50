"""What stands in a conversation, as far as Baton asks: its own posts by their delivery ids, a page at a time.

Nothing else of a message is looked at, kept or logged. What is not here: the calls (`slack`), what follows from what
was seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

#: The type of the metadata that goes along with each post; its payload is the delivery id alone.
DELIVERY = "lead_delivery"
#: Messages a page. Slack recommends at most 200, and gives 15 to apps it sells for others outside its Marketplace.
PAGE = 200


@dataclass(frozen=True, slots=True)
class Seen:
    """One of our posts. `ts` orders the messages of a conversation."""

    ts: str
    delivery_id: str


@dataclass(frozen=True, slots=True)
class Page:
    """`seen` among the messages of one page; `cursor` of the next page, "" at the end. `at`: Slack's clock when it
    answered, whole seconds; None when it did not say."""

    seen: tuple[Seen, ...]
    cursor: str
    at: datetime | None = None


def metadata_of(delivery_id: str) -> dict[str, Any]:
    """What goes along with a post. Everybody in the workspace may read it: an id that says nothing."""
    return {"event_type": DELIVERY, "event_payload": {"d": delivery_id}}


def bound_of(oldest: datetime) -> str:
    """A time as Slack's `oldest` takes it."""
    return f"{oldest.timestamp():.6f}"


def date_of(headers: Mapping[str, str]) -> datetime | None:
    """The `Date` of an answer; None when there is none, or none that can be read."""
    text = next((v for k, v in headers.items() if k.lower() == "date"), "")
    try:
        found = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo is not None else None


def page_of(answer: Mapping[str, Any], at: datetime | None = None) -> Page | None:
    """A page of conversations.history or conversations.replies; None when it cannot be read as one."""
    messages = answer.get("messages")
    if not isinstance(messages, list):
        return None
    seen = (_seen(m) for m in messages if isinstance(m, Mapping))
    more = answer.get("response_metadata")
    cursor = more.get("next_cursor") if isinstance(more, Mapping) else ""
    if answer.get("has_more") and not cursor:
        return None  # there is more, and no way to it: not the whole truth
    return Page(tuple(each for each in seen if each is not None), str(cursor or ""), at)


def _seen(message: Mapping[str, Any]) -> Seen | None:
    """None for everything that is not a post of ours."""
    ts, metadata = message.get("ts"), message.get("metadata")
    if not isinstance(ts, str) or not isinstance(metadata, Mapping) or not message.get("bot_id"):
        return None
    payload = metadata.get("event_payload")
    if metadata.get("event_type") != DELIVERY or not isinstance(payload, Mapping):
        return None
    delivery_id = payload.get("d")
    return Seen(ts, delivery_id) if isinstance(delivery_id, str) else None
