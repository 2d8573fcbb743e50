"""What the rep of an offer sees: the lead card in all its states, its reminders, nudges and news.

Everything is read from the current state, at the moment of sending. What is not here: wording
(`bot.rendering`), the manager's message (`present_escalation`).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from bot.domain.agreement import ClockKind
from bot.domain.funnel import Action, Status
from bot.rendering import terms
from bot.rendering.lead_card import render_lead_card
from bot.rendering.reminder import render_reminder
from bot.rendering.views import (
    LIVE_STATES,
    CardState,
    Ending,
    LastTouch,
    LeadCard,
    NextStop,
    Reminder,
    ReminderOutcome,
    Woken,
)
from bot.rendering.views_pages import NewsLine
from bot.services.deliver_types import Drop, Rendered
from bot.services.move_lead import UNDO_FOR
from bot.services.present_parts import (
    Story,
    contact_of,
    day_of,
    doer,
    face_of,
    is_crm,
    label_of,
    local_day,
    profile_of,
    reader_of,
    running,
    shown_clock,
    story_of,
)
from bot.services.work import Member, Work
from storage import clocks, leads, offers, reading, touches
from storage.cards import CardRow
from storage.clocks import ClockRow
from storage.deliveries import OutboxRow
from storage.journal import JournalRow
from storage.leads import LeadRow
from storage.offers import OfferRow

_HELD_STATES = ("open", "accepted")
_LIVE = {
    Status.OFFERED: CardState.OFFERED,
    Status.ACCEPTED: CardState.ACCEPTED,
    Status.WORKING: CardState.WORKING,
    Status.QUALIFIED: CardState.QUALIFIED,
}
_ENDS = {
    "rejected": CardState.REJECTED,
    "passed": CardState.PASSED_ON,
    "lapsed": CardState.LAPSED,
    "recycled": CardState.RECYCLED,
    "reassigned": CardState.REASSIGNED,
}
_CLOSED_AS = {
    Status.WON.value: CardState.WON,
    Status.LOST.value: CardState.LOST,
    Status.DISQUALIFIED.value: CardState.DISQUALIFIED,
}


def is_held(lead: LeadRow, offer: OfferRow) -> bool:
    """Whether the offer is still the one that counts: open, or accepted by the lead's owner."""
    return offer.state in _HELD_STATES and lead.current_offer_id == offer.id


def lead_card(work: Work, row: OutboxRow, card: CardRow | None) -> Rendered | Drop:
    """The template `lead_card`."""
    offer = offers.read_offer(work.conn, row.offer_id or "")
    lead = leads.read_lead(work.conn, offer.lead_id) if offer is not None else None
    if offer is None or lead is None:
        return Drop("offer_gone")
    if card is None and offer.state not in _HELD_STATES:
        return Drop(f"offer_{offer.state}")
    view = offer_view(work, lead, offer, work.roster.by_id.get(offer.rep_id))
    return Rendered(render_lead_card(view), closed=view.state not in LIVE_STATES)


def offer_view(
    work: Work, lead: LeadRow, offer: OfferRow, reader: Member | None, *, read_only: bool = False
) -> LeadCard:
    """One offer as `reader` sees it. The caller has made sure that they may see the contact."""
    story = story_of(work, lead.id)
    by_kind = running(work, lead.id)
    given_by = _assigned_by(work, story, offer)
    state = _LIVE.get(lead.state) if is_held(lead, offer) else None
    view = LeadCard(
        offer_id=offer.id,
        state=state or CardState.MOVED_ON,
        reader=reader_of(work, reader),
        lead=face_of(lead),
        profile=profile_of(lead),
        why_you=offer.why if not given_by else "",
        assigned_by=given_by,
        read_only=read_only,
    )
    if state is None:
        return _with_ending(work, view, lead, offer, story, reader)
    clock = shown_clock(lead, by_kind)
    soon = reading.remind_times(work.conn, [lead.id])
    view = replace(
        view,
        accept_by=_due(by_kind, ClockKind.ACCEPT),
        contact_by=_due(by_kind, ClockKind.FIRST_TOUCH) or _due(by_kind, ClockKind.SHELF_LIFE),
        follow_up_by=_due(by_kind, ClockKind.FOLLOW_UP),
        decide_by=_due(by_kind, ClockKind.DECIDE),
        due_soon_from=soon.get(clock.id) if clock else None,
        news=_news(story, offer),
    )
    if state is CardState.OFFERED:
        return replace(view, woken=_woken(work, story, lead, offer, view.reader.zone))
    return _with_work(work, view, lead, offer, by_kind)


def _due(by_kind: dict[ClockKind, ClockRow], kind: ClockKind) -> datetime | None:
    clock = by_kind.get(kind)
    return clock.due_at if clock else None


