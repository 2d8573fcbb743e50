"""What marketing sees: the review message of their channel, its reminder, their own overdue clocks.

A channel shows initials and company only. What is not here: the forms (`present_forms`), the
manager's message (`present_escalation`).
"""

from __future__ import annotations

from datetime import datetime

from bot.domain.access import Deed, may
from bot.domain.agreement import ClockKind
from bot.domain.business_time import DurationKind, parse_duration
from bot.domain.funnel import Action, Status
from bot.domain.sla import COVERS
from bot.rendering import wording
from bot.rendering.escalation_card import render_escalation_card
from bot.rendering.lists import render_marketing_overdue
from bot.rendering.reminder import render_reminder
from bot.rendering.review_card import render_review_card
from bot.rendering.views import (
    EscalationCard,
    EscalationEnd,
    EscalationOutcome,
    LeadFace,
    Reminder,
    ReminderOutcome,
    ReviewCard,
    ReviewDetails,
    ReviewState,
)
from bot.rendering.views_pages import LeadLine, MarketingOverdue
from bot.services.deliver_types import Drop, Rendered
from bot.services.present_parts import (
    Story,
    contact_of,
    day_of,
    doer,
    face_of,
    label_of,
    profile_of,
    reader_of,
    running,
    story_of,
)
from bot.services.refuse import bonds_of
from bot.services.work import Member, Work
from storage import clocks, leads, reading
from storage.cards import CardRow
from storage.clocks import ClockRow
from storage.deliveries import OutboxRow
from storage.journal import JournalRow
from storage.leads import LeadRow

_REVIEW = Status.REVIEW.value
_RESOLVED = {
    Status.OFFERED.value: ReviewState.OFFERED,
    Status.NURTURING.value: ReviewState.NURTURING,
    Status.DISQUALIFIED.value: ReviewState.DISQUALIFIED,
}


def review_card(work: Work, row: OutboxRow, card: CardRow | None) -> Rendered | Drop:
    """The template `review_card`."""
    review_id = row.data.get("review")
    lead = leads.read_lead(work.conn, row.lead_id) if row.lead_id is not None else None
    if lead is None or not isinstance(review_id, str):
        return Drop("lead_gone")
    view = review_view(work, lead, review_id)
    over = view.state not in (ReviewState.OPEN, ReviewState.TAKEN)
    if card is None and over:
        return Drop("review_over")
    return Rendered(render_review_card(view), closed=over)


def review_view(work: Work, lead: LeadRow, review_id: str) -> ReviewCard:
    """One stay of a lead in review, as the channel sees it."""
    story = story_of(work, lead.id)
    entered = story.last("moved", review=review_id, to=_REVIEW)
    left = _left(story, entered)
    reader = reader_of(work, None)
    code = str(entered.data.get("reason") or "") if entered is not None else lead.reason
    waits = lead.state is Status.REVIEW and lead.review_id == review_id
    rejected, seen = (0, 0)
    if lead.campaign and code and waits:
        rejected, seen = reading.came_back_for(work.conn, lead.campaign, code)
    face = face_of(lead)
    base = ReviewCard(
        review_id=review_id,
        state=ReviewState.OPEN,
        reader=reader,
        lead=face,
        reason=label_of(work, code) if code else "",
        due=_due(work, lead, entered),
        note=_note(work, lead, entered),
        mask=(lead.first_name, lead.last_name, lead.email, lead.phone),
        campaign=lead.campaign,
        rejected_here=rejected,
        seen_here=seen,
    )
    if waits:
        return _taken(work, base, lead, story)
    return _resolved(work, base, story, left)


def _taken(work: Work, base: ReviewCard, lead: LeadRow, story: Story) -> ReviewCard:
    if lead.reviewer_id is None:
        return base
    taken = story.last("review_taken")
    return _changed(
        base,
        state=ReviewState.TAKEN,
        by_name=work.roster.name_of(lead.reviewer_id),
        at=taken.at if taken is not None else None,
    )


