"""Clicks that come twice, too late, or from the wrong person: one winner, a plain sentence, a card that is right."""

from __future__ import annotations

import asyncio

from tests.story import Story
from tests.story_screen import click_payload

OFFERED = ["Accept", "Reject…", "Recycle…"]
LOGS = ["Log call…", "Log email", "Log meeting"]


async def test_a_double_click_accepts_once(story: Story) -> None:
    await story.lead_arrives("Initech")
    card = await story.expect_dm("ann", "Initech")
    await asyncio.gather(*(card.click("Accept", as_first_seen=True) for _ in range(2)))
    assert story.status("Initech") == "accepted"
    assert card.buttons == LOGS
    await story.expect_said("ann", "That is done already. Nothing has changed.")
    moves = [e.data["action"] for e in story.journal("Initech") if e.kind == "moved"]
    assert moves.count("accept") == 1


async def test_accept_and_pass_on_at_once_have_one_winner(story: Story) -> None:
    await story.lead_arrives("Initech")
    card = await story.expect_dm("ann", "Initech")
    await asyncio.gather(
        card.click("Accept", as_first_seen=True),
        card.click("Pass on, I'm busy", as_first_seen=True),
    )
    if story.holder("Initech") == "ann":
        assert story.status("Initech") == "accepted"
    else:
        assert story.holder("Initech") == "ben"
        await story.expect_dm("ben", "Initech", buttons=OFFERED)
    await story.expect_said("ann")
    winners = [e for e in story.journal("Initech") if e.kind == "moved"]
    assert len(winners) == 2  # judged, and one answer


async def test_an_old_screen_is_told_where_the_lead_went(story: Story) -> None:
    await story.lead_arrives("Initech", source="contact_me")
    card = await story.expect_dm("ann", "Initech")
    await story.fast_forward(minutes=15)
    await story.expect_dm("ann", "Moved on")
    await story.expect_dm("dana", "Initech")
    theirs = await story.expect_dm("ben", "Initech", buttons=OFFERED)
    await card.click("Accept", as_first_seen=True)
    await story.expect_said("ann", "It moved on. Yours: /lead mine")
    await theirs.click("Accept")
    await card.click("Reject…", as_first_seen=True)
    await story.expect_said("ann", "Ben Ode accepted it at 10:15. Yours: /lead mine")
    assert story.holder("Initech") == "ben"


async def test_a_form_that_was_open_when_the_lead_moved_on(story: Story) -> None:
    await story.lead_arrives("Initech", source="contact_me")
    card = await story.expect_dm("ann", "Initech")
    form = await card.click("Reject…")
    await story.fast_forward(minutes=15)
    await story.expect_dm("ann", "Moved on")
    await story.expect_dm("dana", "Initech")
    await story.expect_dm("ben", "Initech")
    assert await form.submit(reason="bad_data") == {}
    assert "It moved on. Yours: /lead mine" in form.text
    assert story.holder("Initech") == "ben"


async def test_a_colleague_cannot_accept_for_somebody_else(story: Story) -> None:
    await story.lead_arrives("Initech")
    card = await story.expect_dm("ann", "Initech")
    await card.click("Accept", by="ben")
    assert (story.holder("Initech"), story.status("Initech")) == ("ann", "offered")
    assert card.buttons == OFFERED


async def test_somebody_who_is_not_in_the_playbook(story: Story) -> None:
    await story.lead_arrives("Initech")
    card = await story.expect_dm("ann", "Initech")
    await (await card.click("Reject…")).submit(reason="bad_data")
    back = await story.expect_channel("review", "Initech")
    for label in ("I'll take it", "Offer again…"):
        await back.click(label, by="zoe")
        await story.expect_said("zoe", "You are not in the playbook, so Baton cannot act for you.")
    assert story.status("Initech") == "review"
    assert story.lead("Initech").reviewer_id is None


async def test_a_rep_cannot_do_marketings_work(story: Story) -> None:
    await story.lead_arrives("Initech")
    card = await story.expect_dm("ann", "Initech")
    await (await card.click("Reject…")).submit(reason="bad_data")
    back = await story.expect_channel("review", "Initech")
    await back.click("I'll take it", by="ann")
    assert story.lead("Initech").reviewer_id is None


async def test_somebody_whose_account_was_closed(story: Story) -> None:
    await story.lead_arrives("Initech")
    card = await story.expect_dm("ann", "Initech")
    await story.deactivate("ann")
    theirs = await story.expect_dm("ben", "Initech")
    await card.click("Accept", as_first_seen=True)
    assert (story.holder("Initech"), story.status("Initech")) == ("ben", "offered")
    await theirs.click("Accept")


async def test_another_workspace_is_not_served(story: Story) -> None:
    await story.lead_arrives("Initech")
    card = await story.expect_dm("ann", "Initech")
    block = next(b for b in card.first.blocks if b["type"] == "actions")
    payload = click_payload(story, "ann", card.first, block, block["elements"][0], None)
    payload["team"] = {"id": "T0OTHER", "domain": "other"}
    payload["user"]["team_id"] = "T0OTHER"
    answer = await story.workspace.dispatch.interact(payload)
    assert answer.status < 500
    await story.settle()
    assert story.status("Initech") == "offered"
