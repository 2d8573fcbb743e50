"""What people read at each turn of a lead's story, rendered from the real state."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.refusal import Refusal
from bot.services import answer_offer, manage_lead, work_lead
from bot.services.deliver_types import Drop, Rendered
from storage import offers
from tests.services.desk_kit import START, Desk


@pytest.fixture
def desk(database_url: str) -> Desk:
    return Desk(database_url)


def done(answer: object) -> None:
    assert not isinstance(answer, Refusal), answer


# ------------------------------------------------------------------ the rep's card


def test_an_offer_says_who_by_when_why_and_hides_how_to_reach_her(desk: Desk) -> None:
    lead = desk.arrives()
    desk.deliver()
    card = desk.shown(f"card:{desk.offer_of(lead)}")
    assert card.startswith("Jana Novak, Globex: asked for a call. Accept by 10:20")  # Vienna
    assert "VP Operations" in card
    assert "asked for a call (50)" in card
    assert "dialler" in card
    assert "555 0100" not in card
    assert "jana.novak@" not in card
    assert desk.buttons("card:")[:3] == ["Accept", "Reject…", "Recycle…"]


def test_the_card_turns_due_soon_at_the_reminder_and_overdue_at_the_end(desk: Desk) -> None:
    lead = desk.arrives()
    desk.deliver()
    desk.forward(15)
    desk.deliver()
    headline = desk.bodies[f"card:{desk.offer_of(lead)}"]["blocks"][0]["elements"][0]["elements"]
    assert headline[0]["text"].startswith("🟡")


def test_accepted_shows_the_contact_and_undo_for_five_minutes(desk: Desk) -> None:
    lead = desk.arrives()
    desk.deliver()
    done(desk.do(answer_offer.accept, "ann", desk.offer_of(lead)))
    desk.deliver()
    assert "+43 1 555 0100" in desk.shown("card:")
    assert "Contact by 11:00" in desk.shown("card:")
    assert "Undo accept" in desk.buttons("card:")
    desk.forward(6)
    desk.arrives(visits=3, occurred_at=desk.now)
    desk.deliver()
    assert "Undo accept" not in desk.buttons("card:")


def test_undone_the_same_card_is_an_offer_again(desk: Desk) -> None:
    lead = desk.arrives()
    desk.deliver()
    done(desk.do(answer_offer.accept, "ann", desk.offer_of(lead)))
    desk.deliver()
    done(desk.do(answer_offer.undo, "ann", desk.offer_of(lead)))
    desk.deliver()
    assert "Accept" in desk.buttons("card:")
    assert "555 0100" not in desk.shown("card:")


def test_a_logged_call_can_be_taken_back_and_then_she_is_accepted_again(desk: Desk) -> None:
    lead = desk.arrives()
    desk.deliver()
    offer = desk.offer_of(lead)
    done(desk.do(answer_offer.accept, "ann", offer))
    done(desk.do(work_lead.log_touch, "ann", offer, "call", "no_answer"))
    desk.deliver()
    assert "Last touch: call, no answer" in desk.shown("card:")
    assert "touches 1 of 3" in desk.shown("card:")
    assert "Undo log" in desk.buttons("card:")
    done(desk.do(work_lead.undo_touch, "ann", offer))
    desk.deliver()
    assert "yours" in desk.shown("card:")


def test_qualified_then_won_ends_the_card(desk: Desk) -> None:
    lead = desk.arrives()
    desk.deliver()
    offer = desk.offer_of(lead)
    done(desk.do(answer_offer.accept, "ann", offer))
    done(desk.do(work_lead.qualify, "ann", offer))
    desk.deliver()
    assert "Close…" in desk.buttons("card:")
    done(desk.do(work_lead.close, "ann", offer, "won"))
    made = desk.deliver()[f"card:{offer}"]
    assert isinstance(made, Rendered)
    assert made.closed
    assert "You closed it as won" in desk.shown("card:")
    assert desk.buttons("card:") == []


def test_a_rejection_names_the_reason_the_note_and_where_it_went(desk: Desk) -> None:
    lead = desk.arrives()
    desk.deliver()
    offer = desk.offer_of(lead)
    done(desk.do(answer_offer.reject, "ann", offer, "not_our_kind", "4 people, no sales team"))
    made = desk.deliver()[f"card:{offer}"]
    assert isinstance(made, Rendered)
    assert made.closed
    card = desk.shown(f"card:{offer}")
    assert "You rejected it" in card
    assert "not our kind" in card
    assert "4 people, no sales team" in card
    assert "Marketing decides" in card


def test_a_reroute_tells_the_first_rep_that_it_went_to_another_team(desk: Desk) -> None:
    lead = desk.arrives()
    desk.deliver()
    offer = desk.offer_of(lead)
    done(desk.do(answer_offer.reject, "ann", offer, "wrong_territory"))
    desk.deliver()
    assert "another team" in desk.shown(f"card:{offer}")
    assert desk.lead(lead).owner_id == desk.person_id("eve")


def test_given_back_is_not_called_rejected(desk: Desk) -> None:
    lead = desk.arrives()
    desk.deliver()
    offer = desk.offer_of(lead)
    done(desk.do(answer_offer.accept, "ann", offer))
    done(desk.do(answer_offer.give_back, "ann", offer, "not_our_kind"))
    desk.deliver()
    assert "You gave it back" in desk.shown(f"card:{offer}")


def test_passed_on_names_the_colleague_who_has_it_now(desk: Desk) -> None:
    lead = desk.arrives()
    desk.deliver()
    offer = desk.offer_of(lead)
    done(desk.do(answer_offer.pass_on, "ann", offer))
    desk.deliver()
    assert "You passed it on" in desk.shown(f"card:{offer}")
    assert "Ben Ode has it now" in desk.shown(f"card:{offer}")


def test_recycled_and_woken_comes_back_to_the_same_rep_as_asked(desk: Desk) -> None:
    lead = desk.arrives()
    desk.deliver()
    offer = desk.offer_of(lead)
    done(desk.do(answer_offer.recycle, "ann", offer, "no_budget", None))
    desk.deliver()
    assert "It comes back on 21 February 2027" in desk.shown(f"card:{offer}")
    desk.now = START + timedelta(days=91)
    desk.forward(1)
    desk.deliver()
    back = desk.bodies[f"card:{desk.offer_of(lead)}"]["blocks"][0]["elements"][0]["elements"]
    assert "".join(part.get("text", "") for part in back[:5]).startswith(
        "🟢 Jana Novak · Globex GmbH is back, as you asked on 23 November 2026: no budget"
    )
    assert desk.lead(lead).round == 2


def test_a_card_whose_offer_is_over_before_its_post_is_dropped(desk: Desk) -> None:
    lead = desk.arrives()
    offer = desk.offer_of(lead)
    with desk.work() as work:
        offers.save_offer(work.conn, offer, state="passed")
    assert desk.deliver()[f"card:{offer}"] == Drop("offer_passed")


def test_a_hand_raise_is_told_in_the_thread_and_on_the_card(desk: Desk) -> None:
    lead = desk.arrives(source="webinar")
    desk.deliver()
    desk.forward(5)
    desk.arrives(occurred_at=desk.now)
    came = desk.deliver()
    news = next(made for key, made in came.items() if key.startswith("news:"))
    assert isinstance(news, Rendered)
    assert news.thread_of == f"card:{desk.offer_of(lead)}"
    assert "Jana Novak asked for a call again: accept by 10:25" in news.body["text"]
    assert "New: asked for a call again" in desk.shown("card:")


# ------------------------------------------------------------------ reminders


def test_a_reminder_stands_in_the_thread_and_is_edited_to_its_outcome(desk: Desk) -> None:
    lead = desk.arrives()
    desk.deliver()
    desk.forward(15)
    came = desk.deliver()
    made = next(m for key, m in came.items() if key.startswith("remind:"))
    assert isinstance(made, Rendered)
    assert made.thread_of == f"card:{desk.offer_of(lead)}"
    assert made.broadcast
    assert not made.closed
    assert desk.shown("remind:").startswith("5 min left: Jana Novak, Globex. Accept by 10:20")
    done(desk.do(answer_offer.accept, "ann", desk.offer_of(lead)))
    made = next(m for key, m in desk.deliver().items() if key.startswith("remind:"))
    assert isinstance(made, Rendered)
    assert made.closed
    assert desk.shown("remind:") == "Accepted at 10:15: Jana Novak, Globex."


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda d, o: d.do(answer_offer.pass_on, "ann", o), "Passed on"),
        (lambda d, o: d.do(answer_offer.reject, "ann", o, "not_our_kind"), "Moved on"),
    ],
)
def test_a_no_is_not_called_accepted_in_the_reminder(desk: Desk, answer: object, said: str) -> None:
    lead = desk.arrives()
    desk.deliver()
    desk.forward(15)
    desk.deliver()
    assert callable(answer)
    done(answer(desk, desk.offer_of(lead)))
    desk.deliver()
    assert desk.shown("remind:").startswith(said)


def test_a_reminder_for_a_clock_that_ended_meanwhile_is_dropped(desk: Desk) -> None:
    lead = desk.arrives()
    desk.deliver()
    desk.forward(15)
    done(desk.do(answer_offer.accept, "ann", desk.offer_of(lead)))
    made = next(m for key, m in desk.deliver().items() if key.startswith("remind:"))
    assert made == Drop("clock_over")


def test_a_nudge_names_the_manager(desk: Desk) -> None:
    lead = desk.arrives()
    desk.deliver()
    done(desk.do(manage_lead.nudge, "dana", desk.offer_of(lead)))
    made = next(m for key, m in desk.deliver().items() if key.startswith("nudge:"))
    assert isinstance(made, Rendered)
    assert made.thread_of == f"card:{desk.offer_of(lead)}"
    first = made.body["blocks"][0]["elements"][0]["elements"][0]
    assert first["text"] == "Dana Roy asks: "
