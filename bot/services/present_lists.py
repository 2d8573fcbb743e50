"""Many leads in one message, and short notices: offers, breaches, a colleague's leads, a failed delivery.

A list shows what is still open when it is sent or edited. What is not here: when many become one
(`storage.foldings`), single messages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from bot.domain.agreement import ClockKind
from bot.domain.funnel import HELD, Status
from bot.domain.sla import COVERS
from bot.rendering.lists import (
    render_breach_list,
    render_handover_list,
    render_offer_list,
    render_reminder_list,
)
from bot.rendering.notices import render_delivery_failure, render_news_line
from bot.rendering.views_pages import BreachList, DeliveryFailure, HandoverList, OfferList
from bot.services.deliver_types import Drop, Rendered
from bot.services.present_offer import is_held, news_view
from bot.services.present_parts import face_of, lines_of, reader_of
from bot.services.work import Work
from storage import clocks, leads, offers
from storage.cards import CardRow
from storage.clocks import ClockRow
from storage.deliveries import OutboxRow
from storage.leads import LeadRow

#: What a template is called in a notice about it (`notices`).
_WHATS = {
    "lead_card": "offer",
    "offers_list": "list",
    "released_list": "list",
    "breach_list": "list",
    "reminders_list": "list",
    "handover": "list",
    "reminder": "reminder",
    "nudge": "reminder",
    "news_line": "card",
    "escalation": "escalation",
    "review_card": "review",
    "home": "home",
}


#: What an offer of a list may still want of its rep: an answer, or a first call.
_ON_LIST = frozenset({Status.OFFERED, Status.ACCEPTED})
#: Ends of an offer that are no answer of its rep.
_LOST = frozenset({"lapsed", "withdrawn", "reassigned"})


def _named(row: OutboxRow, card: CardRow | None) -> Mapping[str, Any]:
    """What a list names: an edit carries nothing itself, its card does."""
    return {**row.data, **(card.data if card is not None else {})}


def offers_list(work: Work, row: OutboxRow, card: CardRow | None) -> Rendered | Drop:
    """More than five offers to one rep: those that wait for an answer, soonest due first, and those that were
    accepted, until somebody made contact."""
    return _offers(work, row, card, imported=False)


def released_list(work: Work, row: OutboxRow, card: CardRow | None) -> Rendered | Drop:
    """Imported leads that waited until this rep was free: the same list, which says what they are."""
    return _offers(work, row, card, imported=True)


def _offers(work: Work, row: OutboxRow, card: CardRow | None, *, imported: bool) -> Rendered | Drop:
    ids = [str(i) for i in _named(row, card).get("offer_ids", ())]
    made = offers.read_many(work.conn, ids)
    found = leads.list_by_ids(work.conn, [offer.lead_id for offer in made.values()])
    by_lead = {lead.id: lead for lead in found}
    named = [made[i] for i in ids if i in made]
    # An accepted one has no card of its own, and a call is owed: it stays until the first touch.
    held = {  # in the order in which they were offered: imported ones best first
        offer.lead_id: offer.id
        for offer in named
        if by_lead[offer.lead_id].state in _ON_LIST and is_held(by_lead[offer.lead_id], offer)
    }
    if card is None and not any(by_lead[i].state is Status.OFFERED for i in held):
        return Drop("offers_over")
    # On a phone the list is all they see before they choose: why each one is worth a call.
    why = {lead.id: str(lead.reasons[0]) for lead in found if lead.reasons}
    lines = [  # the reader knows who holds them
        replace(line, holder="")
        for line in lines_of(work, [by_lead[i] for i in held], ids=held, notes=why)
    ]
    lines.sort(key=lambda line: line.status is not Status.OFFERED)  # stable: by due time within
    reader = reader_of(work, work.roster.by_id.get(row.person_id or 0))
    gone = sum(1 for o in named if o.accepted_at is None and o.state in _LOST)
    view = OfferList(reader, tuple(lines), len(lines), imported, len(named) - gone, gone)
    body = render_offer_list(view)
    return Rendered(body, closed=not held)


def reminders_list(work: Work, row: OutboxRow, card: CardRow | None) -> Rendered | Drop:
    """More than five reminders for one rep: what still waits for them, soonest due first."""
    named = _named(row, card)
    found = [clocks.read_clock(work.conn, int(i)) for i in named.get("clock_ids", ())]
    running = {clock.lead_id for clock in found if clock is not None and clock.ended_at is None}
    theirs = [
        lead
        for lead in leads.list_by_ids(work.conn, [int(i) for i in named.get("lead_ids", ())])
        if lead.id in running and lead.owner_id == row.person_id and lead.state in HELD
    ]
    if card is None and not theirs:
        return Drop("clocks_over")
    lines = [replace(line, holder="") for line in lines_of(work, theirs)]
    reader = reader_of(work, work.roster.by_id.get(row.person_id or 0))
    body = render_reminder_list(OfferList(reader, tuple(lines), len(lines)))
    return Rendered(body, closed=not theirs)


def breach_list(work: Work, row: OutboxRow, card: CardRow | None) -> Rendered | Drop:
    """More than five breaches for one manager: those that are not settled yet, oldest first."""
    named = _named(row, card)
    missed = _missed(work, [int(i) for i in named.get("clock_ids", ())])
    found = leads.list_by_ids(work.conn, [int(i) for i in named.get("lead_ids", ())])
    still = [lead for lead in found if _is_unsettled(lead, missed.get(lead.id))]
    if card is None and not still:
        return Drop("settled")
    due = {lead.id: missed[lead.id].due_at for lead in still if lead.id in missed}
    lines = [line for lead in _oldest_first(still, due) for line in lines_of(work, [lead])]
    teams = {lead.team for lead in still}
    view = BreachList(
        reader=reader_of(work, work.roster.by_id.get(row.person_id or 0)),
        scope=teams.pop() if len(teams) == 1 else "",
        lines=tuple(lines),
        total=len(lines),
        hand_raisers=sum(1 for lead in still if lead.fast_lane),
        oldest=min(due.values(), default=None),
    )
    return Rendered(render_breach_list(view), closed=not still)


def _missed(work: Work, clock_ids: list[int]) -> dict[int, ClockRow]:
    """By lead: the clock that was missed, of several the one due first."""
    missed: dict[int, ClockRow] = {}
    for clock_id in clock_ids:
        clock = clocks.read_clock(work.conn, clock_id)
        if clock is None:
            continue
        known = missed.get(clock.lead_id)
        if known is None or clock.due_at < known.due_at:
            missed[clock.lead_id] = clock
    return missed


def _is_unsettled(lead: LeadRow, clock: ClockRow | None) -> bool:
    """Whether a manager is still needed; without a clock: nobody was left to take it."""
    if clock is None:
        return lead.state is Status.REVIEW
    kind = ClockKind(clock.kind)
    covered = lead.round == clock.round and lead.state in COVERS[kind]
    return covered and (kind is ClockKind.ACCEPT or clock.ended_at is None)


def _oldest_first(found: list[LeadRow], due: Mapping[int, datetime]) -> list[LeadRow]:
    return sorted(found, key=lambda lead: (lead.id not in due, due.get(lead.id, lead.status_at)))


def handover(work: Work, row: OutboxRow, card: CardRow | None) -> Rendered | Drop:
    """Leads of somebody who is away or left, to the manager: those that are still theirs."""
    named = _named(row, card)
    about = work.roster.by_id.get(int(named.get("about") or 0))
    found = leads.list_by_ids(work.conn, [int(i) for i in named.get("lead_ids", ())])
    theirs = [x for x in found if about and x.owner_id == about.id and x.state in HELD]
    left = named.get("why") == "left"
    ends = [e for s, e in about.absences if s <= work.now < e] if about is not None else []
    back = not left and not ends
    if about is None or (card is None and (back or not theirs)):
        return Drop("handed_over")
    view = HandoverList(
        reader=reader_of(work, work.roster.by_id.get(row.person_id or 0)),
        person=about.name,
        lines=tuple(lines_of(work, theirs)),
        total=len(theirs),
        until=max((e for e in ends if e.year < 2100), default=None) if not left else None,
        left=left,
        moved_on=int(named.get("moved_on") or 0),
        back=back,
    )
    return Rendered(render_handover_list(view), closed=back or not theirs)


def failure_notice(work: Work, row: OutboxRow, card: CardRow | None) -> Rendered | Drop:
    """A message could not be delivered: a manager is told what, to whom, why, and what was done."""
    about = row.data.get("about")
    template = str(row.data.get("template") or "")
    lead = leads.read_lead(work.conn, row.lead_id) if row.lead_id is not None else None
    view = DeliveryFailure(
        reader=reader_of(work, work.roster.by_id.get(row.person_id or 0)),
        what=_WHATS.get(template, ""),
        receiver=work.roster.name_of(about) if isinstance(about, int) else "a channel",
        cause=str(row.data.get("error") or ""),
        lead=face_of(lead) if lead is not None else None,
        done=_done_about(lead, row) if template == "lead_card" else "",
        offer_id=(lead.current_offer_id or "") if lead is not None else "",
    )
    return Rendered(render_delivery_failure(view), closed=True)


def _done_about(lead: LeadRow | None, row: OutboxRow) -> str:
    if lead is None or lead.current_offer_id == row.offer_id:
        return ""
    return {
        Status.OFFERED: "Offered to the next rep",
        Status.REVIEW: "Sent to marketing, since nobody else was free",
    }.get(lead.state, "")


def news_line(work: Work, row: OutboxRow, card: CardRow | None) -> Rendered | Drop:
    """The template `news_line`: a line in the thread of the holder's card."""
    view = news_view(work, row)
    if isinstance(view, Drop):
        return view
    return Rendered(render_news_line(view), closed=True, thread_of=f"card:{row.offer_id}")
