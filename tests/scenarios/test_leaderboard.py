"""A challenge from the form to the winners, by real clicks: who sees what, and who is never named."""

from __future__ import annotations

from tests.story import Story
from tests.story_screen import Form, words_of

NAMES = ("channel: C0EMEA01\n", "channel: C0EMEA01\n    people_figures: named\n")


async def opened_form(story: Story, who: str) -> Form:
    """`/baton challenge`, which answers with a form."""
    await story.workspace.command(story.user(who), story.dm(who), "/baton", "challenge")
    await story.settle()
    return story.form(who)


async def worked(story: Story, company: str, who: str) -> None:
    """A lead comes to somebody, who accepts it and calls."""
    await story.lead_arrives(company, source="contact_me", language="de" if who == "ann" else "en")
    card = await story.expect_dm(who, company)
    await card.click("Accept")
    await (await card.click("Log call…")).submit(outcome="reached")


async def test_from_the_form_to_the_winners(story: Story) -> None:
    await story.playbook_changes(NAMES)
    form = await opened_form(story, "dana")
    faults = await form.submit(name="Spring challenge", begins="2026-03-24", ends="2026-03-23")
    assert list(faults) == ["ends"]
    assert "before it begins" in faults["ends"]
    today = {"begins": "2026-03-24", "ends": "2026-03-24"}
    prize = "Dinner for <!channel>"
    assert await form.submit(name="Spring challenge", minimum="1", prizes=prize, **today) == {}
    assert "It runs from now on." in story.form("dana").text
    await story.form("dana").close()

    ann = await story.expect_dm(
        "ann", "Spring challenge", buttons=["Join the board", "Stay private"]
    )
    ben = await story.expect_dm(
        "ben", "Spring challenge", buttons=["Join the board", "Stay private"]
    )
    await ann.click("Join the board")
    assert ann.buttons == ["Stay private"]
    await ben.click("Join the board")

    await worked(story, "Initech", "ann")
    await worked(story, "Globex", "ann")
    await story.lead_arrives("Hooli", source="webinar", language="en")
    await story.expect_dm("ben", "Hooli")
    await story.fast_forward(to="2026-03-24 15:05")
    await story.expect_dm("ben", "Hooli")  # he was reminded, then it went on
    card = await story.expect_dm("ann", "Hooli")
    await card.click("Accept")
    await story.fast_forward(to="2026-03-24 16:00")

    board = await story.expect_channel("emea", "in time so far", by="dana")
    assert "1 Ann Lee" in board.text
    assert "Ben" not in board.text + board.message.text, "the lower half is never named"
    assert "last day" in board.text
    assert "Prize: Dinner for ‹!channel›" in board.text
    assert "<!channel>" not in board.text + board.message.text
    assert "other" not in board.text, "of two, one other is somebody"
    assert any(block["type"] == "data_visualization" for block in board.message.blocks)

    mine = await story.command("ann", "/leaderboard")
    assert "you are 1st of 2" in mine.text
    assert "accepted in time 2 of 2" in mine.text
    assert "Ann" not in (await story.command("ben", "/leaderboard")).text
    assert "1 Ann Lee" in (await story.command("dana", "/leaderboard")).text
    assert "No challenge runs for you" in (await story.command("eve", "/leaderboard")).text
    assert "not in the playbook" in (await story.command("zoe", "/leaderboard")).text
    assert "Spring challenge: you are" in (await story.home("ben")).text

    await mine.click("Stay private")
    await story.expect_said("ann", "stays off the board")
    assert ann.buttons == ["Join the board"]
    assert "Ann Lee" not in board.text, "the post is edited, not made again"

    await story.fast_forward(to="2026-03-25 09:01")
    end = await story.expect_channel("emea", "Spring challenge is over", by="dana")
    assert "The winner stays private, and knows." in end.text
    assert f"Prize: {prize}" in words_of(end.message.blocks), "rich text shows it literally"
    assert ann.buttons == []
    listed = await story.command("dana", "/baton challenge list")
    assert "finished" in listed.text
    assert "You are not" not in listed.text


async def test_a_draft_is_started_and_called_off_from_the_list(story: Story) -> None:
    await story.command("ann", "/baton challenge")  # a rep may not: a sentence, and no form
    assert not story.form("ann").is_open
    form = await opened_form(story, "dana")
    assert await form.submit(name="Quiet one", options="draft") == {}
    assert "Draft saved." in story.form("dana").text
    await story.form("dana").close()
    listed = await story.command("dana", "/baton challenge list")
    assert listed.buttons == ["Schedule", "Start now", "Cancel", "New challenge…"]
    await listed.click("Schedule")
    await story.expect_said("dana", "Scheduled.")
    listed = await story.command("dana", "/baton challenge list")
    assert listed.buttons == ["Start now", "Cancel", "New challenge…"]
    await listed.click("Start now")
    await story.expect_said("dana", "It runs from now on.")
    asked = await story.expect_dm("ann", "Quiet one", buttons=[])
    assert "totals" in asked.text or "total only" in asked.text, "a team of two stays unnamed"
    await story.expect_dm("ben", "Quiet one", buttons=[])
    assert "Cancelled." in (await story.command("dana", "/baton challenge cancel quiet one")).text
    assert "was cancelled" in asked.text
