"""What a manager does when a lead waits: take it, give it to somebody, ask, give time, excuse."""

from __future__ import annotations

from tests.story import Story
from tests.story_screen import Shown

OFFERED = ["Accept", "Reject…", "Recycle…"]
LOGS = ["Log call…", "Log email", "Log meeting"]


async def told_of_a_lapse(story: Story) -> Shown:
    """A hand raiser lapsed at Ann and is with Ben: Dana's message, at 10:15."""
    await story.lead_arrives("Initech", source="contact_me")
    await story.expect_dm("ann", "Initech")
    await story.fast_forward(minutes=15)
    await story.expect_dm("ann", "Moved on at 10:15")  # what was the reminder
    await story.expect_dm("ben", "Initech", buttons=OFFERED)
    return await story.expect_dm(
        "dana", "not accepted by 10:15", buttons=["Take it myself", "Reassign…", "Nudge Ben"]
    )


async def test_take_it_myself(story: Story) -> None:
    told = await told_of_a_lapse(story)
    await story.fast_forward(minutes=5)
    await told.click("Take it myself")
    assert (story.holder("Initech"), story.status("Initech")) == ("dana", "accepted")
    assert "accepted by you at 10:20, 20 min after asking. Nothing to do." in told.text
    assert told.buttons == []
    card = await story.expect_dm("dana", "Initech", buttons=LOGS)
    theirs = story.card("ben", "Initech")
    assert "Dana Weiss moved it" in theirs.text
    assert theirs.buttons == []
    await card.click("Log email")
    assert story.status("Initech") == "working"


async def test_reassign_also_to_who_let_it_lapse(story: Story) -> None:
    told = await told_of_a_lapse(story)
    form = await told.click("Reassign…")
    assert "Now with Ben Ode." in form.text
    assert "Ann Lee" in form.options("person")
    assert "Ben Ode" not in form.options("person"), "he has it"
    assert await form.submit(person="Ann Lee") == {}
    assert story.holder("Initech") == "ann"
    again = await story.expect_dm("ann", "Dana Weiss gave it to you.", buttons=OFFERED)
    assert "reassigned to Ann Lee by you" in told.text
    assert story.card("ben", "Initech").buttons == []
    await again.click("Accept")
    assert "accepted by Ann Lee" in told.text


async def test_nudge_once(story: Story) -> None:
    told = await told_of_a_lapse(story)
    await told.click("Nudge Ben")
    nudge = await story.expect_dm("ben", "Dana Weiss asks")
    assert nudge.thread_ts == story.card("ben", "Initech").ts
    assert "You nudged at 10:15." in told.text
    assert told.buttons == ["Take it myself", "Reassign…"]
    await told.click("Nudge Ben", as_first_seen=True)
    await story.expect_said("dana", "asked already")


async def test_more_time(story: Story) -> None:
    told = await told_of_a_lapse(story)
    assert story.due("Initech") == "2026-03-24 10:30"
    form = await told.choose("Give more time…")
    assert await form.submit(span="1 hour") == {}
    assert story.due("Initech") == "2026-03-24 11:30"
    assert "given more time by you" in told.text
    assert "Now due by 11:30" in told.text
    assert "Accept by 11:30" in story.card("ben", "Initech").text
    await story.fast_forward(to="2026-03-24 11:11")
    await story.expect_nothing_else()
    await story.fast_forward(to="2026-03-24 11:12")
    await story.expect_dm("ben", "Accept by 11:30", buttons=["Accept", "Pass on"])


async def test_excuse(story: Story) -> None:
    told = await told_of_a_lapse(story)
    form = await told.choose("Excuse Ann…")
    assert await form.submit() == {"note": "Please complete this required field."}
    assert await form.submit(note="She was in the dentist's chair.") == {}
    assert "Excuse Ann…" not in told.choices
    excused = [e for e in story.journal("Initech") if e.kind == "clock_excused"]
    assert len(excused) == 1
    assert told.buttons, "the lead still waits for Ben"


async def test_a_manager_may_recycle_what_nobody_answers(story: Story) -> None:
    told = await told_of_a_lapse(story)
    form = await told.choose("Recycle…")
    assert await form.submit(reason="not_now") == {}
    assert story.status("Initech") == "nurturing"
    assert "recycled by you" in told.text


async def test_another_teams_manager_may_not(story: Story) -> None:
    told = await told_of_a_lapse(story)
    await told.click("Take it myself", by="gus")
    # Slack shows him nothing in her conversation; nothing has changed either.
    assert story.holder("Initech") == "ben"
    await story.card("ben", "Initech").click("Accept")
