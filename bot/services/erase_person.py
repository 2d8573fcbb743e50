"""Erasing a person: their leads end and are emptied, what was told of them becomes keyed hashes, cards are edited.

A transaction a lead, the lead locked first, and one for what no lead came of. Whoever runs it again goes on where it
was cut off. What a restore brings back is erased again by `reapply_erasures`. What stays are ids, times, counts and
the journal, which holds nothing else. What is not here: knowing them again (`spot_erased`), giving the space back
(`storage.vacuuming`), the ledger's file (`storage.ledger_files`), retention (`purge_leads`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.domain.funnel import HELD, TERMINAL, Action, Status
from bot.rendering.notices import render_erased
from bot.services.blank_items import (
    Marks,
    addresses_in,
    items_in,
    leaves,
    places_of,
    without_items,
)
from bot.services.deliver_rules import hash_of
from bot.services.end_test_lead import TEST_TIMER
from bot.services.move_lead import SYSTEM, Ending, cancel_wake, move, redraw, refresh_home, write
from bot.services.spot_erased import GONE, Erased
from bot.services.work import Work
from storage import cards, clocks, erasures, leads, offers, outbox
from storage.erasures import MARK, LedgerRow, ShownCard
from storage.inbox import InboxRow, take_turn
from storage.leads import LeadRow

#: The reason of a lead that ended because of this, and the kind of the journal's entry.
ERASED = "erased"
#: States of the newest edit of a message, "" when there was none, after which nobody will edit it.
_NO_EDIT_WAITS = ("", "sent", "superseded")


@dataclass(frozen=True, slots=True)
class LeadFound:
    """A lead of the person. `held`: some rep has it now."""

    id: int
    name: str
    company: str
    status: str
    held: bool
    cards: int


@dataclass(frozen=True, slots=True)
class Found:
    """What `erase_person` would erase. `messages`: bodies that are kept and name the person."""

    leads: tuple[LeadFound, ...]
    messages: int

    def __bool__(self) -> bool:
        return bool(self.leads or self.messages)


def find_person(work: Work, email: str) -> Found:
    """What there is of a person. Only reads."""
    ids = erasures.find_leads(work.conn, email)
    marks = _marks_of(work, email, ids)
    messages = sum(
        1
        for row in erasures.each_kept_message(work.conn)
        if row.raw is not None and _names_in(row.raw, marks)
    )
    return Found(
        tuple(
            LeadFound(
                lead.id,
                f"{lead.first_name} {lead.last_name}".strip(),
                lead.company,
                lead.status,
                lead.state in HELD,
                len(cards.list_cards(work.conn, lead.id)),
            )
            for lead in leads.list_by_ids(work.conn, ids)
        ),
        messages,
    )


def open_ledger(work: Work, erased: Erased) -> bool:
    """Note the key before the first person of all; True when it was noted now: every process that runs must notice
    before somebody is erased (`spot_erased.TRUSTED_FOR`)."""
    kind, hashed = erased.check()
    work.erased.look_again()
    return erasures.add_to_ledger(work.conn, [LedgerRow(kind, hashed, work.now)]) > 0


def erase_messages(work: Work, erased: Erased, email: str) -> int:
    """The first step: the address is known as erased from now on, and what is kept of it unused, or in lists that were
    cut off, is taken out. How many messages."""
    take_turn(work.conn)
    marks = _marks_of(work, email, erasures.find_leads(work.conn, email))
    _note(work, erased, [erased.email(email)])
    done = 0
    for row in erasures.each_kept_message(work.conn):
        if row.raw is not None and _names_in(row.raw, marks):
            _empty_message(work, erased, row, marks.are_in, set())
            done += 1
    return done


def erase_lead(work: Work, erased: Erased, lead_id: int, *, again: bool = False) -> bool:
    """One lead, whole; False when it was erased before. `again`: it came back out of a backup."""
    take_turn(work.conn)
    lead = leads.lock_lead(work.conn, lead_id)
    if lead is None or lead.erased_at is not None:
        return False
    if lead.state not in TERMINAL:
        lead = _end(work, lead)
    _empty_names(work, erased, lead, again=again)
    external_id = MARK + erased.name(lead.source, lead.external_id)[1]
    write(work, lead.id, ERASED, data={"again": True} if again else {})
    clocks.cancel_timers(work.conn, TEST_TIMER, lead.id)
    cancel_wake(work, lead.id)
    erasures.empty_lead(work.conn, lead, external_id=external_id, erased_at=work.now)
    _edit_all(work, lead)
    return True


def reapply_erasures(work: Work, key: str) -> int:
    """Erase again whoever a restored database has and the ledger knows: its rows must be in `erasures` already
    (`storage.erasures.add_to_ledger`). How many leads. `key`: BATON_ERASURE_KEY. Raises `LedgerLocked`."""
    erased = Erased(key)
    if erased.is_nobody(work.conn, work.real):
        return 0
    ledger = {(row.kind, row.hash): row.erased_at for row in erasures.list_ledger(work.conn)}
    for row in erasures.each_kept_message(work.conn):
        if row.raw is not None:
            _empty_known(work, erased, row, ledger)
    done = 0
    for lead_id in _known_leads(work, erased, ledger):
        done += erase_lead(work, erased, lead_id, again=True)
    return done


def list_still_shown(work: Work) -> list[ShownCard]:
    """Messages in Slack that do not say yet that the person was erased: their edit waits, or Slack refused it."""
    return erasures.list_still_shown(work.conn, hash_of(render_erased()))


def edit_left_over(work: Work) -> int:
    """Messages that came to light only after the lead was erased (nobody knew whether they had been posted) are edited,
    too; how many. What Slack refused stays refused."""
    left = {card.lead_id for card in list_still_shown(work) if card.state in _NO_EDIT_WAITS}
    for lead_id in sorted(left):
        lead = leads.lock_lead(work.conn, lead_id)
        if lead is not None:
            cards.reopen_cards(work.conn, lead_id)
            redraw(work, lead)
    return len(left)


# ------------------------------------------------------------------ the lead


def _end(work: Work, lead: LeadRow) -> LeadRow:
    """Taken from whoever holds it; every clock ends."""
    offer = offers.read_offer(work.conn, lead.current_offer_id) if lead.current_offer_id else None
    ended = move(
        work,
        lead,
        Action.DISQUALIFY,
        SYSTEM,
        Status.DISQUALIFIED,
        ending=Ending(offer, "withdrawn", ERASED) if offer is not None else None,
        changes={
            "current_offer_id": None,
            "owner_id": None,
            "review_id": None,
            "wake_at": None,
            "wake_rep_id": None,
            "reason": ERASED,
        },
        data={"reason": ERASED},
    )
    if ended is None:  # it is locked, and every open status may go there
        raise RuntimeError(f"lead {lead.id} could not be ended")
    return ended


def _empty_names(work: Work, erased: Erased, lead: LeadRow, *, again: bool) -> None:
    """Keys, activities and messages of the lead become hashes, and the ledger has all of them."""
    conn = work.conn
    noted = {erased.email(each) for each in (lead.email, lead.email_key or "") if each}
    noted.add(erased.name(lead.source, lead.external_id))
    for source, external_id in leads.list_keys(conn, lead.id):
        if not external_id.startswith(MARK):
            name = erased.name(source, external_id)
            erasures.rename_key(conn, lead.id, source, external_id, MARK + name[1])
            noted.add(name)
    for row_id, source, external_id in erasures.activities_of(conn, lead.id):
        if not external_id.startswith(MARK):
            name = erased.activity(source, external_id)
            erasures.rename_activity(conn, row_id, MARK + name[1], erased.body(external_id))
            noted.add(name)
    _note(work, erased, noted, again=again)
    marks = Marks.of([lead.email, lead.email_key or ""], [lead.phone], ())
    for row in erasures.messages_about(conn, [lead.id]):
        _empty_message(work, erased, row, marks.are_in, {lead.id}, again=again)


def _edit_all(work: Work, lead: LeadRow) -> None:
    """Every message that shows the lead is edited, those that were over too; what waits is not posted any more."""
    conn = work.conn
    erasures.hold_back_all(conn, lead.id, real=work.real)
    cards.reopen_cards(conn, lead.id)
    redraw(work, lead)
    for row in erasures.reopen_lists(conn, lead.id):
        outbox.enqueue_edit(
            conn,
            template=row.template,
            card_key=row.card_key,
            lane=outbox.lane_of(row.person_id, row.slack_channel),
            person_id=row.person_id,
            now=work.now,
            real=work.real,
        )
    for member in work.roster.by_id.values():
        if member.row.home_seen_at is not None:
            refresh_home(work, member)


def _note(
    work: Work, erased: Erased, names: Iterable[tuple[str, str]], *, again: bool = False
) -> None:
    """`again`: whom the ledger has keeps the time of then, so that who came back later is not taken for them."""
    rows = [LedgerRow(kind, hashed, work.now) for kind, hashed in sorted(names)]
    check, hashed = erased.check()
    erasures.add_to_ledger(work.conn, [*rows, LedgerRow(check, hashed, work.now)], renew=not again)


# ------------------------------------------------------------------ messages


def _marks_of(work: Work, email: str, lead_ids: Sequence[int]) -> Marks:
    found = leads.list_by_ids(work.conn, lead_ids)
    keys = [key for *_, key in erasures.keys_of(work.conn, lead_ids)]
    emails = [email, *(lead.email for lead in found), *(lead.email_key or "" for lead in found)]
    return Marks.of(emails, [lead.phone for lead in found], keys)


def _names_in(raw: bytes, marks: Marks) -> bool:
    items = items_in(raw)
    return marks.are_in_bytes(raw) if items is None else any(marks.are_in(item) for item in items)


def _empty_message(
    work: Work,
    erased: Erased,
    row: InboxRow,
    about: Callable[[Any], bool],
    lead_ids: set[int],
    *,
    again: bool = False,
) -> None:
    """What is left of a message: its id and hash by other names, the body without the person's items."""
    named = {
        place
        for place, result in enumerate(row.results)
        if isinstance(result, dict) and result.get("lead") in lead_ids
    }
    values: dict[str, Any] = {}
    if not row.msg_id.startswith(MARK):
        name = erased.message(row.source, row.msg_id)
        _note(work, erased, [name], again=again)
        values = {"msg_id": MARK + name[1], "sha256": erased.body(row.sha256)}
    results = list(row.results)
    if row.raw is not None:
        places = places_of(row.raw, about)
        if places is None or row.state == "conflict":
            values["raw"] = None  # nobody can tell whose it is, or needs it
            if row.state == "quarantined":
                values["state"] = "dropped"
        else:
            named |= set(places)
            values["raw"] = without_items(row.raw, named)
    for place in named & set(range(len(results))):
        kept = {"lead": results[place]["lead"]} if "lead" in results[place] else {}
        results[place] = {**GONE, **kept}
    values["results"] = results
    if row.state == "quarantined" and not any(r["status"] == "quarantined" for r in results):
        values |= {"state": values.get("state", "applied"), "raw": None}
    erasures.save_message(work.conn, row.id, **values)


