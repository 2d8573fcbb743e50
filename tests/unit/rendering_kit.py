"""Views of every renderer, for the tests of rendering.

`everything(text)` puts one text into each field that a lead, a sender or a colleague fills in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from bot.domain.agreement import ClockKind, Role
from bot.domain.funnel import Status
from bot.rendering import (
    escalation_card,
    home,
    lead_card,
    lists,
    modals,
    notices,
    reminder,
    replies,
    review_card,
)
from bot.rendering.views import (
    LIVE_STATES,
    CardState,
    Contact,
    Ending,
    EscalationCard,
    EscalationEnd,
    EscalationOutcome,
    Holder,
    LastTouch,
    LeadCard,
    LeadFace,
    LeadProfile,
    NextStop,
    Reader,
    Reminder,
    ReminderOutcome,
    ReviewCard,
    ReviewDetails,
    ReviewState,
    Woken,
)
from bot.rendering.views_forms import (
    ExcuseForm,
    ExtendForm,
    NurtureForm,
    OfferForm,
    ReasonChoice,
    ReasonForm,
    ReassignForm,
    RepChoice,
    ReviewOfferForm,
)
from bot.rendering.views_pages import (
    AbsenceNote,
    BreachList,
    DeliveryFailure,
    HandoverList,
    HomeView,
    ImportNotice,
    LeadLine,
    LeadMatches,
    LeadSummary,
    LeadTable,
    MarketingOverdue,
    NewsLine,
    OfferList,
    Why,
    WhyStep,
)
from tests.unit.rendering_challenges import challenges
from tests.unit.rendering_limits import Shown

#: A Wednesday in summer; 10:31 in Vienna.
NOW = datetime(2026, 6, 3, 8, 31, tzinfo=UTC)
VIENNA = Reader("Europe/Vienna", NOW)
JANA = LeadFace("Jana Novak", "Globex GmbH", "J. N.", "asked for a call")
PROFILE = LeadProfile(
    title="VP Operations",
    employees=540,
    city="Vienna",
    country="AT",
    language="de",
    message="We need to replace our dialler before March.",
    score=92,
    reasons=("asked for a call", "VP", "200+ people"),
)
CONTACT = Contact("+43 1 555 0100", "jana.novak@globex.example")
CRM = "https://crm.example/leads/17"


def minutes(count: int) -> datetime:
    """That many minutes after NOW."""
    return NOW + timedelta(minutes=count)


OFFERED = LeadCard(
    offer_id="of_7Hq2",
    state=CardState.OFFERED,
    reader=VIENNA,
    lead=JANA,
    profile=PROFILE,
    contact=CONTACT,
    why_you="DACH, longest waiting",
    accept_by=minutes(14),
    due_soon_from=minutes(10),
    crm_url=CRM,
)
ACCEPTED = replace(OFFERED, state=CardState.ACCEPTED, contact_by=minutes(63), undo_until=minutes(5))
WORKING = replace(
    OFFERED,
    state=CardState.WORKING,
    follow_up_by=minutes(60 * 24 * 2),
    decide_by=minutes(60 * 24 * 20),
    last_touch=LastTouch(minutes(-3), "call", "no_answer"),
    touches_done=2,
    touches_wanted=5,
)
QUALIFIED = replace(OFFERED, state=CardState.QUALIFIED, qualified_at=minutes(-30))

BREACH = EscalationCard(
    offer_id="of_7Hq2",
    reader=VIENNA,
    lead=JANA,
    clock=ClockKind.ACCEPT,
    since=minutes(-15),
    due=NOW,
    holders=(Holder("Ann Lee", NOW), Holder("Ben Ode", minutes(15), current=True)),
    reminded=1,
    excuse_name="Ann Lee",
)
REVIEW = ReviewCard(
    review_id="rv_9",
    state=ReviewState.OPEN,
    reader=VIENNA,
    lead=LeadFace("Pavel Duda", "Initech", "P. D."),
    reason="Not our kind",
    due=minutes(60 * 24),
    note="4 people, no sales team",
    mask=("Pavel", "Duda", "pavel.duda@initech.example"),
    campaign="Webinar March",
    rejected_here=5,
    seen_here=9,
)


def _ending(text: str, next_stop: NextStop, **more: Any) -> Ending:
    return Ending(NOW, by_name=text, reason=text, note=text, next=next_stop, to_name=text, **more)


def cards(text: str) -> Iterator[Shown]:
    """The lead card in every state."""
    lead = LeadFace(text, text, text[:6], text)
    profile = LeadProfile(text, 9, text, text, text, text, text, text, 7, (text, text))
    live = replace(
        OFFERED, lead=lead, profile=profile, why_you=text, contact=Contact(text, text, text),
        assigned_by=text, news=text, crm_url=text,
    )  # fmt: skip
    yield Shown("offered", "dm", lead_card.render_lead_card(live))
    woken = replace(live, woken=Woken(date(2026, 3, 1), text, True))
    yield Shown("woken", "dm", lead_card.render_lead_card(woken))
    late = replace(live, accept_by=minutes(-1), lead=replace(lead, test=True))
    yield Shown("overdue", "dm", lead_card.render_lead_card(late))
    for state, view in (("accepted", ACCEPTED), ("working", WORKING), ("qualified", QUALIFIED)):
        shown = replace(
            view, lead=lead, profile=profile, contact=live.contact, crm_url=text, news=text
        )
        yield Shown(state, "dm", lead_card.render_lead_card(shown))
        yield Shown(f"{state} modal", "modal", lead_card.render_lead_modal(shown))
    for state in CardState:
        if state in LIVE_STATES:
            continue
        for stop in NextStop if state is CardState.REJECTED else (NextStop.NURTURE,):
            ended = replace(live, state=state, ending=_ending(text, stop, wake_on=date(2026, 9, 1)))
            yield Shown(f"{state} {stop}", "dm", lead_card.render_lead_card(ended))


def breaches(text: str) -> Iterator[Shown]:
    """The manager's message for every clock and end; the reminder in every outcome."""
    lead = LeadFace(text, text, text[:6], text)
    holders = (Holder(text, NOW), Holder(text, minutes(9), current=True))
    card = replace(BREACH, lead=lead, holders=holders, excuse_name=text, nobody_left=True)
    for clock in ClockKind:
        view = replace(card, clock=clock, touches_done=1, touches_wanted=5)
        yield Shown(f"breach {clock}", "dm", escalation_card.render_escalation_card(view))
        yield Shown(f"breach modal {clock}", "modal", escalation_card.render_escalation_modal(view))
        ask = Reminder("of_1", VIENNA, lead, clock, minutes(4), nudged_by=text)
        for outcome in ReminderOutcome:
            shown = replace(ask, outcome=outcome, done_at=NOW)
            yield Shown(f"reminder {clock} {outcome}", "dm", reminder.render_reminder(shown))
    for end in EscalationEnd:
        out = EscalationOutcome(end, NOW, text, False, text, minutes(9), date(2026, 9, 1), 22, text)
        closed = replace(card, outcome=out)
        yield Shown(f"breach {end}", "dm", escalation_card.render_escalation_card(closed))


