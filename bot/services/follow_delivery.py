"""What delivery means for a lead: a card that came late moves the clocks, one that cannot come moves the lead.

Called by `deliver` in the transaction that settles the row. What is not here: sending.
"""

from __future__ import annotations

from datetime import datetime

from bot.domain.agreement import ClockKind
from bot.domain.business_time import due_at, parse_duration
from bot.domain.funnel import Action, Status
from bot.domain.open_windows import whole_seconds
from bot.services.escalate import receiver_of
from bot.services.move_lead import SYSTEM, Ending, redraw, write
from bot.services.offer_lead import LATE, Guard, offer_next
from bot.services.run_clocks import calendar_for, move_due
from bot.services.tell_report import WEEKLY_REPORT, tell_rest
from bot.services.work import Member, Work
from storage import clocks, leads, offers, outbox, people
from storage.deliveries import OutboxRow

#: Slack's answers that say something about the person and not about the message.
_PERSON_GONE = frozenset(
    {"channel_not_found", "user_not_found", "account_inactive", "user_disabled", "users_not_found"}
)


def after_sent(work: Work, row: OutboxRow, offer_ids: tuple[str, ...] = ()) -> None:
    """A message was delivered. For offers: note when, and give a late card's clocks their time back. The week's report
    gets its thread."""
    if row.template == WEEKLY_REPORT and not row.edits:
        tell_rest(work, row)
        return
    if row.template not in ("lead_card", "offers_list"):
        return
    for offer_id in offer_ids or ((row.offer_id,) if row.offer_id else ()):
        _offer_delivered(work, offer_id)


def _offer_delivered(work: Work, offer_id: str) -> None:
    lead_id = leads.lead_id_of_offer(work.conn, offer_id)
    lead = leads.lock_lead(work.conn, lead_id) if lead_id is not None else None
    offer = offers.read_offer(work.conn, offer_id)
    if lead is None or offer is None or offer.delivered_at is not None:
        return
    offers.save_offer(
        work.conn,
        offer.id,
        delivered_at=work.now,
        systems_seconds=offer.systems_seconds + whole_seconds(offer.show_at, work.now),
    )
    late = work.now - offer.show_at
    write(
        work,
        lead.id,
        "delivered",
        data={"offer": offer.id, "late_seconds": max(0, int(late.total_seconds()))},
    )
    if late <= LATE or lead.current_offer_id != offer.id:
        return  # a card of a former offer moves nobody's clock
    for clock in clocks.list_clocks(work.conn, lead.id, running=True):
        if clock.kind in (ClockKind.ACCEPT.value, ClockKind.FIRST_TOUCH.value):
            move_due(
                work,
                clock,
                max(clock.due_at, _given_back(work, clock, work.now)),
                "delivered_late",
                started_at=work.now,
            )
        elif clock.kind == ClockKind.SHELF_LIFE.value:
            move_due(work, clock, clock.due_at + late, "delivered_late")
    # The card that has just come still says the old time.
    redraw(work, leads.read_lead(work.conn, lead.id) or lead)


def _given_back(work: Work, clock: clocks.ClockRow, delivered_at: datetime) -> datetime:
    calendar = calendar_for(work, ClockKind(clock.kind), clock.person_id, clock.team)
    return due_at(calendar, delivered_at, parse_duration(clock.within))


def after_failure(work: Work, row: OutboxRow, error: str) -> None:
    """Slack will never take this message. The lead goes on to somebody else, and a manager is told; nothing is lost."""
    about = work.roster.by_id.get(row.person_id) if row.person_id is not None else None
    if about is not None and error in _PERSON_GONE and row.template != "home":
        people.save_person(work.conn, about.id, resolve_error=error, slack_channel_id=None)
        work.forget_roster()
    if row.template == "lead_card" and row.offer_id is not None:
        _offer_on(work, row.offer_id, error)
    if row.template in ("home", "failure_notice") or row.edits or _is_test(work, row):
        return
    _tell_manager(work, row, about, error)


def _is_test(work: Work, row: OutboxRow) -> bool:
    """A test that does not arrive is told to whoever asked for it, not to a manager."""
    lead = leads.read_lead(work.conn, row.lead_id) if row.lead_id is not None else None
    return lead is not None and lead.kind == "test"


def _offer_on(work: Work, offer_id: str, error: str) -> None:
    lead_id = leads.lead_id_of_offer(work.conn, offer_id)
    lead = leads.lock_lead(work.conn, lead_id) if lead_id is not None else None
    offer = offers.read_offer(work.conn, offer_id)
    if lead is None or offer is None or offer.state != "open":
        return
    if lead.status != Status.OFFERED.value or lead.current_offer_id != offer.id:
        return
    write(work, lead.id, "undeliverable", data={"offer": offer.id, "error": error})
    offer_next(
        work,
        lead,
        Action.REOFFER,
        SYSTEM,
        guard=Guard(offer_id=offer.id),
        ending=Ending(offer, "undeliverable", error[:80]),
    )


def _tell_manager(work: Work, row: OutboxRow, about: Member | None, error: str) -> None:
    """Somebody who can mend it hears of it: the team's manager, for channels and escalations the next above."""
    team = about.person.team if about and about.person else ""
    lead = leads.read_lead(work.conn, row.lead_id) if row.lead_id is not None else None
    team = team or (lead.team if lead else "")
    receiver = receiver_of(
        work, "manager", team=team, about=about.id if about else None, marketing=False
    )
    if receiver.member is not None:
        _notify(work, row, about, error, receiver.member)
    # An escalation that its receiver cannot get must still reach a person: it goes to the next on the ladder,
    # in the end to marketing's channel.
    lane = outbox.lane_of(receiver.member.id if receiver.member else None, receiver.channel)
    if row.template == "escalation" and lead is not None and lane != row.lane:
        outbox.enqueue_post(
            work.conn,
            template="escalation",
            card_key=f"{row.card_key}>{receiver.key}"[:160],
            lane=lane,
            priority=outbox.PRIORITY_ESCALATION,
            now=work.now,
            real=work.real,
            lead_id=row.lead_id,
            offer_id=row.offer_id,
            person_id=receiver.member.id if receiver.member else None,
            clock_id=row.clock_id,
            data=row.data,
        )
    work.wake = True


def _notify(work: Work, row: OutboxRow, about: Member | None, error: str, to: Member) -> None:
    """One notice a day about somebody who cannot be reached, however many cards could not be delivered."""
    day = f"{work.now:%Y-%m-%d}"
    key = f"failure:{about.id}:{error}:{day}" if about else f"failure:{row.card_key}"
    outbox.enqueue_post(
        work.conn,
        template="failure_notice",
        card_key=key[:160],
        lane=outbox.lane_of(to.id),
        priority=outbox.PRIORITY_ESCALATION,
        now=work.now,
        real=work.real,
        show_at=to.calendar.next_open(work.now),
        lead_id=row.lead_id,
        offer_id=row.offer_id,
        person_id=to.id,
        data={"error": error[:80], "about": about.id if about else None, "template": row.template},
    )