# ------------------------------------------------------------------ out of a backup


def _known_leads(work: Work, erased: Erased, ledger: dict[tuple[str, str], datetime]) -> list[int]:
    """Leads that were there when their address or key was erased: who came back since stays."""
    found: list[int] = []
    some: list[tuple[int, str, str, datetime]] = []
    for lead in erasures.each_lead(work.conn):
        some.append(lead)
        if len(some) == 500:
            found += _known_among(work, erased, ledger, some)
            some = []
    return found + _known_among(work, erased, ledger, some)


def _known_among(
    work: Work,
    erased: Erased,
    ledger: dict[tuple[str, str], datetime],
    some: Sequence[tuple[int, str, str, datetime]],
) -> list[int]:
    names = {
        lead_id: {erased.email(each) for each in (email, first) if each}
        for lead_id, email, first, _ in some
    }
    for lead_id, source, key in erasures.keys_of(work.conn, list(names)):
        names[lead_id].add(erased.name(source, key))
    return [
        lead_id
        for lead_id, _, _, arrived_at in some
        if any(name in ledger and arrived_at <= ledger[name] for name in names[lead_id])
    ]


def _empty_known(
    work: Work, erased: Erased, row: InboxRow, ledger: dict[tuple[str, str], datetime]
) -> None:
    """A kept message out of a backup: every text in it may hold an address, or be a key, of somebody erased.

    One that was emptied then goes whole when nobody can tell any more by what: the ledger knows no numbers.
    """
    raw = row.raw or b""
    by_message = erased.message(row.source, row.msg_id) in ledger

    def about(item: Any) -> bool:
        texts = list(leaves(item))
        sources = {row.source}
        if isinstance(item, dict) and isinstance(item.get("source"), str):
            sources.add(item["source"])
        names = {erased.email(each) for text in texts for each in addresses_in(text)}
        names |= {erased.name(source, text) for source in sources for text in texts}
        return any(name in ledger and row.received_at <= ledger[name] for name in names)

    items = items_in(raw)
    told = items if items is not None else [raw.decode("utf-8", "replace")]
    if any(about(item) for item in told):
        _empty_message(work, erased, row, about, set(), again=True)
    elif by_message:
        _empty_message(work, erased, row, lambda _: True, set(), again=True)
