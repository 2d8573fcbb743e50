"""Reminders, escalations, reviews, lists and Home; and what holds for every rendering."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.agreement import ClockKind, Role
from bot.domain.funnel import Status
from bot.rendering.escalation_card import render_escalation_card, render_escalation_modal
from bot.rendering.home import render_home
from bot.rendering.ids import More, more_value, parse_more
from bot.rendering.lists import (
    render_breach_list,
    render_handover_list,
    render_marketing_overdue,
    render_offer_list,
    render_reminder_list,
)
from bot.rendering.reminder import render_reminder
from bot.rendering.review_card import render_review_card
from bot.rendering.views import (
    EscalationEnd,
    EscalationOutcome,
    Reminder,
    ReminderOutcome,
    ReviewState,
)
from bot.rendering.views_pages import (
    BreachList,
    HandoverList,
    HomeView,
    MarketingOverdue,
    OfferList,
)
from tests.unit.rendering_kit import (
    BREACH,
    JANA,
    NOW,
    REVIEW,
    VIENNA,
    everything,
    line_of,
    minutes,
)
from tests.unit.rendering_limits import buttons, faults, menu, shown

# ------------------------------------------------------------------ the reminder


def test_a_reminder_counts_in_the_notification_and_names_the_time_in_the_message() -> None:
    ask = Reminder("of_1", VIENNA, JANA, ClockKind.ACCEPT, minutes(4))
    message = render_reminder(ask)
    assert message["text"] == "4 min left: Jana Novak, Globex. Accept by 10:35, or pass it on."
    assert shown(message) == "Jana Novak, Globex. Accept by 10:35, or pass it on."
    assert buttons(message) == ["Accept", "Pass on"]


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (ReminderOutcome.DONE, "Accepted at 10:33: Jana Novak, Globex."),
        (ReminderOutcome.PASSED_ON, "Passed on at 10:33: Jana Novak, Globex."),
        (ReminderOutcome.MOVED_ON, "Moved on at 10:33: Jana Novak, Globex. Nothing to do for you."),
        (ReminderOutcome.OVERDUE, "Jana Novak, Globex: due since 10:35. It is still yours."),
    ],
)
def test_a_reminder_is_edited_to_its_outcome(outcome: ReminderOutcome, said: str) -> None:
    ask = Reminder("of_1", VIENNA, JANA, ClockKind.ACCEPT, minutes(4), outcome, minutes(2))
    assert shown(render_reminder(ask)) == said
    assert buttons(render_reminder(ask)) == []


# ------------------------------------------------------------------ the escalation


def test_the_manager_reads_what_happened_and_what_to_do() -> None:
    message = render_escalation_card(replace(BREACH, holders=BREACH.holders))
    assert shown(message) == (
        "🔴 Jana Novak · Globex GmbH asked for a call at 10:16, not accepted by 10:31\n"
        "Ann Lee until 10:31, now Ben Ode until 10:46. Reminded once."
    )
    assert buttons(message) == ["Take it myself", "Reassign…", "Nudge Ben"]
    assert menu(message) == ["Give more time…", "Excuse Ann…", "Recycle…", "Why?"]
    assert buttons(render_escalation_modal(BREACH)) == buttons(message)


def test_every_clock_has_its_own_plain_sentence() -> None:
    said = {
        clock: shown(render_escalation_card(replace(BREACH, clock=clock, touches_wanted=5)))
        for clock in ClockKind
    }
    assert "accepted by Ben Ode at 10:16, not contacted by 10:31" in said[ClockKind.FIRST_TOUCH]
    assert "has 0 of 5 touches, all were due by 10:31" in said[ClockKind.FOLLOW_UP]
    assert "neither qualified nor recycled by 10:31" in said[ClockKind.DECIDE]
    assert "nobody made contact by 10:31" in said[ClockKind.SHELF_LIFE]
    assert len(set(said.values())) == len(ClockKind)


def test_a_manager_who_cannot_act_gets_no_dead_buttons() -> None:
    card = replace(
        BREACH, can_take=False, can_nudge=False, can_extend=False, excuse_name="", nobody_left=True
    )
    assert buttons(render_escalation_card(card)) == []
    assert menu(render_escalation_card(card)) == ["Why?"]
    assert "No other rep is free for it." in shown(render_escalation_card(card))
    nudged = render_escalation_card(replace(BREACH, nudged_at=NOW))
    assert "You nudged at 10:31." in shown(nudged)
    assert "Nudge Ben" not in buttons(nudged)


def test_an_escalation_is_edited_to_its_end() -> None:
    end = EscalationOutcome(EscalationEnd.ACCEPTED, minutes(7), "Ben Ode", after_minutes=22)
    message = render_escalation_card(replace(BREACH, outcome=end))
    assert shown(message) == (
        "✅ Jana Novak · Globex GmbH, accepted by Ben Ode at 10:38, 22 min after asking."
        " Nothing to do."
    )
    assert message["text"] == shown(message)
    assert buttons(message) == []
    longer = EscalationOutcome(EscalationEnd.EXTENDED, NOW, by_reader=True, due=minutes(60))
    said = shown(render_escalation_card(replace(BREACH, outcome=longer)))
    assert "given more time by you at 10:31. Now due by 11:31." in said


# ------------------------------------------------------------------ review


def test_marketing_reads_the_reason_and_the_pattern_behind_it() -> None:
    message = render_review_card(REVIEW)
    assert message["text"].startswith("P. D., Initech: back with marketing. Decide by Thu 10:31")
    assert shown(message) == (
        "↩️ P. D. · Initech back with marketing · decide by Thu 10:31\n"
        "Reason: not our kind4 people, no sales teamWebinar March: 5 of 9 came back for this."
    )
    assert buttons(message) == ["I'll take it", "Offer again…", "Nurture…"]
    assert menu(message) == ["Disqualify…", "Details"]


def test_a_review_shows_who_looks_at_it_and_how_it_ended() -> None:
    taken = replace(REVIEW, state=ReviewState.TAKEN, by_name="Olga Reis", at=NOW)
    assert "Olga Reis looks at it since 10:31." in shown(render_review_card(taken))
    assert "I'll take it" not in buttons(render_review_card(taken))
    done = render_review_card(replace(taken, state=ReviewState.OFFERED, to_name="emea"))
    assert "🟢 P. D. · Initech, offered again to emea by Olga Reis at 10:31." in shown(done)
    assert buttons(done) == []
    late = render_review_card(replace(REVIEW, due=minutes(-1)))
    assert shown(late).startswith("🔴 P. D. · Initech back with marketing, overdue since 10:30")


# ------------------------------------------------------------------ lists and Home


def test_whoever_still_has_it_after_the_breach_has_it_not_until_a_time_that_passed() -> None:
    had = [replace(holder, current=False, until=minutes(-20)) for holder in BREACH.holders[:1]]
    still = replace(BREACH.holders[-1], name="Ben Ode", current=True, until=minutes(0))
    both = shown(render_escalation_card(replace(BREACH, holders=(*had, still))))
    assert "Ann Lee until 10:11, still with Ben Ode. Reminded once." in both
    alone = shown(render_escalation_card(replace(BREACH, holders=(still,))))
    assert "Still with Ben Ode. Reminded once." in alone


def test_many_offers_become_one_list_with_ten_buttons() -> None:
    rows = tuple(line_of(JANA, n) for n in range(1, 13))
    message = render_offer_list(OfferList(VIENNA, rows, 12))
    assert message["text"] == "12 leads for you. First: accept by 10:32. Jana Novak, Globex."
    assert buttons(message) == ["Open"] * 10
    assert "and 2 more: /lead mine" in str(message["blocks"])


@pytest.mark.parametrize(
    ("asked", "accepted", "gone", "said"),
    [
        (1, 0, 0, "1 imported lead for you: accept by 10:32."),
        (2, 1, 3, "2 to answer, first by 10:32; 1 to contact by 10:41."),
        (0, 2, 0, "2 to contact, first by 10:41."),
        (0, 0, 0, "All answered. Nothing to do."),
        (0, 0, 6, "6 moved on to others. Nothing to do."),
        (0, 0, 4, "2 answered, 4 moved on to others. Nothing to do."),
    ],
)
def test_a_list_of_offers_says_what_is_left(
    asked: int, accepted: int, gone: int, said: str
) -> None:
    rows = [line_of(JANA, n) for n in range(1, asked + 1)]
    rows += [
        replace(line_of(JANA, 10 + n), status=Status.ACCEPTED, clock=ClockKind.FIRST_TOUCH)
        for n in range(accepted)
    ]
    answered = 2 if gone == 4 else 0
    view = OfferList(VIENNA, tuple(rows), len(rows), True, answered, gone)
    assert shown(render_offer_list(view)).splitlines()[0].endswith(said)


def test_many_reminders_become_one() -> None:
    rows = tuple(line_of(JANA, n) for n in range(1, 8))
    message = render_reminder_list(OfferList(VIENNA, rows, 7))
    assert message["text"] == "7 leads wait for you. First: accept by 10:32. Jana Novak, Globex."
    assert buttons(message) == ["Open"] * 7


def test_many_breaches_become_one_digest() -> None:
    rows = tuple(line_of(JANA, -n) for n in range(7))
    digest = BreachList(VIENNA, "EMEA", rows, 7, 2, minutes(-81))
    message = render_breach_list(digest)
    assert message["text"] == "7 EMEA leads overdue, 2 asked for a call. Oldest: 09:10"
    assert buttons(message) == ["Open"] * 7
    one = render_breach_list(BreachList(VIENNA, "", rows[:1], 1))
    assert one["text"] == "1 lead overdue."


def test_the_leads_of_somebody_who_is_away_go_to_the_manager() -> None:
    rows = (line_of(JANA, 5, Status.ACCEPTED),)
    away = HandoverList(VIENNA, "Ann Lee", rows, 1, until=minutes(60 * 24 * 5), moved_on=2)
    text = render_handover_list(away)["text"]
    assert text == (
        "Ann Lee is away until Mon 10:31: 1 open lead is theirs."
        " 2 open offers went to the next rep."
    )
    gone = render_handover_list(replace(away, left=True, until=None, moved_on=0))
    assert gone["text"] == "Ann Lee is not in the playbook any more: 1 open lead is theirs."


def test_marketing_hears_of_its_own_delay() -> None:
    late = MarketingOverdue(VIENNA, 3, minutes(-60 * 48), "1 working day")
    assert render_marketing_overdue(late)["text"] == (
        "3 rejected leads wait for marketing since Mon 10:31. Promise: 1 working day."
    )


def test_home_shows_my_leads_with_accept_on_the_offered_ones() -> None:
    rows = (line_of(JANA, 1), line_of(JANA, 2, Status.ACCEPTED))
    view = render_home(HomeView(VIENNA, "Ann Lee", frozenset({Role.REP}), rows, 2))
    assert buttons(view) == ["Accept", "Open", "Open"]
    assert "Your leads (2)" in str(view)
    assert "What Baton records about you" in str(view)


def test_an_empty_home_remembers_the_last_lead() -> None:
    view = render_home(
        HomeView(
            VIENNA, "Ann Lee", frozenset({Role.REP}),
            last_lead="Jana Novak", last_accept_minutes=4, first_visit=True, offer_sample=True,
        )
    )  # fmt: skip
    assert "Nothing waits for you. Your last lead: Jana Novak, accepted after 4 min." in shown(view)
    assert shown(view).count("\n") == 2  # the first visit: three lines
    assert buttons(view) == ["Try it with a sample lead"]


# ------------------------------------------------------------------ all of it


def test_everything_is_within_slacks_limits() -> None:
    for one in everything("Jana Novak"):
        assert faults(one) == [], one.name


def test_no_message_shouts_or_says_sla() -> None:
    for one in everything("Jana Novak"):
        said = shown(one.body) + one.body.get("text", "")
        assert "!" not in said, one.name
        assert "SLA" not in said, one.name


def test_a_card_has_three_buttons_in_sight_and_one_primary() -> None:
    for one in everything("Jana Novak"):
        for block in one.body["blocks"]:
            if block["type"] == "actions":
                seen = [e for e in block["elements"] if e["type"] == "button"]
                assert len(seen) <= 3, one.name
                assert sum(e.get("style") == "primary" for e in seen) <= 1, one.name


def test_overflow_values_come_back_whole() -> None:
    assert parse_more(more_value(More.PASS_ON, "of_7:Hq2")) == (More.PASS_ON, "of_7:Hq2")
    for broken in ("", "pass_on", "pass_on:", "fly:of_1", ":of_1"):
        assert parse_more(broken) is None