def reviews(text: str) -> Iterator[Shown]:
    """The channel message in every state, and the details."""
    lead = LeadFace(text, text, text[:6], text)
    for state in ReviewState:
        card = replace(
            REVIEW, state=state, lead=lead, reason=text, note=text, campaign=text, by_name=text,
            at=NOW, to_name=text, resolution=text, wake_on=date(2026, 9, 1),
        )  # fmt: skip
        yield Shown(f"review {state}", "channel", review_card.render_review_card(card))
    details = ReviewDetails(
        "rv_9", VIENNA, lead, LeadProfile(text, message=text), Contact(text, text), text,
        minutes(9), text, text, (text,) * 40, text, can_decide=True,
    )  # fmt: skip
    yield Shown("details", "modal", review_card.render_review_details(details))


def line_of(lead: LeadFace, number: int = 1, status: Status = Status.OFFERED) -> LeadLine:
    """One row of a list."""
    return LeadLine(f"of_{number}", lead, status, minutes(number), ClockKind.ACCEPT)


def pages(text: str) -> Iterator[Shown]:
    """Lists, Home, replies, notices."""
    lead = LeadFace(text, text, text[:6], text)
    statuses = list(Status)
    rows = tuple(
        replace(line_of(lead, n, statuses[n % len(statuses)]), holder=text, note=text)
        for n in range(30)
    )
    yield Shown("offers", "dm", lists.render_offer_list(OfferList(VIENNA, rows, 70)))
    yield Shown("released", "dm", lists.render_offer_list(OfferList(VIENNA, rows, 70, True)))
    yield Shown("answered", "dm", lists.render_offer_list(OfferList(VIENNA, (), 0, True)))
    yield Shown("reminders", "dm", lists.render_reminder_list(OfferList(VIENNA, rows, 70)))
    breach = BreachList(VIENNA, text, rows, 70, 2, minutes(-80))
    yield Shown("breaches", "dm", lists.render_breach_list(breach))
    for left in (True, False):
        gone = HandoverList(VIENNA, text, rows, 70, minutes(9999), left, 3)
        yield Shown(f"handover {left}", "dm", lists.render_handover_list(gone))
    overdue = MarketingOverdue(VIENNA, 3, minutes(-3000), text, rows)
    yield Shown("marketing overdue", "dm", lists.render_marketing_overdue(overdue))
    offered = tuple(replace(row, status=Status.OFFERED) for row in rows)
    full = HomeView(
        VIENNA, text, frozenset(Role), offered, 30, rows, 30, rows, 30, text, 4, minutes(99), True,
        True, True, 9000,
    )  # fmt: skip
    yield Shown("home", "home", home.render_home(full))
    empty = HomeView(VIENNA, text, frozenset({Role.REP}), last_lead=text, last_accept_minutes=4)
    yield Shown("home empty", "home", home.render_home(empty))
    summary = LeadSummary(
        VIENNA, lead, Status.ACCEPTED, text, False, minutes(9), ClockKind.FIRST_TOUCH, NOW,
        LeadProfile(text, message=text), Contact(text, text), date(2026, 9, 1), 2, "of_1", text,
    )  # fmt: skip
    yield Shown("summary", "ephemeral", replies.render_lead_summary(summary))
    found = LeadMatches(VIENNA, text, rows, 30)
    yield Shown("matches", "ephemeral", replies.render_lead_matches(found))
    yield Shown("no match", "ephemeral", replies.render_lead_matches(LeadMatches(VIENNA, text)))
    for what in ("mine", "team", "overdue"):
        table = LeadTable(VIENNA, what, rows, 30, text)
        yield Shown(f"table {what}", "ephemeral", replies.render_lead_table(table))
        yield Shown(f"all {what}", "modal", replies.render_lead_table_modal(table))
    facts: dict[str, object] = dict.fromkeys(
        ("source", "to", "by", "person", "rule", "team", "reason", "why", "skipped", "detail"), text
    )
    steps = tuple(WhyStep(NOW, text, facts) for _ in range(40))
    why = Why(VIENNA, lead, steps, 92, 3, (text,) * 20, 7, date(2026, 11, 1))
    yield Shown("why", "ephemeral", replies.render_why(why))
    yield Shown("why modal", "modal", replies.render_why_modal(why))
    yield Shown("help", "ephemeral", replies.render_help(frozenset(Role), text))
    for away in (True, False):
        note = AbsenceNote(VIENNA, text, away, minutes(9999), 2, 3, text)
        yield Shown(f"absence {away}", "ephemeral", replies.render_absence_note(note))
    yield Shown("reply", "ephemeral", replies.render_reply(text))
    for code in replies.KNOWN_CODES:
        names = ("by", "owner", "to", "admin", "query", "command", "reason", "name", "reference")
        refused = replies.render_refusal(code, dict.fromkeys(names, text), VIENNA)
        yield Shown(f"refusal {code}", "ephemeral", refused)
    failure = DeliveryFailure(VIENNA, text, text, text, lead, text, "of_1")
    yield Shown("failure", "dm", notices.render_delivery_failure(failure))
    for raised in (True, False):
        news = NewsLine(VIENNA, lead, text, raised, ClockKind.FIRST_TOUCH, minutes(9))
        yield Shown(f"news {raised}", "dm", notices.render_news_line(news))
    for count in (1, 412):
        notice = notices.render_import_notice(ImportNotice(VIENNA, count))
        yield Shown(f"import {count}", "channel", notice)