def _resolved(work: Work, base: ReviewCard, story: Story, left: JournalRow | None) -> ReviewCard:
    if left is None:
        return _changed(base, state=ReviewState.CLOSED)
    by_marketing = left.data.get("action") == Action.RESOLVE
    state = _RESOLVED.get(str(left.data.get("to")), ReviewState.CLOSED)
    made = story.offered_after(left.seq)
    code = str(left.data.get("reason") or "")
    return _changed(
        base,
        state=state if by_marketing else ReviewState.CLOSED,
        by_name=doer(work, left),
        at=left.at,
        to_name=str(made.data.get("team") or "") if made is not None else "",
        wake_on=day_of(left.data.get("wake_at"), base.reader.zone),
        resolution=label_of(work, code) if code else "",
    )


def _changed(view: ReviewCard, **changes: object) -> ReviewCard:
    values = {name: getattr(view, name) for name in view.__slots__}
    return ReviewCard(**{**values, **changes})


def _left(story: Story, entered: JournalRow | None) -> JournalRow | None:
    """The move that ended this stay."""
    if entered is None:
        return None
    after = (e for e in story.moves() if e.seq > entered.seq and e.data.get("from") == _REVIEW)
    return next((e for e in after if e.data.get("to") != _REVIEW), None)


def _due(work: Work, lead: LeadRow, entered: JournalRow | None) -> datetime:
    stays = [
        clock
        for clock in clocks.list_clocks(work.conn, lead.id)
        if clock.kind == ClockKind.REVIEW.value
        and (entered is None or clock.started_at >= entered.at)
    ]
    if stays:
        return stays[0].due_at if entered is not None else stays[-1].due_at
    return entered.at if entered is not None else lead.status_at


def _note(work: Work, lead: LeadRow, entered: JournalRow | None) -> str:
    if entered is None:
        return ""
    return reading.note_at(work.conn, lead.id, entered.actor_id, entered.at)


def review_details(work: Work, lead: LeadRow, review_id: str, reader: Member) -> ReviewDetails:
    """Everything about a lead in review. The caller has made sure that `reader` may see it."""
    story = story_of(work, lead.id)
    entered = story.last("moved", review=review_id, to=_REVIEW)
    card = review_view(work, lead, review_id)
    return ReviewDetails(
        review_id=review_id,
        reader=reader_of(work, reader),
        lead=card.lead,
        profile=profile_of(lead),
        contact=contact_of(lead),
        reason=card.reason,
        due=card.due if ClockKind.REVIEW in running(work, lead.id) else None,
        note=card.note,
        can_decide=may(reader.roles, bonds_of(work, reader, lead), Deed.REVIEW_OFFER),
        rejected_by=doer(work, entered) if entered is not None else "",
        history=_history(work, story, reader),
    )


def _history(work: Work, story: Story, reader: Member) -> tuple[str, ...]:
    """One line a move: when, what, who."""
    made: list[str] = []
    zone = reader_of(work, reader)
    for entry in story.moves():
        action = str(entry.data.get("action")).replace("_", " ")
        by = doer(work, entry)
        code = str(entry.data.get("reason") or "")
        said = wording.by(action, entry.at, zone).replace(" by ", " ", 1)
        parts = (said, f"by {by}" if by else "", label_of(work, code) if code else "")
        made.append(wording.dotted(parts))
    return tuple(made)


# ------------------------------------------------------------------ marketing's own clocks


def review_reminder(
    work: Work, row: OutboxRow, card: CardRow | None, clock: ClockRow
) -> Rendered | Drop:
    """A short line under the review message: the review is due soon."""
    lead = leads.read_lead(work.conn, clock.lead_id)
    if lead is None:
        return Drop("lead_gone")
    if card is None and clock.ended_at is not None:
        return Drop("clock_over")
    entered = [e for e in story_of(work, lead.id).moves() if e.data.get("to") == _REVIEW]
    started = [e for e in entered if e.at <= clock.started_at]
    review_id = started[-1].data["review"] if started else lead.review_id
    outcome = ReminderOutcome.OPEN if work.now < clock.due_at else ReminderOutcome.OVERDUE
    if clock.ended_at is not None:
        outcome = ReminderOutcome.DONE
    view = Reminder(
        offer_id="",
        reader=reader_of(work, None),
        lead=wording.anonymous(face_of(lead)),
        clock=ClockKind.REVIEW,
        due=clock.due_at,
        outcome=outcome,
        done_at=clock.ended_at,
    )
    closed = outcome is ReminderOutcome.DONE
    return Rendered(render_reminder(view), closed=closed, thread_of=f"review:{review_id}")


