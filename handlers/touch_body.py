"""Activities as senders write them -> `Activity`: one object, a list, or `{"touches": [...]}`.

CRMs and diallers name the same things in many ways: words are mapped, unknown keys ignored. Each item becomes a
`TouchItem` or a `BadItem` with a sentence; nothing here raises, whatever the JSON. What is not here: JSON itself
(`strict_json`), single values (`wire_values`), what an activity does (`bot.services.take_touches`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.domain.activity import Activity, LeadName
from handlers import wire_values as wire
from handlers.lead_body import (
    CLOCK_SKEW,
    EXTERNAL_ID_CHARS,
    LINE_CHARS,
    SOURCE_CHARS,
    BadItem,
    TooMany,
    as_raw,
    split_items,
)

_KINDS: Mapping[str, tuple[str, ...]] = {
    "call": ("call", "phone", "phone_call", "telephone", "dial", "outbound_call", "inbound_call"),
    "email": (
        "email", "e_mail", "mail", "outbound_email", "inbound_email", "message", "sms", "text_message",
        "whatsapp", "chat", "linkedin", "linkedin_message", "inmail", "letter", "postal_mail",
    ),
    "meeting": (
        "meeting", "event", "appointment", "visit", "demo", "video_call", "video_conference",
        "conference", "lunch",
    ),
}  # fmt: skip
_OUTCOMES: Mapping[str, tuple[str, ...]] = {
    "reached": ("reached", "connected", "answered", "spoke", "held", "attended", "replied"),
    "no_answer": (
        "no_answer", "not_reached", "unanswered", "busy", "missed", "voicemail", "left_voicemail",
        "left_message", "left_live_message", "no_show",
    ),
    "wrong_number": ("wrong_number", "bad_number", "invalid_number", "not_in_service"),
    "called_off": (
        "called_off", "canceled", "cancelled", "postponed", "rescheduled", "planned", "scheduled",
        "failed", "bounced", "not_started", "draft",
    ),
}  # fmt: skip
_DIRECTIONS = {
    **dict.fromkeys(("", "outbound", "outgoing", "out", "sent"), False),
    **dict.fromkeys(("inbound", "incoming", "in", "received"), True),
}
_FLAGS = {
    **dict.fromkeys(("", "false", "no", "0"), False),
    **dict.fromkeys(("true", "yes", "1"), True),
}
_KIND_OF = {word: kind for kind, words in _KINDS.items() for word in words}
_OUTCOME_OF = {word: outcome for outcome, words in _OUTCOMES.items() for word in words}


@dataclass(frozen=True, slots=True)
class TouchItem:
    """A usable activity."""

    index: int
    activity: Activity


def parse_touches(
    data: object, *, source: str, now: datetime
) -> list[TouchItem | BadItem] | TooMany:
    """All activities of a body, in its order. `source` is the credential's name, for leads without a source."""
    items = split_items(data, "touches")
    if isinstance(items, TooMany):
        return items
    return [_parse(index, item, source, now) for index, item in enumerate(items)]


def _parse(index: int, item: object, source: str, now: datetime) -> TouchItem | BadItem:
    if not isinstance(item, dict):
        return BadItem(index, "A touch must be a JSON object.", as_raw(item))
    try:
        return TouchItem(index, _activity(item, source, now))
    except wire.BadValue as fault:
        return BadItem(index, str(fault), as_raw(item))


def _activity(item: Mapping[str, Any], source: str, now: datetime) -> Activity:
    deleted = _flag("deleted", item.get("deleted"))
    external_id = wire.key("id", item.get("id"), EXTERNAL_ID_CHARS)
    if deleted and not external_id:
        raise wire.BadValue("A deletion needs the id of the activity.")
    lead = _lead(item, source)
    if not deleted and not lead.external_id and not lead.email:
        raise wire.BadValue("A touch needs its lead: an external_id, or an email of one person.")
    automated = _flag("automated", item.get("automated"))
    said = wire.line("actor", item.get("actor"), LINE_CHARS)
    actor = wire.email(said)
    if not actor and not automated and not deleted:
        raise wire.BadValue("actor must be the e-mail address of the person who did it.")
    occurred_at = wire.instant("occurred_at", item.get("occurred_at"))
    if occurred_at is None and not deleted:
        raise wire.BadValue(
            "A touch needs occurred_at: when it happened, like 2026-03-01T09:30:00+01:00."
        )
    if occurred_at is not None and not deleted and occurred_at > now + CLOCK_SKEW:
        raise wire.BadValue("occurred_at lies in the future: what is planned is no touch yet.")
    return Activity(
        external_id=external_id or f"hash:{_hash(item)}",
        lead=lead,
        actor=actor,
        kind=_KIND_OF.get(_word("kind", item.get("kind")), ""),
        outcome=_OUTCOME_OF.get(_word("outcome", item.get("outcome")), ""),
        inbound=_inbound(item),
        automated=automated,
        occurred_at=occurred_at,
        changed_at=wire.instant("changed_at", item.get("changed_at")),
        deleted=deleted,
    )


def _lead(item: Mapping[str, Any], source: str) -> LeadName:
    external_id = wire.key("external_id", item.get("external_id"), EXTERNAL_ID_CHARS)
    return LeadName(
        source=wire.key("source", item.get("source"), SOURCE_CHARS) or source,
        external_id=external_id,
        email=wire.email(wire.line("email", item.get("email"), LINE_CHARS)),
    )


def _inbound(item: Mapping[str, Any]) -> bool:
    word = _word("direction", item.get("direction"))
    if word not in _DIRECTIONS:
        raise wire.BadValue("direction must be outbound or inbound.")
    return _DIRECTIONS[word] or _word("kind", item.get("kind")).startswith("inbound_")


def _flag(name: str, value: object) -> bool:
    """true and false, also as the texts that form-based tools send."""
    if isinstance(value, bool):
        return value
    text = wire.line(name, value, LINE_CHARS, numbers=True).lower()
    if text not in _FLAGS:
        raise wire.BadValue(f"{name} must be true or false.")
    return _FLAGS[text]


def _word(name: str, value: object) -> str:
    """ "Left voicemail" -> "left_voicemail"."""
    said = wire.line(name, value, LINE_CHARS).lower()
    return "_".join("".join(c if c.isalnum() else " " for c in said).split())


def _hash(item: Mapping[str, Any]) -> str:
    """Stands for an item without an id: the same item again is the same activity."""
    said = json.dumps(item, sort_keys=True, ensure_ascii=True, default=str, skipkeys=True)
    return hashlib.sha256(said.encode()).hexdigest()
