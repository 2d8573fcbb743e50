"""Slack on a bad day: late, busy, broken, or somebody who cannot be reached. No lead is lost, a manager knows."""

from __future__ import annotations

from tests.story import Story

OFFERED = ["Accept", "Reject…", "Recycle…"]


async def test_a_card_that_comes_late_gives_the_time_back(story: Story) -> None:
    story.workspace.faults.add("chat.postMessage", "ratelimited", retry_after=600)
    await story.lead_arrives("Initech")
    await story.expect_nothing_else()
    await story.fast_forward(minutes=10)
    card = await story.expect_dm("ann", "Initech", buttons=OFFERED)
    assert story.due("Initech") == "2026-03-24 15:10"
    await story.settle()
    assert "Accept by 15:10" in card.text
    late = [e for e in story.journal("Initech") if e.kind == "delivered"]
    assert [e.data["late_seconds"] for e in late] == [600]


async def test_busy_for_a_moment(story: Story) -> None:
    story.workspace.faults.add("chat.postMessage", "ratelimited", retry_after=2)
    await story.lead_arrives("Initech")
    await story.expect_nothing_else()
    await story.fast_forward(minutes=1)
    await story.expect_dm("ann", "Initech", buttons=OFFERED)
    assert story.due("Initech") == "2026-03-24 15:00", "two seconds are no delay"


async def test_an_error_of_slacks_own(story: Story) -> None:
    story.workspace.faults.add("chat.postMessage", "http_500")
    await story.lead_arrives("Initech")
    await story.fast_forward(minutes=1)
    await story.expect_dm("ann", "Initech", buttons=OFFERED)


async def test_posted_but_the_answer_was_lost(story: Story) -> None:
    """Nobody knows whether it was posted, until Baton looks. She can use the card at once; it stays the only one."""
    story.workspace.faults.add("chat.postMessage", "accept_then_reset")
    await story.lead_arrives("Initech")
    card = await story.expect_dm("ann", "Initech", buttons=OFFERED)
    await card.click("Accept")
    assert story.status("Initech") == "accepted"
    await story.fast_forward(minutes=1)
    assert card.buttons == ["Log call…", "Log email", "Log meeting"]
    await story.fast_forward(minutes=6)
    await story.expect_nothing_else()
    assert len(story.offers("Initech")) == 1


async def test_a_lost_edit_is_made_again(story: Story) -> None:
    await story.lead_arrives("Initech")
    card = await story.expect_dm("ann", "Initech")
    story.workspace.faults.add("chat.update", "reset")
    await card.click("Accept")
    assert story.status("Initech") == "accepted"
    await story.fast_forward(minutes=1)
    assert card.buttons == ["Log call…", "Log email", "Log meeting"]


async def test_a_rep_whose_account_is_closed_before_we_hear_of_it(story: Story) -> None:
    story.workspace.set_deactivated(story.user("ann"), True)
    await story.lead_arrives("Initech")
    await story.expect_dm("ben", "Initech", buttons=OFFERED)
    assert [o.state for o in story.offers("Initech")] == ["undeliverable", "open"]
    told = await story.expect_dm("dana", "did not reach Ann Lee")
    assert "their Slack account is deactivated" in told.text
    assert "Offered to the next rep" in told.text
    # She is not asked again, and Dana is not told again.
    await story.lead_arrives("Globex")
    await story.expect_dm("ben", "Globex", buttons=OFFERED)


async def test_marketings_channel_is_archived(story: Story) -> None:
    story.workspace.archive("C0REVIEW1")
    await story.lead_arrives("Initech")
    card = await story.expect_dm("ann", "Initech")
    await (await card.click("Reject…")).submit(reason="bad_data")
    assert story.status("Initech") == "review"
    told = await story.expect_dm("dana", "did not reach")
    assert "the channel is archived" in told.text


async def test_a_form_that_slack_does_not_open_harms_nothing(story: Story) -> None:
    await story.lead_arrives("Initech")
    card = await story.expect_dm("ann", "Initech")
    story.workspace.faults.add("views.open", "error", error="expired_trigger_id")
    form = await card.click("Reject…")
    assert not form.is_open
    assert story.status("Initech") == "offered"
    assert (await card.click("Reject…")).is_open
