"""What is to be done with a claimed row, and what a failure means for it. Reads the database, sends nothing.

What is not here: rendering (injected), the calls (`deliver`), writing what came of them (`deliver_settle`).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from bot.services.deliver_types import Drop, RenderRow
from bot.services.work import Work
from storage import cards, people
from storage.deliveries import HOME, OutboxRow
from storage.outbox import LISTS

#: Posts of these are tried for ever: somebody waits for them. Others die after `MOST_ATTEMPTS`.
NEVER_GIVE_UP = frozenset(
    {
        "lead_card",
        "escalation",
        "review_card",
        "reminder",
        "handover",
        "failure_notice",
        "hook_notice",
        "alarm_notice",
        *LISTS,
    }
)
MOST_ATTEMPTS = 20
#: Seconds.
LONGEST_BACKOFF = 60.0

#: The token is not accepted: nothing can be sent until somebody mends it.
TOKEN_ERRORS = frozenset(
    {"invalid_auth", "not_authed", "token_revoked", "token_expired", "not_allowed_token_type"}
)
#: The app lacks a right for one method.
SCOPE_ERROR = "missing_scope"
#: Slack does not like what we made of it; the plain text goes through.
BLOCK_ERRORS = frozenset(
    {"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long"}
)
#: A lane that leads nowhere: Slack gave no conversation with this person (yet).
NO_CONVERSATION = "no_conversation"


class Method(StrEnum):
    """The call that a row needs; each has its own rate."""

    POST = "chat.postMessage"
    EDIT = "chat.update"
    HOME = "views.publish"


@dataclass(frozen=True, slots=True)
class Send:
    """Something is to be sent. `channel` is a user id for `HOME`; `ts` the message to edit.

    `names`: what a list names in its data; empty for everything else.
    """

    method: Method
    channel: str
    body: dict[str, Any]
    rendered_hash: str
    closed: bool
    ts: str = ""
    thread_ts: str | None = None
    broadcast: bool = False
    names: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Skip:
    """Nothing is to be sent. `shows`: the hash of what the card shows already, and whether that is an end.

    `cannot_show`: a card that cannot be edited any more; what a list should still have shown goes elsewhere.
    """

    reason: str
    shows: tuple[str, bool] | None = None
    cannot_show: bool = False
    names: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NoWay:
    """It can never be delivered, known without asking Slack."""

    error: str


def method_of(row: OutboxRow) -> Method:
    """Home tabs are published; a row with `edits` edits; all others post."""
    if row.template == HOME:
        return Method.HOME
    return Method.EDIT if row.edits else Method.POST


def plan(work: Work, row: OutboxRow, render: RenderRow) -> Send | Skip | NoWay:
    """Check once more, and render from the current state."""
    card = cards.read_card(work.conn, row.card_key)
    method = method_of(row)
    names: dict[str, Any] = {}
    if row.template in LISTS:
        names = card.data if card is not None else row.data
    if method is Method.EDIT:
        if card is None:
            return Skip("not posted yet, the post will show it")
        if card.closed:
            return Skip("closed", cannot_show=True, names=names)
    rendered = render(work, row, card)
    if isinstance(rendered, Drop):
        return Skip(rendered.reason, names=names)
    hashed = hash_of(rendered.body)
    if method is not Method.POST and card is not None and card.rendered_hash == hashed:
        return Skip("unchanged", shows=(hashed, rendered.closed), names=names)
    if method is Method.EDIT and card is not None:
        return Send(
            method, card.slack_channel, rendered.body, hashed, rendered.closed,
            ts=card.slack_ts, names=names,
        )  # fmt: skip
    channel = destination_of(work, row)
    if not channel:
        return Skip("no Slack user") if method is Method.HOME else NoWay(NO_CONVERSATION)
    thread_ts = thread_ts_of(work, rendered.thread_of, channel)
    return Send(
        method, channel, rendered.body, hashed, rendered.closed, thread_ts=thread_ts,
        broadcast=rendered.broadcast and thread_ts is not None, names=names,
    )  # fmt: skip


def hash_of(body: dict[str, Any]) -> str:
    """sha256 of the body's canonical JSON."""
    text = json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def backoff(attempts: int, jitter: float) -> float:
    """Seconds to wait after so many attempts: 1, 2, 4 … 60, up to a quarter off either way. `jitter`: 0 to 1."""
    return min(LONGEST_BACKOFF, 2.0 ** max(0, min(attempts, 10) - 1) * (0.75 + jitter / 2))


def gives_up(row: OutboxRow) -> bool:
    """Whether this was the last attempt. Edits go on: they cost nothing and repair what is shown."""
    if method_of(row) is not Method.POST or row.template in NEVER_GIVE_UP:
        return False
    return row.attempts >= MOST_ATTEMPTS


def destination_of(work: Work, row: OutboxRow) -> str:
    """The conversation of a lane (`dm:<person>`, `ch:<channel>`), the Slack user of `home:<person>`."""
    kind, _, name = row.lane.partition(":")
    if kind == "ch":
        return name
    # This one person, not everybody: it is asked for each message.
    person = people.read_person(work.conn, int(name)) if name.isdigit() else None
    if person is None:
        return ""
    return (person.slack_user_id if kind == "home" else person.slack_channel_id) or ""


def thread_ts_of(work: Work, card_key: str | None, channel: str) -> str | None:
    """The root of a card's thread, None while that card does not stand in this conversation."""
    card = cards.read_card(work.conn, card_key) if card_key else None
    if card is None or card.slack_channel != channel or not card.slack_ts:
        return None
    return card.slack_ts
