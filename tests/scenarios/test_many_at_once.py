"""Many at once: one list instead of many cards, one digest instead of many breaches; and a Baton that was down."""

from __future__ import annotations

import json

from bot.services import answer_offer
from bot.services.work import Work
from tests.story import Story, lead_of

OFFERED = ["Accept", "Reject…", "Recycle…"]


async def leads_arrive(story: Story, *companies: str, **fields: object) -> None:
    """All in one message."""
    body = json.dumps([lead_of(company, **fields) for company in companies]).encode()  # type: ignore[arg-type]
    status, answer = await story.post(body, message_id=f"msg_{len(companies)}")
    assert status == 202, answer
    assert [r["status"] for r in answer["results"]] == ["accepted"] * len(companies)


async def test_seven_leads_at_once_are_one_list_that_works(story: Story) -> None:
    companies = [f"Firm {letter}" for letter in "ABCDEFG"]
    await leads_arrive(story, *companies)
    offers = await story.expect_dm("ann", "7 leads for you. First: accept by 15:00")
    assert offers.buttons == ["Open"] * 7
    await story.expect_nothing_else()

    lead = await offers.click("Open", row="Firm C")
    assert lead.buttons == OFFERED
    await lead.click("Accept")
    assert story.status("Firm C") == "accepted"
    assert lead.buttons == ["Log call…", "Log email", "Log meeting"], "the form shows what is now"
    await lead.close()
    assert "6 to answer, first by 15:00; 1 to contact by Wed 10:00" in offers.text
    mine = await offers.click("Open", row="Firm C")
    await mine.click("Log email")
    await mine.close()
    assert "6 leads for you. First" in offers.text
    assert "Firm C" not in offers.text, "touched: nothing is owed before the next step"

    lead = await offers.click("Open", row="Firm D")
    reject = await lead.click("Reject…")
    assert await reject.submit(reason="bad_data") == {}
    assert story.status("Firm D") == "review"
    await story.expect_channel("review", "Firm D")


async def test_whoever_answered_the_whole_list_is_called_for_the_next_lead(story: Story) -> None:
    await leads_arrive(story, *(f"Firm {letter}" for letter in "ABCDEF"))
    offers = await story.expect_dm("ann", "6 leads for you")

    def accept(work: Work) -> None:
        ann = work.roster.by_email["ann@acme.example"]
        for letter in "ABCDEF":
            held = story.lead(f"Firm {letter}").current_offer_id
            answer_offer.accept(work, ann, held or "")

    story.house.runtime.write_now(accept)
    await story.settle()
    assert "6 to contact, first by Wed 10:00" in offers.text
    await story.lead_arrives("Globex")
    await story.expect_dm("ann", "1 lead for you: accept by 15:00")


async def test_five_leads_are_five_cards(story: Story) -> None:
    await leads_arrive(story, *(f"Firm {letter}" for letter in "ABCDE"))
    for letter in "ABCDE":
        await story.expect_dm("ann", f"Firm {letter}", buttons=OFFERED)


async def test_six_breaches_are_one_digest(story: Story) -> None:
    companies = [f"Firm {letter}" for letter in "ABCDEF"]
    await leads_arrive(story, *companies, source="contact_me")
    await story.expect_dm("ann", "6 leads for you")
    await story.fast_forward(minutes=15)
    await story.expect_dm("ann", "None of these waits for you any more")  # what were the reminders
    await story.expect_dm("ben", "6 leads for you")
    digest = await story.expect_dm("dana", "6 emea leads overdue, 6 asked for a call")
    assert digest.buttons.count("Open") == 6
    lead = await digest.click("Open", row="Firm B")
    await lead.click("Take it myself")
    assert story.holder("Firm B") == "dana"
    await story.expect_dm("dana", "Firm B", buttons=["Log call…", "Log email", "Log meeting"])


async def test_three_days_down_then_each_thing_once(story: Story) -> None:
    await story.lead_arrives("Initech", source="contact_me")
    await story.expect_dm("ann", "Initech")
    await story.lead_arrives("Globex")
    taken = await story.expect_dm("ann", "Globex")
    await taken.click("Accept")
    await story.jump(days=3)  # Friday, 10:00

    # The state moved on once, counting from now; nobody was reminded of what is over.
    assert [o.state for o in story.offers("Initech")] == ["lapsed", "open"]
    assert story.due("Initech") == "2026-03-27 10:15"
    await story.expect_dm("ben", "Initech", buttons=OFFERED)
    # One message for each lead and reader.
    await story.expect_dm("dana", "Initech")
    await story.expect_dm("vp", "Initech")
    await story.expect_dm("dana", "Globex")
    await story.expect_dm("vp", "Globex")
    await story.expect_dm("ann", "Globex: due since Wed 10:00. It is still yours.")
    await story.expect_nothing_else()
    assert "step_superseded" in {e.kind for e in story.journal("Initech")}


async def test_a_restart_sends_nothing_twice(story: Story) -> None:
    await story.lead_arrives("Initech")
    card = await story.expect_dm("ann", "Initech")
    await story.fast_forward(hours=1)
    await card.click("Accept")
    await story.house.stop()
    await story.house.start()
    await story.settle()
    await story.expect_nothing_else()