def marketing_escalation(
    work: Work,
    row: OutboxRow,
    card: CardRow | None,
    lead: LeadRow,
    kind: ClockKind,
    receiver: Member | None,
) -> Rendered | Drop:
    """A review or a route past its due time, to the signer or to the channel."""
    clock = clocks.read_clock(work.conn, row.clock_id) if row.clock_id is not None else None
    if clock is None:
        return Drop("clock_gone")
    over = clock.ended_at is not None
    if card is None and over:
        return Drop("settled")
    face = face_of(lead) if receiver is not None else wording.anonymous(face_of(lead))
    if kind is ClockKind.REVIEW and not over:
        return Rendered(render_marketing_overdue(_overdue(work, lead, face, clock, receiver)))
    view = EscalationCard(
        offer_id="",
        reader=reader_of(work, receiver),
        lead=face,
        clock=kind,
        since=lead.arrived_at if kind is ClockKind.ROUTE else clock.started_at,
        due=clock.due_at,
        can_take=False,
        can_nudge=False,
        can_extend=False,
        outcome=_marketing_outcome(work, lead, kind, clock, receiver) if over else None,
    )
    body = render_escalation_card(view)
    # There is no offer that a button could name.
    body["blocks"] = [block for block in body["blocks"] if block["type"] != "actions"]
    return Rendered(body, closed=over)


def _overdue(
    work: Work, lead: LeadRow, face: LeadFace, clock: ClockRow, receiver: Member | None
) -> MarketingOverdue:
    line = LeadLine(
        id=lead.review_id or "",
        lead=face,
        status=lead.state,
        due=clock.due_at,
        clock=ClockKind.REVIEW,
        holder=work.roster.name_of(lead.reviewer_id) if lead.reviewer_id else "",
        note=label_of(work, lead.reason) if lead.reason else "",
    )
    return MarketingOverdue(
        reader=reader_of(work, receiver),
        count=1,
        since=clock.started_at,
        promise=promise_of(clock.within),
        lines=(line,),
    )


def _marketing_outcome(
    work: Work, lead: LeadRow, kind: ClockKind, clock: ClockRow, receiver: Member | None
) -> EscalationOutcome:
    story = story_of(work, lead.id)
    ended_at = clock.ended_at or work.now
    inside = {status.value for status in COVERS[kind]}
    exits = [m for m in story.moves() if m.at == ended_at and m.data.get("from") in inside]
    move = exits[0] if exits else None
    ends = {
        Status.NURTURING.value: EscalationEnd.RECYCLED,
        Status.DISQUALIFIED.value: EscalationEnd.DISQUALIFIED,
        Status.REVIEW.value: EscalationEnd.REVIEW,
    }
    to = str(move.data.get("to")) if move is not None else ""
    return EscalationOutcome(
        kind=ends.get(to, EscalationEnd.MOVED_ON),
        at=ended_at,
        by_name=doer(work, move) if move is not None else "",
        by_reader=move is not None and receiver is not None and move.actor_id == receiver.id,
    )


def promise_of(within: str) -> str:
    """ "1d" -> "1 working day", "4h" -> "4h of working time"; as written when unreadable."""
    try:
        duration = parse_duration(within)
    except ValueError:
        return within
    if duration.kind is DurationKind.WORKING_DAYS:
        return wording.plural(duration.amount, "working day")
    return f"{within} of working time" if duration.kind is DurationKind.BUSINESS else within
