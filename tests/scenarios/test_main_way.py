"""The main way of a lead: offered, accepted, called, qualified, closed; and taken back within five minutes."""

from __future__ import annotations

from tests.story import Story

OFFERED = ["Accept", "Reject…", "Recycle…"]
LOGS = ["Log call…", "Log email", "Log meeting"]


async def test_offer_accept_call_qualify_close_won(story: Story) -> None:
    await story.lead_arrives("Globex", message="We need a new dialler.")
    card = await story.expect_dm("ann", "Globex", buttons=OFFERED)
    assert card.notification == "Jana Novak, Globex: came to a webinar. Accept by 15:00"
    assert "We need a new dialler." in card.text
    assert "+43 1 555" not in card.text, "contact details are for who has accepted"

    await story.fast_forward(minutes=12)
    await card.click("Accept")
    assert story.status("Globex") == "accepted"
    assert story.holder("Globex") == "ann"
    assert card.buttons == LOGS
    assert "+43 1 555 0100" in card.text
    assert story.clock("Globex", "accept").outcome == "met"

    form = await card.click("Log call…")
    assert form.options("outcome") == ["Reached", "No answer", "Wrong number"]
    assert await form.submit(outcome="Reached") == {}
    assert not form.is_open
    assert story.status("Globex") == "working"
    assert story.clock("Globex", "first_touch").outcome == "met"
    assert story.clock("Globex", "shelf_life").outcome == "met"
    assert "call, reached" in card.text

    form = await card.click("Qualify…")
    assert await form.submit(value="12000", note="Budget is there") == {}
    assert story.status("Globex") == "qualified"
    assert card.buttons == ["Close…", "Recycle…"]

    form = await card.click("Close…")
    assert await form.submit(outcome="Won", note="Signed") == {}
    assert story.status("Globex") == "won"
    assert card.buttons == []
    assert "won" in card.text
    await story.fast_forward(days=30)  # every clock has ended: nobody hears of it again


async def test_a_touch_is_needed_accepting_is_none(story: Story) -> None:
    await story.lead_arrives("Globex", source="contact_me")
    card = await story.expect_dm("ann", "Globex")
    await card.click("Accept")
    await story.fast_forward(minutes=45)
    await story.expect_dm("ann", "Contact by 11:00", buttons=["Log call…", "Log email"])
    await story.fast_forward(minutes=15)
    told = await story.expect_dm("dana", "not contacted by 11:00")
    assert "Nudge Ann" in told.buttons
    await story.fast_forward(minutes=1)
    await card.click("Log email")
    assert story.clock("Globex", "first_touch").outcome == "late"
    assert "contacted by Ann Lee" in told.text
    assert told.buttons == []


async def test_accepting_can_be_undone_for_five_minutes(story: Story) -> None:
    await story.lead_arrives("Globex")
    card = await story.expect_dm("ann", "Globex")
    await story.fast_forward(hours=1)
    await card.click("Accept")
    await story.fast_forward(minutes=4)
    await card.choose("Undo accept")
    assert story.status("Globex") == "offered"
    assert card.buttons == OFFERED
    assert story.due("Globex") == "2026-03-24 15:04", "the three hours that were left, from now"
    await card.click("Accept")
    assert story.status("Globex") == "accepted"
    assert len(story.offers("Globex")) == 1


async def test_after_five_minutes_undo_is_gone_and_an_old_screen_is_told_so(story: Story) -> None:
    await story.lead_arrives("Globex")
    card = await story.expect_dm("ann", "Globex")
    await card.click("Accept")
    with_undo = story.card("ann", "Globex")
    assert "Undo accept" in with_undo.choices
    await story.fast_forward(minutes=6)
    assert "Undo accept" not in card.choices
    await with_undo.click("Undo accept", as_first_seen=True)
    await story.expect_said("ann", "Undo was possible until 10:05")
    assert story.status("Globex") == "accepted"


async def test_a_logged_touch_taken_back_lets_the_clock_run_on(story: Story) -> None:
    await story.lead_arrives("Globex", source="contact_me")
    card = await story.expect_dm("ann", "Globex")
    await card.click("Accept")
    assert story.due("Globex", "first_touch") == "2026-03-24 11:00"
    await story.fast_forward(minutes=20)
    await card.click("Log email")
    assert card.buttons == ["Qualify…", "Log call…", "Undo log"]
    await story.fast_forward(minutes=3)
    await card.click("Undo log")
    assert story.status("Globex") == "accepted"
    assert card.buttons == LOGS
    assert story.due("Globex", "first_touch") == "2026-03-24 11:03"
    assert story.clock("Globex", "first_touch").ended_at is None
    assert story.lead("Globex").touches == 0
    await story.fast_forward(to="2026-03-24 11:03")
    await story.expect_dm(
        "ann", "Jana Novak, Globex: due since 11:03. It is still yours."
    )  # the reminder
    await story.expect_dm("dana", "not contacted by 11:03")


async def test_recycled_until_a_date_and_back_at_the_same_rep(story: Story) -> None:
    await story.lead_arrives("Globex", language="en")
    card = await story.expect_dm("ann", "Globex")
    form = await card.click("Recycle…")
    assert await form.submit(reason="no_budget", date="2026-03-01") == {
        "date": "Choose a day after today."
    }
    assert await form.submit(reason="no_budget", date="2026-06-08") == {}
    assert story.status("Globex") == "nurturing"
    assert "It comes back on" in card.text
    assert card.buttons == []

    # Somebody else is longer waiting by then; it comes back to Ann all the same.
    await story.fast_forward(to="2026-06-08 08:59")
    await story.expect_nothing_else()
    await story.fast_forward(to="2026-06-08 09:00")
    again = await story.expect_dm("ann", "is back, as you asked on", buttons=OFFERED)
    assert "no budget" in again.text.lower()
    assert story.lead("Globex").round == 2
    await again.click("Accept")
    assert story.holder("Globex") == "ann"


async def test_without_a_date_the_reason_says_how_long_it_sleeps(story: Story) -> None:
    await story.lead_arrives("Globex")
    card = await story.expect_dm("ann", "Globex")
    await card.click("Accept")
    form = await card.choose("Recycle…")
    assert "note" in await form.submit(reason="other")
    assert await form.submit(reason="not_now") == {}
    wake = story.lead("Globex").wake_at
    assert wake is not None
    assert story.local(wake) == "2026-05-25 09:00", "60 days are a Saturday: the next working day"
