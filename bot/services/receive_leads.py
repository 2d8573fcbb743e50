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
from bot.services.admit_leads import admit_leads
from bot.services.judge_lead import receive
from bot.services.keep_message import (
    PORTION,
    Result,
    apply_item,
    keep_message,
    quarantined,
    replay_kept,
)
from bot.services.keep_message import (
    Received as Received,
)
from bot.services.move_lead import write
from bot.services.spot_erased import GONE
from bot.services.take_news import take_news
from bot.services.work import Work
from storage import arrivals, leads
from storage.database import concerns_all
from storage.erasures import KEY
from storage.leads import email_key_of

#: So many items to a transaction at most: together with a portion of known ones they keep SQLite's only writer for a
#: tenth of a second, and a click waits for it.
TOGETHER = 50


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
    """Store the message and apply its items, or the next of them: `most`, and fewer when many are known already. The
    same message again: the same answer, nothing applied."""

    def apply(items: Sequence[Incoming]) -> list[Result]:
        new = _which_are_new(work, items)
        if most is not None:
            items = items[: _end_of_portion(items, new)]
            new = [place for place in new if place < len(items)]
        _lock_known(work, [item for place, item in enumerate(items) if place not in set(new)])
        admitted = _admit(work, [items[place] for place in new], message.msg_id)
        done = dict(zip(new, admitted, strict=True))
        return [
            done.get(place) or _apply(work, item, message.msg_id)
            for place, item in enumerate(items)
        ]

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


def _end_of_portion(items: Sequence[Incoming], new: Sequence[int]) -> int:
    """So many items that no more than a portion of them take long: each of those costs as much as ten new leads."""
    long = [place for place in range(len(items)) if place not in set(new)]
    return long[PORTION] if len(long) > PORTION else len(items)


def _which_are_new(work: Work, items: Sequence[Incoming]) -> list[int]:
    """The places of the items about people whom nobody knows, nobody erased, and no earlier item of the list names."""
    facts = [item.facts for item in items if item.facts is not None]
    keys, mailboxes = arrivals.which_are_known(
        work.conn,
        ((each.source, each.external_id) for each in facts),
        (box for each in facts if (box := email_key_of(each.email))),
    )
    erased = work.erased.known(
        work.conn, work.real, [(KEY, each.source, each.external_id) for each in facts]
    )
    taken: set[tuple[str, str] | str] = {*keys, *mailboxes}
    taken |= {(source, external_id) for _, source, external_id in erased}
    new = []
    for place, item in enumerate(items):
        if item.facts is None:
            continue
        names: set[tuple[str, str] | str] = {(item.facts.source, item.facts.external_id)}
        if box := email_key_of(item.facts.email):
            names.add(box)
        if not names & taken:
            new.append(place)
        # Whoever shares a name with an earlier item is news about it, and comes after it.
        taken |= names
    return new


def _admit(work: Work, items: Sequence[Incoming], msg_id: str) -> list[Result | None]:
    """New leads together, in one savepoint. None for each that must be applied by itself: out of the ordinary, or all
    of them when one spoiled it for the others."""
    savepoint = work.conn.begin_nested()
    try:
        ids = admit_leads(
            work,
            [(item.facts, _news_key(msg_id, item)) for item in items if item.facts is not None],
        )
        savepoint.commit()
    except Exception as error:
        if concerns_all(error):
            raise  # the whole message is tried again by the caller
        savepoint.rollback()
        work.forget_roster()
        return [None] * len(items)
    return [{"status": "accepted", "lead": i} if i is not None else None for i in ids]


def _news_key(msg_id: str, item: Incoming) -> str:
    """Filled up with zeros: of two items at the same instant the later one is the newer."""
    return f"{msg_id}:{item.index:03d}"


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
    news_key = _news_key(msg_id, item)
    return apply_item(work, item.index, lambda: _apply_facts(work, facts, news_key))


def _apply_facts(work: Work, facts: LeadFacts, news_key: str) -> dict[str, Any]:
    known = leads.find_by_key(work.conn, facts.source, facts.external_id)
    if known is None:
        if work.erased.is_known_key(
            work.conn, work.real, facts.source, facts.external_id, facts.occurred_at
        ):
            return dict(GONE)
        known = leads.find_by_email(work.conn, facts.email)
        if known is not None:
            leads.add_key(work.conn, known, facts.source, facts.external_id)
    if known is not None:
        lead = leads.lock_lead(work.conn, known)
        if lead is None:
            raise RuntimeError(f"lead {known} has a key but no row")
        if lead.erased_at is not None:  # a moment ago
            return dict(GONE)
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
