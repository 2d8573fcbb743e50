"""People who are away, leave, come and go: their offers move at once, their manager has the list."""

from __future__ import annotations

from tests.story import Story

OFFERED = ["Accept", "Reject…", "Recycle…"]


async def test_away_offers_move_at_once_and_the_manager_gets_the_list(story: Story) -> None:
    await story.lead_arrives("Initech")
    mine = await story.expect_dm("ann", "Initech")
    await mine.click("Accept")
    await story.lead_arrives("Globex")
    open_one = await story.expect_dm("ann", "Globex")

    said = await story.command("ann", "/baton away until monday")
    assert "You are away until Mon" in said.text
    assert "1 open offer went to the next rep." in said.text
    assert "Your 1 accepted lead keeps its clock; Dana Weiss has the list." in said.text
    assert "/baton back" in said.text

    await story.expect_dm("ben", "Globex", buttons=OFFERED)
    assert open_one.buttons == []
    handover = await story.expect_dm("dana", "Ann Lee is away until Mon")
    assert "Initech" in handover.text
    assert story.holder("Initech") == "ann", "her accepted lead stays hers"
    assert story.clock("Initech", "first_touch").ended_at is None

    # From the list Dana opens the lead and takes it.
    lead = await handover.click("Open", row="Initech")
    assert "Take it myself" in lead.buttons
    await lead.click("Take it myself")
    assert story.holder("Initech") == "dana"
    await story.expect_dm("dana", "Initech", buttons=["Log call…", "Log email", "Log meeting"])


async def test_while_away_nothing_comes_and_back_it_does(story: Story) -> None:
    await story.command("ann", "/baton away")
    await story.lead_arrives("Initech")
    await story.expect_dm("ben", "Initech")
    said = await story.command("ann", "/baton back")
    assert "You are back. New leads come as usual." in said.text
    await story.lead_arrives("Globex")
    await story.expect_dm("ann", "Globex")
    assert "not away" in (await story.command("ann", "/baton back")).text


async def test_an_absence_ends_by_itself(story: Story) -> None:
    await story.command("ann", "/baton away until thursday")
    await story.fast_forward(to="2026-03-26 09:00")
    await story.lead_arrives("Initech")
    await story.expect_dm("ann", "Initech")


async def test_a_manager_says_it_for_somebody(story: Story) -> None:
    await story.lead_arrives("Initech")
    await story.expect_dm("ann", "Initech")
    said = await story.command("dana", f"/baton away <@{story.user('ann')}|ann> until friday")
    assert "Ann Lee is away until" in said.text
    await story.expect_dm("ben", "Initech")
    said = await story.command("ben", f"/baton back <@{story.user('ann')}>")
    assert "Your role does not allow that" in said.text
    said = await story.command("gus", f"/baton back <@{story.user('ann')}>")
    assert "Your role does not allow that" in said.text


async def test_words_that_name_no_day(story: Story) -> None:
    said = await story.command("ann", "/baton away until the cows come home")
    assert "I do not know when" in said.text
    await story.lead_arrives("Initech")
    await story.expect_dm("ann", "Initech")  # she is not away


async def test_somebody_leaves_the_playbook(story: Story) -> None:
    await story.lead_arrives("Initech")
    await (await story.expect_dm("ann", "Initech")).click("Accept")
    await story.lead_arrives("Globex")
    card = await story.expect_dm("ann", "Globex")
    await story.playbook_changes(
        (
            "  ann@acme.example: {name: Ann Lee, roles: [rep], languages: [de, en],"
            " timezone: Europe/Vienna}\n",
            "",
        ),
        ("members: [ann@acme.example, ben@acme.example]", "members: [ben@acme.example]"),
    )
    await story.expect_dm("ben", "Globex", buttons=OFFERED)
    left = await story.expect_dm("dana", "Ann Lee is not in the playbook any more")
    assert "Initech" in left.text
    await card.click("Accept", as_first_seen=True)
    await story.expect_said("ann", "not in the playbook")
    assert story.holder("Globex") == "ben"


async def test_a_closed_account_hands_everything_on(story: Story) -> None:
    await story.lead_arrives("Initech")
    await (await story.expect_dm("ann", "Initech")).click("Accept")
    await story.lead_arrives("Globex")
    await story.expect_dm("ann", "Globex")
    await story.deactivate("ann")
    await story.expect_dm("ben", "Globex", buttons=OFFERED)
    left = await story.expect_dm("dana", "Ann Lee")
    assert "Initech" in left.text
    await story.lead_arrives("Umbrella")
    assert story.holder("Umbrella") == "ben"
    await story.expect_dm("ben", "Umbrella")


async def test_slack_does_not_know_somebody(story: Story) -> None:
    await story.playbook_changes(
        (
            "  ben@acme.example:",
            "  kim@acme.example: {name: Kim Roe, roles: [rep]}\n  ben@acme.example:",
        ),
        (
            "[ann@acme.example, ben@acme.example]",
            "[kim@acme.example, ann@acme.example, ben@acme.example]",
        ),
    )
    await story.lead_arrives("Initech")
    assert story.holder("Initech") == "ann"
    await story.expect_dm("ann", "Initech")
