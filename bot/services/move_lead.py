"""One transition of one lead: the guarded UPDATE, the journal, the clocks that end, the cards to redraw.

Every use case that changes a status goes through `move`; a None means that somebody else was quicker.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bot.domain.funnel import Action, Actor, Status, sources_of
from bot.domain.open_windows import whole_seconds
from bot.services.run_clocks import end_left_clocks
from bot.services.tell_crm import Change, is_told, tell
from bot.services.work import Gathered, Member, Work
from storage import clocks, journal, leads, offers, outbox, redraws
from storage.journal import LeadEntry
from storage.leads import LeadRow
from storage.offers import OfferRow

#: How long an accept or a logged touch can be undone.
UNDO_FOR = timedelta(minutes=5)
#: The timer that only draws a lead's cards again.
REDRAW_STEP = "redraw"


@dataclass(frozen=True, slots=True)
class Acting:
    """Who acts: in which capacity, and which person (None for the system and the CRM)."""

    kind: Actor
    person_id: int | None = None


SYSTEM = Acting(Actor.SYSTEM)


@dataclass(frozen=True, slots=True)
class Ending:
    """The offer that a move ends, and how: rejected, passed, lapsed, recycled, reassigned, withdrawn, done."""

    offer: OfferRow
    state: str
    reason: str = ""


def move(
    work: Work,
    lead: LeadRow,
    action: Action,
    acting: Acting,
    to: Status,
    *,
    offer_id: str | None = None,
    held_by: int | None = None,
    review_id: str | None = None,
    answered: bool = False,
    ending: Ending | None = None,
    changes: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
    at: datetime | None = None,
) -> LeadRow | None:
    """Move a locked lead. None when the guard (status, offer id, holder, review id) does not hold any more.

    `ending` is ended after the guarded UPDATE (which looks at it) and before the next offer can open.

    `at`: when it truly happened, if we were told late; clocks are judged by it.
    The guard in the UPDATE names what the table of the funnel says, whatever was checked before.
    """
    moved = work.rows(lead.id).move_lead(
        lead,
        sources=sources_of(action, acting.kind),
        to=to,
        now=work.now,
        offer_id=offer_id,
        rep_id=held_by,
        review_id=review_id,
        changes=dict(changes or {}),
    )
    if moved is None:
        return None
    _count_on(work, lead, moved)
    write(
        work,
        lead.id,
        "moved",
        acting,
        {
            "action": action.value,
            "from": lead.status,
            "to": moved.status,
            "round": moved.round,
            "offer": moved.current_offer_id,
            "rep": moved.owner_id,
            **_took(work, lead, moved),
            **(data or {}),
        },
        change=Change(lead, ending.reason if ending is not None else ""),
    )
    if ending is not None:
        end_offer(work, ending.offer, ending.state, reason=ending.reason)
    end_left_clocks(work, moved, answered=answered, at=at)
    redraw(work, moved, lead.owner_id)
    return moved


def _took(work: Work, before: LeadRow, after: LeadRow) -> dict[str, int]:
    """Seconds from the stage before, for reports: qualified since the round's first accept, won since qualified."""
    since = None
    if after.state is Status.QUALIFIED:
        offers = work.rows(after.id).list_offers(after.id)
        known = [o.accepted_at for o in offers if o.accepted_at and o.round == after.round]
        since = min(known, default=None)
    elif after.state is Status.WON and before.state is Status.QUALIFIED:
        since = before.status_at
    return {"took": whole_seconds(since, work.now)} if since is not None else {}


def _count_on(work: Work, before: LeadRow, after: LeadRow) -> None:
    """Who holds how many, once it was counted in this batch."""
    counts = work.gathered.open_counts if work.gathered is not None else None
    if counts is None:
        return
    for lead, more in ((before, -1), (after, 1)):
        if leads.counts_as_open(lead) and lead.owner_id is not None:
            counts[lead.owner_id] = counts.get(lead.owner_id, 0) + more


