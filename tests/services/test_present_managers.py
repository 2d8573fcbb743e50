"""What managers and marketing read: escalations, reviews, lists, Home; rendered from the real state."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.refusal import Refusal
from bot.services import answer_offer, manage_lead, mark_absence, review_lead, work_lead
from bot.services.answer_queries import home_view
from bot.services.deliver_types import Drop, Rendered
from bot.services.present_forms import reassign_form
from storage import outbox
from tests.services.desk_kit import Desk


@pytest.fixture
def desk(database_url: str) -> Desk:
    return Desk(database_url)


def done(answer: object) -> None:
    assert not isinstance(answer, Refusal), answer


# ------------------------------------------------------------------ escalations


def lapsed(desk: Desk) -> int:
    lead = desk.arrives()
    desk.deliver()
    desk.forward(20)
    desk.deliver()
    return lead


def test_the_manager_reads_who_had_it_until_when_and_who_has_it_now(desk: Desk) -> None:
    lapsed(desk)
    told = desk.shown("esc:")
    assert "Jana Novak, Globex" in told
    assert "Not accepted by" in told
    assert "Ann Lee until 10:20, now Ben Ode until 10:40. Reminded once." in told
    assert desk.buttons("esc:") == [
        "Take it myself", "Reassign…", "Nudge Ben", "Give more time…", "Excuse Ann…", "Recycle…",
        "Why?",
    ]  # fmt: skip


def test_the_escalation_is_edited_to_accepted_and_needs_nothing_more(desk: Desk) -> None:
    lead = lapsed(desk)
    desk.forward(2)
    done(desk.do(answer_offer.accept, "ben", desk.offer_of(lead)))
    desk.deliver()
    assert desk.shown("esc:") == (
        "✅ Jana Novak · Globex GmbH, accepted by Ben Ode at 10:22, 22 min after asking."
        " Nothing to do."
    )
    assert desk.buttons("esc:") == []


def test_an_accept_that_is_undone_brings_the_escalation_back(desk: Desk) -> None:
    lead = lapsed(desk)
    done(desk.do(answer_offer.accept, "ben", desk.offer_of(lead)))
    desk.deliver()
    done(desk.do(answer_offer.undo, "ben", desk.offer_of(lead)))
    desk.deliver()
    assert "now Ben Ode" in desk.shown("esc:")


def test_reassigned_by_the_manager_reads_so_until_it_lapses_again(desk: Desk) -> None:
    lead = lapsed(desk)
    done(desk.do(manage_lead.reassign, "dana", desk.offer_of(lead), desk.person_id("ann")))
    desk.deliver()
    assert "reassigned to Ann Lee by you" in desk.shown("esc:")
    desk.forward(20)
    desk.deliver()
    assert "Ann Lee until" in desk.shown("esc:")


def test_more_time_reads_so_with_the_new_due_time(desk: Desk) -> None:
    lead = lapsed(desk)
    done(desk.do(manage_lead.extend, "dana", desk.offer_of(lead), "30m"))
    desk.deliver()
    assert "given more time by you" in desk.shown("esc:")
    assert "Now due by 11:10" in desk.shown("esc:")


def test_excused_the_button_is_gone(desk: Desk) -> None:
    lead = lapsed(desk)
    done(desk.do(manage_lead.excuse, "dana", desk.offer_of(lead)))
    desk.deliver()
    assert "Excuse Ann…" not in desk.buttons("esc:")


def test_untouched_the_manager_hears_once_and_the_touch_closes_it(desk: Desk) -> None:
    lead = desk.arrives()
    desk.deliver()
    offer = desk.offer_of(lead)
    done(desk.do(answer_offer.accept, "ann", offer))
    desk.forward(60)
    desk.deliver()
    assert "Not contacted by" in desk.shown("esc:")
    done(desk.do(work_lead.log_touch, "ann", offer, "email"))
    made = next(m for key, m in desk.deliver().items() if key.startswith("esc:"))
    assert isinstance(made, Rendered)
    assert made.closed
    assert "contacted by Ann Lee" in desk.shown("esc:")


def test_a_breach_that_was_settled_before_the_post_is_not_told(desk: Desk) -> None:
    lead = desk.arrives()
    desk.deliver()
    offer = desk.offer_of(lead)
    done(desk.do(answer_offer.accept, "ann", offer))
    desk.forward(60)
    done(desk.do(work_lead.log_touch, "ann", offer, "email"))
    made = next(m for key, m in desk.deliver().items() if key.startswith("esc:"))
    assert made == Drop("settled")


def test_nobody_left_is_told_although_the_lead_is_with_marketing_already(desk: Desk) -> None:
    lead = desk.arrives()
    desk.deliver()
    for who in ("ann", "ben"):
        done(desk.do(answer_offer.pass_on, who, desk.offer_of(lead)))
    if desk.lead(lead).status == "offered":  # the rule for the rest of the world
        done(desk.do(answer_offer.pass_on, "eve", desk.offer_of(lead)))
    assert desk.lead(lead).status == "review"
    desk.deliver()
    assert "back with marketing" in desk.shown("esc:")
    assert "nobody was free" in desk.shown("esc:").casefold()


# ------------------------------------------------------------------ marketing


def in_review(desk: Desk) -> tuple[int, str]:
    lead = desk.arrives()
    desk.deliver()
    note = "Jana Novak says no, call +43 1 555 0100"
    done(desk.do(answer_offer.reject, "ann", desk.offer_of(lead), "not_our_kind", note))
    desk.deliver()
    review = desk.lead(lead).review_id
    assert review is not None
    return lead, review


def test_the_channel_reads_initials_company_and_reason_and_no_personal_data(desk: Desk) -> None:
    _, review = in_review(desk)
    body = str(desk.bodies[f"review:{review}"])
    assert "J. N. · Globex GmbH" in body
    assert "not our kind" in body
    for secret in ("Jana", "Novak", "555", "jana.novak", "Ann"):
        assert secret not in body
    assert desk.buttons("review:") == [
        "I'll take it", "Offer again…", "Nurture…", "Disqualify…", "Details",
    ]  # fmt: skip


def test_taken_then_nurtured_the_review_message_ends(desk: Desk) -> None:
    _, review = in_review(desk)
    done(desk.do(review_lead.take_review, "olga", review))
    desk.deliver()
    assert "Olga Kern looks at it" in desk.shown("review:")
    done(desk.do(review_lead.nurture, "olga", review, "no_budget", None))
    made = desk.deliver()[f"review:{review}"]
    assert isinstance(made, Rendered)
    assert made.closed
    assert "sleeps until 21 February 2027" in desk.shown("review:")
    assert "by Olga Kern" in desk.shown("review:")


def test_offered_again_names_the_team(desk: Desk) -> None:
    _, review = in_review(desk)
    done(desk.do(review_lead.offer_again, "olga", review, "team:west"))
    desk.deliver()
    assert "offered again to west by Olga Kern" in desk.shown("review:")


def test_a_late_review_reminds_in_the_thread_and_tells_the_signer(desk: Desk) -> None:
    _, review = in_review(desk)
    desk.forward(90)
    came = desk.deliver()
    made = next(m for key, m in came.items() if key.startswith("remind:"))
    assert isinstance(made, Rendered)
    assert made.thread_of == f"review:{review}"
    assert "Jana" not in str(made.body)
    desk.forward(30)
    desk.deliver()
    assert "1 rejected lead waits for marketing since 10:00" in desk.shown("esc:")
    assert "Promise: 2h of working time" in desk.shown("esc:")
    done(desk.do(review_lead.disqualify, "olga", review, "not_our_kind"))
    desk.deliver()
    assert "disqualified by Olga Kern" in desk.shown("esc:")


# ------------------------------------------------------------------ lists and notices


def test_the_leads_of_somebody_away_go_to_the_manager_as_one_list(desk: Desk) -> None:
    lead = desk.arrives()
    desk.deliver()
    done(desk.do(answer_offer.accept, "ann", desk.offer_of(lead)))
    with desk.work() as work:
        ann = desk.member(work, "ann")
        done(mark_absence.go_away(work, ann, ann, desk.now + timedelta(days=2)))
    desk.deliver()
    assert "Ann Lee is away until Wed 10:00: 1 open lead is theirs." in desk.shown("handover:")
    desk.forward(1)
    with desk.work() as work:
        ann = desk.member(work, "ann")
        done(mark_absence.come_back(work, ann, ann))
    desk.deliver()
    assert desk.shown("handover:") == "Ann Lee is back. Nothing to do."


def test_home_shows_the_queue_by_due_time_and_the_teams_to_a_manager(desk: Desk) -> None:
    desk.arrives()
    with desk.work() as work:
        from_home = [desk.member(work, who) for who in ("ann", "dana")]
        texts = [str(home_view(work, who)) for who in from_home]
    assert "Your leads (1)" in texts[0]
    assert "Your team" not in texts[0]
    assert "Your team" in texts[1]


def test_the_manager_sees_what_speaks_against_each_rep(desk: Desk) -> None:
    lead = lapsed(desk)
    view = desk.do(reassign_form, "dana", desk.offer_of(lead))
    assert not isinstance(view, Refusal)
    assert "let it lapse" in str(view)
    assert "Eve Fox" not in str(view)


def test_an_unknown_template_does_not_stop_its_lane(desk: Desk) -> None:
    with desk.work() as work:
        outbox.enqueue_post(
            work.conn, template="from_the_future", card_key="x", lane="dm:1", priority=4,
            now=desk.now, real=desk.now,
        )  # fmt: skip
    assert desk.deliver()["x"] == Drop("unknown_template")
