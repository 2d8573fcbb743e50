"""Leads come in: stored first, then judged, routed and offered, all in one transaction.

Idempotent by (source, message id) for messages and (source, external_id) for leads. Each item has its
savepoint: what cannot be used is quarantined with its reason and can be replayed; nobody else waits for it.
What is not here: HTTP and the wire format (`handlers`), what news changes (`take_news`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.exc import DBAPIError, IntegrityError

from bot.domain.lead import LeadFacts
from bot.services.judge_lead import receive
from bot.services.move_lead import write
from bot.services.take_news import take_news
from bot.services.work import Work
from storage import inbox, leads
from storage.database import is_passing

log = logging.getLogger(__name__)

#: How often an item is tried whose key or mailbox somebody else takes at the same moment.
TRIES = 3
REFUSED = "the database refused a value of this item"
NOT_APPLIED = "it could not be applied, because of a fault in Baton; it is kept and can be replayed"


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


@dataclass(frozen=True, slots=True)
class Received:
    """The answer: one result per item (`status`, and `lead` or `reason`). `conflict`: the message id came before
    with another body; nothing that acts was stored."""

    results: tuple[dict[str, Any], ...]
    conflict: bool = False


def receive_leads(work: Work, message: Message) -> Received:
    """Store the message and apply its items. The same message again: the same answer, nothing applied."""
    row = inbox.store_message(
        work.conn,
        source=message.source,
        msg_id=message.msg_id,
        sha256=message.sha256,
        raw=message.raw,
        now=work.now,
    )
    if row is None:
        return _seen_before(work, message)
    if message.parse_error:
        results = [{"status": "quarantined", "reason": message.parse_error}]
    else:
        results = [_apply(work, item, message) for item in message.items]
    _settle(work, row.id, results)
    return Received(tuple(results))


def replay_message(
    work: Work, inbox_id: int, parse: Callable[[bytes, str], tuple[Incoming, ...] | str]
) -> Received | None:
    """Apply again what of a stored message was quarantined (after its cause was mended). None: nothing to replay.

    `parse(raw, source)` gives the items, or why the body still cannot be read.
    """
    row = inbox.read_message(work.conn, inbox_id)
    if row is None or row.state != "quarantined" or row.raw is None:
        return None
    parsed = parse(row.raw, row.source)
    message = Message(row.source, row.msg_id, row.sha256, row.raw)
    if isinstance(parsed, str):
        results: list[dict[str, Any]] = [{"status": "quarantined", "reason": parsed}]
    else:
        before = row.results if len(row.results) == len(parsed) else [None] * len(parsed)
        results = [
            old
            if old is not None and old["status"] != "quarantined"
            else _apply(work, _as_of(item, row.received_at), message)
            for old, item in zip(before, parsed, strict=True)
        ]
    _settle(work, row.id, results)
    return Received(tuple(results))


def _as_of(item: Incoming, received_at: datetime) -> Incoming:
    """A replayed item that does not say when it happened: when it came, so that it is not newer than later news."""
    if item.facts is None or item.facts.occurred_at is not None:
        return item
    return replace(item, facts=replace(item.facts, occurred_at=received_at))


def _seen_before(work: Work, message: Message) -> Received:
    known = inbox.find_message(work.conn, message.source, message.msg_id)
    if known is not None and known.sha256 != message.sha256:
        marked = f"{message.msg_id}#{message.sha256}"
        kept = inbox.store_message(
            work.conn,
            source=message.source,
            msg_id=marked[:300],
            sha256=message.sha256,
            raw=message.raw,
            now=work.now,
        )
        if kept is not None:
            inbox.settle_message(work.conn, kept.id, state="conflict", results=[])
        return Received((), conflict=True)
    results = list(known.results) if known is not None else []
    return Received(
        tuple(r if r["status"] == "quarantined" else {**r, "status": "duplicate"} for r in results)
    )


def _settle(work: Work, inbox_id: int, results: list[dict[str, Any]]) -> None:
    bad = any(r["status"] == "quarantined" for r in results)
    inbox.settle_message(
        work.conn, inbox_id, state="quarantined" if bad else "applied", results=results
    )


def _apply(work: Work, item: Incoming, message: Message) -> dict[str, Any]:
    if item.facts is None:
        return {"status": "quarantined", "reason": item.reason}
    for _ in range(TRIES):
        savepoint = work.conn.begin_nested()
        try:
            # Filled up with zeros: of two items at the same instant the later one is the newer.
            result = _apply_facts(work, item.facts, f"{message.msg_id}:{item.index:03d}")
            savepoint.commit()
        except IntegrityError:
            # Another process inserted the same key or mailbox meanwhile: it is news about that lead now.
            savepoint.rollback()
            work.forget_roster()
        except DBAPIError as error:
            if is_passing(error):
                raise  # the whole message is tried again by the caller
            savepoint.rollback()
            work.forget_roster()
            return {"status": "quarantined", "reason": REFUSED}
        except Exception:  # a bug of ours: kept for a replay, and nobody else's lead waits for it
            savepoint.rollback()
            work.forget_roster()
            log.exception("a lead could not be applied", extra={"item": item.index})
            return {"status": "quarantined", "reason": NOT_APPLIED}
        else:
            return result
    return {"status": "quarantined", "reason": REFUSED}


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
