"""What people ask: /lead and /baton, and their Home tab; each sees what is theirs to see."""

from __future__ import annotations

from tests.story import Story
from tests.story_house import story_of

PHONE = "+43 1 555 0100"


async def test_home_on_the_first_day_and_after(story: Story) -> None:
    home = await story.home("ann")
    assert "Hello Ann" in home.text
    assert "What Baton records about you" in home.text
    assert "Nothing waits for you." in home.text

    await story.lead_arrives("Initech")
    card = await story.expect_dm("ann", "Initech")
    assert "Your leads (1)" in home.text, "an open Home tab is kept up to date"
    assert "Initech" in home.text
    await home.click("Accept")
    assert story.holder("Initech") == "ann"
    assert card.buttons == ["Log call…", "Log email", "Log meeting"]
    lead = await home.click("Open")
    await lead.click("Log email")
    assert story.status("Initech") == "working"

    await story.fast_forward(days=1)
    home = await story.home("ann")
    assert "Hello Ann" not in home.text
    assert "Your leads (1)" in home.text


async def test_home_of_a_manager_and_of_marketing(story: Story) -> None:
    await story.lead_arrives("Initech", source="contact_me")
    card = await story.expect_dm("ann", "Initech")
    home = await story.home("dana")
    assert "Initech" in home.text
    lead = await home.click("Open")
    assert "Take it myself" in lead.buttons
    await lead.close()
    await (await card.click("Reject…")).submit(reason="bad_data")
    await story.expect_channel("review", "Initech")
    home = await story.home("ops")
    assert "Initech" in home.text
    details = await home.click("Open")
    assert PHONE in details.text


async def test_home_of_somebody_who_is_not_in_the_playbook(story: Story) -> None:
    await story.lead_arrives("Initech")
    await story.expect_dm("ann", "Initech")
    home = await story.home("zoe")
    assert "You are not in the playbook" in home.text
    assert "Initech" not in home.text


async def test_everybody_sees_the_status_few_the_phone_number(story: Story) -> None:
    await story.lead_arrives("Initech")
    card = await story.expect_dm("ann", "Initech")
    await card.click("Accept")
    for who in ("ann", "dana", "vp", "ops", "cmo"):
        said = await story.command(who, "/lead initech")
        assert PHONE in said.text, who
    for who in ("ben", "eve", "gus"):
        said = await story.command(who, "/lead initech")
        assert "Accepted, with Ann Lee" in said.text
        assert PHONE not in said.text + said.message.text, who
        assert "@" not in said.text + said.message.text, who
        assert "only for its rep" in said.text
    said = await story.command("zoe", "/lead initech")
    assert "You are not in the playbook" in said.text
    assert "Ann Lee" not in said.text


async def test_a_typo_finds_it_and_a_stranger_word_does_not(story: Story) -> None:
    await story.lead_arrives("Initech")
    await story.expect_dm("ann", "Initech")
    assert "Initech" in (await story.command("ben", "/lead Intiech")).text
    assert "Nothing found for “Umbrella”" in (await story.command("ben", "/lead Umbrella")).text


async def test_the_lists(story: Story) -> None:
    await story.lead_arrives("Initech")
    await story.expect_dm("ann", "Initech")
    assert "You have 1 lead, soonest due first." in (await story.command("ann", "/lead mine")).text
    assert "Nothing waits for you." in (await story.command("ben", "/lead mine")).text
    assert "1 lead open in emea" in (await story.command("dana", "/lead team")).text
    assert "Your team has no open leads." in (await story.command("gus", "/lead team")).text
    assert "Only managers can do that" in (await story.command("ann", "/lead team")).text
    assert "Nothing is overdue." in (await story.command("dana", "/lead overdue")).text
    await (story.card("ann", "Initech")).click("Accept")
    await story.fast_forward(to="2026-03-25 10:01")
    await story.expect_dm("ann", "Initech")
    await story.expect_dm("dana", "Initech")
    said = await story.command("dana", "/lead overdue")
    assert "1 lead overdue" in said.text
    assert "Initech" in said.text
    lead = await said.click("Open")
    assert "Reassign…" in lead.buttons


async def test_why(story: Story) -> None:
    await story.lead_arrives("Initech", source="contact_me")
    card = await story.expect_dm("ann", "Initech")
    await story.fast_forward(minutes=15)
    await story.expect_dm("ann", "Moved on")
    await story.expect_dm("ben", "Initech")
    await story.expect_dm("dana", "Initech")
    said = await story.command("dana", "/lead why initech")
    for words in ("DACH", "Ann Lee", "Ben Ode", "10:15", "definition v1"):
        assert words in said.text, words
    assert card.buttons == []
    why = await story.card("ben", "Initech").choose("Why me?")
    assert "DACH" in why.text


async def test_help_says_what_this_person_can_do(story: Story) -> None:
    rep = await story.command("ann", "/baton help")
    assert "As a rep" in rep.text
    assert "As a manager" not in rep.text
    assert "Dana Weiss" in rep.text
    boss = await story.command("vp", "/baton")
    assert "As a manager" in boss.text
    assert "As a rep" not in boss.text
    assert "You are not in the playbook" in (await story.command("zoe", "/baton help")).text
    assert "In marketing" in (await story.command("ops", "/lead help")).text


async def test_the_first_start_looks_everybody_up(database_url: str) -> None:
    async with story_of(database_url, known=False) as story:
        await story.lead_arrives("Initech")
        await story.expect_dm("ann", "Initech")
        await story.expect_nothing_else()