def write(
    work: Work,
    lead_id: int,
    kind: str,
    acting: Acting = SYSTEM,
    data: Mapping[str, Any] | None = None,
    change: Change | None = None,
) -> None:
    """One journal entry about a lead; what it changed is told to the CRM. `change`: what a move knows of it."""
    if work.gathered is not None:
        entry = LeadEntry(lead_id, kind, data or {}, acting.kind.value, acting.person_id)
        work.gathered.entries.append(entry)
        if not is_told(work, kind, change):
            return
        # It is told under its number, which it has once it is written.
        entries, work.gathered.entries = work.gathered.entries, []
        seq = journal.insert_entries(work.conn, entries, at=work.now)[-1]
        tell(work, lead_id, seq, kind, (acting.kind, acting.person_id), data or {}, change)
        return
    seq = journal.insert_entry(
        work.conn,
        subject_kind="lead",
        subject_id=lead_id,
        at=work.now,
        kind=kind,
        actor_kind=acting.kind.value,
        actor_id=acting.person_id,
        data=data,
    )
    tell(work, lead_id, seq, kind, (acting.kind, acting.person_id), data or {}, change)


def redraw(work: Work, lead: LeadRow, *also: int | None) -> None:
    """Bring every open card of the lead, the lists that name it and the Home tabs concerned up to date."""
    work.wake = True
    concerned = {p for p in (lead.owner_id, *also) if p is not None}
    for team in (work.agreement.teams.get(lead.team),):
        if team is not None:
            concerned |= {
                m.id for e in (team.manager, team.above) if (m := work.roster.by_email.get(e))
            }
    if work.gathered is not None:
        work.gathered.redrawn.add(lead.id)
        work.gathered.concerned |= concerned
        return
    _redraw(work, [lead.id], concerned)


def redraw_gathered(work: Work, gathered: Gathered) -> None:
    """The same for all leads of a batch at once."""
    work.wake = True
    _redraw(work, gathered.redrawn, gathered.concerned)


def redraw_people(work: Work, concerned: Collection[int]) -> None:
    """Bring the lists and Home tabs of these people up to date: a lead that they may see there has changed."""
    _redraw(work, (), concerned)


def _redraw(work: Work, lead_ids: Collection[int], concerned: Collection[int]) -> None:
    homes = [
        _home_of(member)
        for person_id in sorted(concerned)
        if (member := work.roster.by_id.get(person_id)) is not None
        and member.row.home_seen_at is not None
    ]
    redraws.enqueue_redraw(
        work.conn, sorted(lead_ids), sorted(concerned), homes, now=work.now, real=work.real
    )
    if homes:
        work.wake = True


def redraw_later(work: Work, lead: LeadRow, after: timedelta) -> None:
    """What a card says runs out by itself (an undo): it is drawn again then."""
    rows = clocks.timer_rows(
        lead_id=lead.id,
        subject_kind="lead",
        subject_id=lead.id,
        generation=lead.version,
        steps=[(REDRAW_STEP, work.now + after + timedelta(seconds=1))],
    )
    if work.gathered is not None:
        work.gathered.armed += rows
    else:
        clocks.arm_timers(work.conn, rows)


def refresh_home(work: Work, member: Member) -> None:
    """The person's Home tab is drawn again soon; several refreshes join into one."""
    work.wake = True
    outbox.enqueue_edits(work.conn, [_home_of(member)], now=work.now, real=work.real)


def _home_of(member: Member) -> outbox.Edit:
    key = f"home:{member.id}"
    return outbox.Edit("home", key, lane=key, person_id=member.id, priority=outbox.PRIORITY_REST)


def end_offer(work: Work, offer: OfferRow, state: str, *, reason: str = "") -> OfferRow:
    """An offer is over. A card that was not posted yet is held back: nobody needs to see it any more."""
    rows = work.rows(offer.lead_id)
    ended = rows.save_offer(offer.id, state=state, ended_at=work.now, reason=reason)
    if work.gathered is not None:
        work.gathered.held_back.setdefault(f"offer {state}", []).append(f"card:{offer.id}")
    else:
        outbox.hold_back(work.conn, [f"card:{offer.id}"], f"offer {state}")
    write(work, offer.lead_id, "offer_ended", data={"offer": offer.id, "state": state})
    return ended


def lock_of_offer(work: Work, offer_id: str) -> tuple[LeadRow, OfferRow] | None:
    """The lead of an offer, locked first (kernel rule 3), and the offer as it is then."""
    lead = leads.lock_lead_of_offer(work.conn, offer_id)
    offer = offers.read_offer(work.conn, offer_id) if lead is not None else None
    return (lead, offer) if lead is not None and offer is not None else None


def cancel_wake(work: Work, lead_id: int) -> None:
    """A sleeping lead does not wake by itself any more."""
    clocks.cancel_timers(work.conn, "lead", lead_id)