def _with_work(
    work: Work,
    view: LeadCard,
    lead: LeadRow,
    offer: OfferRow,
    by_kind: dict[ClockKind, ClockRow],
) -> LeadCard:
    """What an owner sees beyond an offer: contact, touches, what can be undone."""
    touch = touches.last_touch(work.conn, lead.id, lead.round)
    follow_up = by_kind.get(ClockKind.FOLLOW_UP)
    undo_until = offer.accepted_at + UNDO_FOR if offer.accepted_at else None
    return replace(
        view,
        contact=contact_of(lead),
        accepted_at=offer.accepted_at,
        undo_until=undo_until if lead.state is Status.ACCEPTED else None,
        undo_log_until=touch.at + UNDO_FOR if touch and touch.state == "self_reported" else None,
        last_touch=LastTouch(touch.at, touch.kind, touch.outcome, touch.state == "verified")
        if touch
        else None,
        touches_done=lead.touches,
        touches_wanted=follow_up.goal if follow_up else 0,
        qualified_at=lead.status_at if lead.state is Status.QUALIFIED else None,
    )


def _assigned_by(work: Work, story: Story, offer: OfferRow) -> str:
    """The manager who put the lead before this rep; "" when the rules did, or the rep took it."""
    made = story.move_that_opened(offer.id)
    if made is None or made.data.get("action") != Action.REASSIGN or made.actor_id == offer.rep_id:
        return ""
    return doer(work, made)


def _woken(work: Work, story: Story, lead: LeadRow, offer: OfferRow, zone: str) -> Woken | None:
    """The lead slept in the round before, because somebody recycled it."""
    before = list(story.moves(lead.round - 1)) if lead.round > 1 else []
    slept = next((m for m in reversed(before) if m.data.get("to") == Status.NURTURING), None)
    if slept is None or slept.data.get("action") != Action.RECYCLE:
        return None
    return Woken(
        asked_on=local_day(slept.at, zone),
        reason=label_of(work, str(slept.data.get("reason") or "")),
        by_reader=slept.actor_id == offer.rep_id,
    )


def _news(story: Story, offer: OfferRow) -> str:
    """A hand raise since the offer was made."""
    news = story.last("news", applied=True)
    if news is None or news.at <= offer.offered_at or not news.data.get("hand_raise"):
        return ""
    return f"{terms.source_phrase(str(news.data.get('source') or ''))} again"


# ------------------------------------------------------------------ how it ended


def _with_ending(
    work: Work, view: LeadCard, lead: LeadRow, offer: OfferRow, story: Story, reader: Member | None
) -> LeadCard:
    move = story.move_that_ended(offer.id)
    if move is None:
        # Closed while accepted, or a history older than the journal: the lead itself says it.
        state = _CLOSED_AS.get(lead.status, CardState.MOVED_ON)
        return replace(view, state=state, ending=Ending(offer.ended_at or lead.status_at))
    state = _end_state(offer, move)
    mine = move.actor_id is not None and reader is not None and move.actor_id == reader.id
    code = offer.reason or (
        str(move.data.get("reason") or "") if state not in _WITHOUT_REASON else ""
    )
    stop, to_name = _next_stop(work, story, offer, move, reader)
    ending = Ending(
        at=move.at,
        by_name=doer(work, move),
        by_reader=mine,
        by_crm=is_crm(move),
        reason=label_of(work, code) if code and state not in _WITHOUT_REASON else "",
        note=reading.note_at(work.conn, lead.id, move.actor_id, move.at) if mine else "",
        next=stop,
        to_name=to_name,
        wake_on=day_of(move.data.get("wake_at"), view.reader.zone),
    )
    return replace(view, state=state, ending=ending)


#: Here the verb says it all, or the reason of the move tells why nobody else has the lead.
_WITHOUT_REASON = frozenset(
    {CardState.LAPSED, CardState.PASSED_ON, CardState.REASSIGNED, CardState.MOVED_ON}
)


def _end_state(offer: OfferRow, move: JournalRow) -> CardState:
    action, to = move.data.get("action"), str(move.data.get("to"))
    if offer.state == "rejected" and move.data.get("from") != Status.OFFERED:
        return CardState.GIVEN_BACK
    if offer.state in _ENDS:  # first: a rejected test is closed, and its card says "rejected"
        return _ENDS[offer.state]
    if to in _CLOSED_AS:
        return _CLOSED_AS[to]
    if is_crm(move) or (action == Action.REOFFER and move.actor_kind == "marketing"):
        return CardState.TAKEN_BACK
    return CardState.MOVED_ON


def _next_stop(
    work: Work, story: Story, offer: OfferRow, move: JournalRow, reader: Member | None
) -> tuple[NextStop, str]:
    """Where the lead went with this move, and to whom. Who owns a lead is known to everybody."""
    to = Status(str(move.data.get("to")))
    if to is Status.REVIEW:
        return NextStop.MARKETING, ""
    if to is Status.NURTURING:
        return NextStop.NURTURE, ""
    if to in (Status.LOST, Status.DISQUALIFIED):
        return NextStop.CLOSED, ""
    made = story.offered_after(move.seq)
    if made is None or (reader is not None and made.data.get("rep") == reader.id):
        return NextStop.NONE, ""
    name = work.roster.name_of(made.data.get("rep"))
    other = bool(offer.team and made.data.get("team")) and made.data.get("team") != offer.team
    return (NextStop.OTHER_TEAM if other else NextStop.COLLEAGUE), name


