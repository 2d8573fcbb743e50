"""A rep says no: back to marketing, on to another team, on to a colleague."""

from __future__ import annotations

from tests.story import Story

OFFERED = ["Accept", "Reject…", "Recycle…"]
REVIEW = ["I'll take it", "Offer again…", "Nurture…"]


async def test_rejected_for_a_reason_marketing_decides_and_offers_it_to_a_team(
    story: Story,
) -> None:
    await story.lead_arrives("Initech", last_name="Duda", first_name="Pavel")
    card = await story.expect_dm("ann", "Initech")
    form = await card.click("Reject…")
    assert await form.submit(reason="bad_data", note="Pavel Duda has left them.") == {}
    assert story.status("Initech") == "review"
    assert "Marketing decides what comes next" in card.text

    back = await story.expect_channel("review", "Initech", by="ops", buttons=REVIEW)
    assert "P. D." in back.text
    assert "bad data" in back.text
    assert "Duda" not in back.text + back.message.text, "names of leads do not stand in channels"
    assert "Ann" not in back.text + back.message.text, "who rejected it does not either"

    await back.click("I'll take it")
    assert "Olga Petrov looks at it" in back.text
    await back.click("I'll take it", by="pia", as_first_seen=True)
    await story.expect_said("pia", "Olga Petrov took it to look at")

    form = await back.click("Offer again…")
    assert await form.submit(target="team:emea") == {}
    assert "offered again to emea by Olga Petrov" in back.text
    assert back.buttons == []
    second = await story.expect_dm("ben", "Initech", buttons=OFFERED)
    await second.click("Accept")
    assert story.holder("Initech") == "ben"


async def test_marketing_lets_it_sleep_or_closes_it(story: Story) -> None:
    for company in ("Initech", "Umbrella"):
        await story.lead_arrives(company, country="DE")
        card = await story.expect_dm(story.holder(company), company)
        form = await card.click("Reject…")
        await form.submit(reason="not_our_kind")
    first = await story.expect_channel("review", "Initech")
    second = await story.expect_channel("review", "Umbrella")

    form = await first.click("Nurture…")
    assert await form.submit(date="2026-09-01", note="after the summer") == {}
    assert story.status("Initech") == "nurturing"
    assert "sleeps until" in first.text

    form = await second.choose("Disqualify…")
    assert await form.submit(reason="bad_data") == {}
    assert story.status("Umbrella") == "disqualified"
    assert "disqualified by Olga Petrov" in second.text
    assert second.buttons == []


async def test_wrong_territory_goes_to_another_team_at_once(story: Story) -> None:
    await story.lead_arrives("Initech", country="AT")
    card = await story.expect_dm("ann", "Initech")
    form = await card.click("Reject…")
    assert await form.submit(reason="wrong_territory") == {}
    assert "another team" in card.text
    offers = story.offers("Initech")
    assert [o.rule for o in offers] == ["DACH", "rest"]
    assert [o.team for o in offers] == ["emea", "americas"]
    # New York sleeps: the card waits for 09:00 there.
    assert story.holder("Initech") == "eve"
    await story.expect_nothing_else()
    await story.fast_forward(to="2026-03-24 14:00")
    again = await story.expect_dm("eve", "Initech", buttons=OFFERED)
    assert again.notification.endswith("Accept by 13:00")


async def test_other_needs_a_note_and_says_so_beside_the_field(story: Story) -> None:
    await story.lead_arrives("Initech")
    card = await story.expect_dm("ann", "Initech")
    form = await card.click("Reject…")
    assert await form.submit() == {"reason": "Please complete this required field."}
    errors = await form.submit(reason="other")
    assert errors == {"note": "This reason needs a note: say in a few words why."}
    assert form.is_open
    assert story.status("Initech") == "offered"
    assert await form.submit(reason="other", note="They are our landlord.") == {}
    assert story.status("Initech") == "review"
    back = await story.expect_channel("review", "Initech")
    assert "They are our landlord." in back.text


async def test_passed_on_goes_to_the_colleague_without_a_word_to_anybody(story: Story) -> None:
    await story.lead_arrives("Initech")
    card = await story.expect_dm("ann", "Initech")
    await card.choose("Pass on, I'm busy")
    assert "Passed on" in card.notification
    await story.expect_dm("ben", "Initech", buttons=OFFERED)
    assert story.lead("Initech").lapses == 0


async def test_who_passed_it_on_is_not_asked_again_in_this_round(story: Story) -> None:
    await story.lead_arrives("Initech")
    for who in ("ann", "ben"):
        await (await story.expect_dm(who, "Initech")).choose("Pass on, I'm busy")
    # Nobody of the team is left, the rest of the rules sends it on.
    assert story.holder("Initech") == "eve"
    assert [o.rule for o in story.offers("Initech")] == ["DACH", "DACH", "rest"]


async def test_given_back_after_accepting_has_reasons_of_its_own(story: Story) -> None:
    await story.lead_arrives("Initech")
    card = await story.expect_dm("ann", "Initech")
    await card.click("Accept")
    form = await card.choose("Give back…")
    assert form.options("reason") == ["Wrong territory", "Never reached", "Other"]
    assert await form.submit(reason="never_reached") == {}
    assert story.status("Initech") == "review"
    await story.expect_channel("review", "never reached")
    assert "Given back" in card.notification


async def test_nobody_free_marketing_gets_it_and_the_manager_hears(story: Story) -> None:
    await story.command("ann", "/baton away")
    await story.command("ben", "/baton away")
    await story.command("eve", "/baton away")
    await story.command("fay", "/baton away")
    await story.lead_arrives("Initech")
    assert story.status("Initech") == "review"
    assert story.lead("Initech").reason == "nobody_free"
    back = await story.expect_channel("review", "Initech")
    assert "nobody" in back.text.lower()
    told = await story.expect_dm("dana", "Initech")
    assert "back with marketing at 10:00: nobody was free" in told.text


async def test_below_the_bar_stays_with_marketing(story: Story) -> None:
    await story.lead_arrives("Initech", source_score=12)
    assert story.status("Initech") == "nurturing"
    assert story.clock("Initech", "route").outcome == "met"
