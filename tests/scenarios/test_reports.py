"""Reports that go by themselves, and those that somebody asks for; told as people see them."""

from __future__ import annotations

import pytest

from sandbox.model import Message
from tests.story import Story
from tests.story_house import playbook_text, story_of

OFF = "reports: {weekly: off, digest: off, monthly: off}"
ON = "reports: {channel: C0EMEA01}"


def told(story: Story, channel: str, begins: str) -> list[Message]:
    """The messages of a conversation, threads left out, that begin so."""
    found = story.workspace.messages[channel].values()
    return [
        m for m in found if m.text.startswith(begins) and not m.thread_ts and not m.ephemeral_to
    ]


async def test_a_week_and_a_morning_are_told_once_to_those_whom_they_concern(
    database_url: str,
) -> None:
    playbook = playbook_text().replace(OFF, ON)
    async with story_of(
        database_url, name="reports", playbook=playbook, start="2026-03-27 10:00"
    ) as story:
        await story.lead_arrives("Initech")
        card = await story.expect_dm("ann", "Initech")
        await card.click("Accept")
        await card.click("Log email")
        await story.lead_arrives("Globex")

        # Monday: each manager in their own morning.
        await story.fast_forward(to="2026-03-30 08:29")
        assert not told(story, story.dm("dana"), "emea:")
        await story.fast_forward(to="2026-03-30 08:31")
        (morning,) = told(story, story.dm("dana"), "emea:")
        assert "Globex" in morning.text
        assert story.name(story.holder("Globex")) in morning.text
        assert "Fri 27 March: 2 offered" in morning.text
        assert not told(story, story.dm("vp"), "emea:")
        assert not told(story, story.dm("gus"), "americas:"), "nothing needs him, nothing happened"

        # And the week, to the channel of both teams, its rest in the thread.
        await story.fast_forward(to="2026-03-30 09:01")
        (week,) = told(story, "C0EMEA01", "Week 13:")
        assert week.text.startswith("Week 13: 2 offered")
        assert "50 % answered in time" in week.text
        assert [block["type"] for block in week.blocks][:2] == ["rich_text", "data_visualization"]
        (rest,) = [
            m for m in story.workspace.messages["C0EMEA01"].values() if m.thread_ts == week.ts
        ]
        assert "By source" in rest.text
        assert "Ann" not in week.text + rest.text

        await story.fast_forward(to="2026-03-30 18:00")
        assert len(told(story, "C0EMEA01", "Week 13:")) == 1

        said = await story.command("eve", "/baton report this week")
        assert said.text.startswith("Week 14")
        said = await story.command("dana", "/baton report EMEA last week")
        assert said.text.startswith("Week 13, emea")
        assert "not for a team of fewer than 6 reps" in said.text
        said = await story.command("ann", "/baton report emea 2026-W13")
        assert "You" in said.text.split("\n")
        assert "2 of 3 in time" in said.text, "she let one offer lapse, and only she is told"
        said = await story.command("eve", "/baton report atlantis")
        assert "Teams: americas, emea" in said.text
        said = await story.command("eve", "/baton report what pick-up")
        assert said.text.startswith("Picked up (picked_up)")
        said = await story.command("zoe", "/baton report")
        assert "not in the playbook" in said.text


async def test_figures_that_take_longer_than_slack_waits_are_told_after(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handlers.desk.ANSWER_WITHIN", 0.0)
    for asked, told_later in (("report all", "no lead"), ("report emea", "no lead")):
        await story.workspace.command(story.user("ann"), story.dm("ann"), "/baton", asked)
        await story.settle()
        await story.expect_said("ann", "Counting.")
        await story.expect_said("ann", told_later)