# ------------------------------------------------------------------ reminder, nudge, news


def reminder(work: Work, row: OutboxRow, card: CardRow | None) -> Rendered | Drop:
    """The template `reminder` of a rep's clock."""
    clock = clocks.read_clock(work.conn, row.clock_id) if row.clock_id is not None else None
    if clock is None:
        return Drop("clock_gone")
    return _remind(work, row, card, clock, nudged_by="")


def nudge(work: Work, row: OutboxRow, card: CardRow | None) -> Rendered | Drop:
    """The template `nudge`: a manager asks the holder, about the clock that runs now."""
    clock = clocks.read_clock(work.conn, row.clock_id) if row.clock_id is not None else None
    if clock is None or clock.ended_at is not None:
        lead = leads.read_lead(work.conn, row.lead_id) if row.lead_id is not None else None
        now = shown_clock(lead, running(work, lead.id)) if lead is not None else None
        # What was asked about stays: a later clock of the lead is another matter.
        clock = now if clock is None else clock
    if clock is None:
        return Drop("no_clock")
    by = row.data.get("by")
    return _remind(
        work, row, card, clock, nudged_by=work.roster.name_of(by) if isinstance(by, int) else ""
    )


def _remind(
    work: Work, row: OutboxRow, card: CardRow | None, clock: ClockRow, *, nudged_by: str
) -> Rendered | Drop:
    lead = leads.read_lead(work.conn, clock.lead_id)
    offer_id = row.offer_id or clock.offer_id or (lead.current_offer_id if lead else None) or ""
    offer = offers.read_offer(work.conn, offer_id)
    if lead is None or offer is None:
        return Drop("offer_gone")
    if card is None and clock.ended_at is not None:
        return Drop("clock_over")
    if card is None and not is_held(lead, offer):
        return Drop(f"offer_{offer.state}")
    outcome = _outcome(work, lead, offer, clock)
    view = Reminder(
        offer_id=offer.id,
        reader=reader_of(work, work.roster.by_id.get(offer.rep_id)),
        lead=face_of(lead),
        clock=ClockKind(clock.kind),
        due=clock.due_at,
        outcome=outcome,
        done_at=clock.ended_at or offer.ended_at,
        touches_done=lead.touches,
        touches_wanted=clock.goal,
        nudged_by=nudged_by,
    )
    closed = outcome not in (ReminderOutcome.OPEN, ReminderOutcome.OVERDUE)
    return Rendered(
        render_reminder(view), closed=closed, thread_of=f"card:{offer.id}", broadcast=True
    )


def _outcome(work: Work, lead: LeadRow, offer: OfferRow, clock: ClockRow) -> ReminderOutcome:
    if offer.state == "passed":
        return ReminderOutcome.PASSED_ON
    if clock.ended_at is None and is_held(lead, offer):
        return ReminderOutcome.OPEN if work.now < clock.due_at else ReminderOutcome.OVERDUE
    in_time_or_late = clock.outcome in ("met", "late")
    answered_no = clock.kind == ClockKind.ACCEPT.value and offer.accepted_at is None
    # A "no" ends the accept clock well too, but "Accepted" would be a lie.
    if in_time_or_late and not answered_no:
        return ReminderOutcome.DONE
    return ReminderOutcome.MOVED_ON


def news_view(work: Work, row: OutboxRow) -> NewsLine | Drop:
    """New behaviour of a lead, for the thread of its holder's card."""
    offer = offers.read_offer(work.conn, row.offer_id or "")
    lead = leads.read_lead(work.conn, offer.lead_id) if offer is not None else None
    if offer is None or lead is None:
        return Drop("offer_gone")
    if not is_held(lead, offer):
        return Drop(f"offer_{offer.state}")
    news = story_of(work, lead.id).last("news", applied=True)
    source = str(news.data.get("source") or "") if news is not None else lead.source
    clock = clocks.read_clock(work.conn, row.clock_id) if row.clock_id is not None else None
    hand_raise = row.data.get("kind") == "hand_raise"
    tightened = clock if clock is not None and clock.ended_at is None and hand_raise else None
    return NewsLine(
        reader=reader_of(work, work.roster.by_id.get(offer.rep_id)),
        lead=face_of(lead),
        what=f"{terms.source_phrase(source)}{' again' if hand_raise else ''}",
        hand_raise=hand_raise,
        clock=ClockKind(tightened.kind) if tightened else None,
        due=tightened.due_at if tightened else None,
    )