def forms(text: str) -> Iterator[Shown]:
    """Every modal."""
    lead = LeadFace(text, text, text[:6], text)
    reasons = tuple(ReasonChoice(f"r{n}", text, n == 1, date(2026, 9, 1)) for n in range(12))
    reps = tuple(RepChoice(f"U{n}", text, text if n % 2 else "") for n in range(120))
    reason = ReasonForm("of_1", lead, reasons, date(2026, 6, 3))
    made: dict[str, Callable[[], dict[str, Any]]] = {
        "reject": lambda: modals.render_reject_modal(reason),
        "give back": lambda: modals.render_give_back_modal(reason),
        "recycle": lambda: modals.render_recycle_modal(reason),
        "disqualify": lambda: modals.render_review_disqualify_modal(reason),
        "no reasons": lambda: modals.render_reject_modal(ReasonForm("of_1", lead, ())),
        "log call": lambda: modals.render_log_call_modal(OfferForm("of_1", lead)),
        "qualify": lambda: modals.render_qualify_modal(OfferForm("of_1", lead)),
        "close": lambda: modals.render_close_modal(OfferForm("of_1", lead)),
        "reassign": lambda: modals.render_reassign_modal(ReassignForm("of_1", lead, reps, text)),
        "nobody": lambda: modals.render_reassign_modal(ReassignForm("of_1", lead, ())),
        "extend": lambda: modals.render_extend_modal(
            ExtendForm("of_1", VIENNA, lead, minutes(9), text)
        ),
        "excuse": lambda: modals.render_excuse_modal(ExcuseForm("of_1", lead, text)),
        "review offer": lambda: modals.render_review_offer_modal(
            ReviewOfferForm("rv_1", lead, ("emea",), reps)
        ),
        "nurture": lambda: modals.render_review_nurture_modal(
            NurtureForm("rv_1", lead, date(2026, 9, 1), date(2026, 6, 3))
        ),
        "notice": lambda: modals.render_notice_modal("Not possible", text),
    }
    for name, make in made.items():
        yield Shown(name, "modal", make())


def everything(text: str) -> Iterator[Shown]:
    """Every renderer with `text` in every field that comes from outside."""
    yield from cards(text)
    yield from breaches(text)
    yield from reviews(text)
    yield from pages(text)
    yield from forms(text)
    yield from challenges(text)
