"""Leads come in: stored first, then judged, routed and offered, each in the transaction of its portion.

Idempotent by (source, message id) for messages and (source, external_id) for leads. Each item has its
savepoint: what cannot be used is quarantined with its reason and can be replayed; nobody else waits for it.
What is not here: HTTP and the wire format (`handlers`), what news changes (`take_news`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.exc import IntegrityError

from bot.domain.lead import LeadFacts
from bot.services.judge_lead import receive
from bot.services.keep_message import (
    Received as Received,
)
from bot.services.keep_message import (
    Result,
    apply_item,
    keep_message,
    quarantined,
    replay_kept,
)
from bot.services.move_lead import write
from bot.services.take_news import take_news
from bot.services.work import Work
from storage import leads


@dataclass(frozen=True, slots=True)
class Incoming:
    """One item of a message: the facts, or why they cannot be used."""

    index: int
    facts: LeadFacts | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """An authenticated message. `parse_error`: it is no JSON at all."""

    source: str
    msg_id: str
    sha256: str
    raw: bytes
    items: tuple[Incoming, ...] = ()
    parse_error: str = ""


def receive_leads(work: Work, message: Message, *, most: int | None = None) -> Received:
    """Store the message and apply its items, or the next `most` of them. The same message again: the same answer,
    nothing applied."""

    def apply(items: Sequence[Incoming]) -> list[Result]:
        _lock_known(work, items)
        return [_apply(work, item, message.msg_id) for item in items]

    return keep_message(work, message, message.items, apply, most=most)


def replay_message(
    work: Work,
    inbox_id: int,
    parse: Callable[[bytes, str], tuple[Incoming, ...] | str],
    *,
    most: int | None = None,
) -> Received | None:
    """Apply again what of a stored message was quarantined (after its cause was mended). None: nothing to replay.

    `parse(raw, source)` gives the items, or why the body still cannot be read.
    """
    return replay_kept(
        work,
        inbox_id,
        parse,
        lambda item, row: _apply(work, _as_of(item, row.received_at), row.msg_id),
        most=most,
    )


def _as_of(item: Incoming, received_at: datetime) -> Incoming:
    """A replayed item that does not say when it happened: when it came, so that it is not newer than later news."""
    if item.facts is None or item.facts.occurred_at is not None:
        return item
    return replace(item, facts=replace(item.facts, occurred_at=received_at))


def _lock_known(work: Work, items: Sequence[Incoming]) -> None:
    """The leads of a list that are known, in the order of their ids and before anything is written: whoever clicks
    on one of them must not wait for us while we wait for them."""
    if len(items) > 1:
        found = {
            leads.find_by_key(work.conn, facts.source, facts.external_id)
            or leads.find_by_email(work.conn, facts.email)
            for item in items
            if (facts := item.facts) is not None
        }
        for lead_id in sorted(each for each in found if each is not None):
            leads.lock_lead(work.conn, lead_id)


def _apply(work: Work, item: Incoming, msg_id: str) -> Result:
    facts = item.facts
    if facts is None:
        return quarantined(item.reason)
    # Filled up with zeros: of two items at the same instant the later one is the newer.
    news_key = f"{msg_id}:{item.index:03d}"
    return apply_item(work, item.index, lambda: _apply_facts(work, facts, news_key))


def _apply_facts(work: Work, facts: LeadFacts, news_key: str) -> dict[str, Any]:
    known = leads.find_by_key(work.conn, facts.source, facts.external_id)
    if known is None:
        known = leads.find_by_email(work.conn, facts.email)
        if known is not None:
            leads.add_key(work.conn, known, facts.source, facts.external_id)
    if known is not None:
        lead = leads.lock_lead(work.conn, known)
        if lead is None:
            raise RuntimeError(f"lead {known} has a key but no row")
        changed = take_news(work, lead, facts, news_key)
        return {"status": "updated" if changed else "duplicate", "lead": known}
    lead_id = leads.insert_lead(work.conn, facts, now=work.now, kind="live", news_key=news_key)
    if not leads.add_key(work.conn, lead_id, facts.source, facts.external_id):
        raise IntegrityError("the key was taken meanwhile", None, RuntimeError(facts.source))
    write(
        work,
        lead_id,
        "arrived",
        data={"status": "received", "round": 1, "source": facts.source},
    )
    lead = leads.lock_lead(work.conn, lead_id)
    if lead is None:
        raise RuntimeError(f"lead {lead_id} vanished within its own transaction")
    receive(work, lead)
    return {"status": "accepted", "lead": lead_id}
