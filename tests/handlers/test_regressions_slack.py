"""Slack's doors: who was let in without saying from where, and leads that were turned away because Slack was down."""

from __future__ import annotations

from urllib.parse import urlencode

from tests.handlers.test_slack_payloads import slack_says
from tests.story import Story, lead_of
from tests.story_house import story_of


async def test_a_command_that_does_not_say_its_workspace_is_refused(story: Story) -> None:
    said = {"command": "/baton", "text": "away", "user_id": story.user("ann"), "channel_id": "D1"}
    status, answer = await slack_says(story, urlencode(said).encode())
    assert status == 200
    assert "workspace" in answer
    assert "Home" not in answer
    with_team = {**said, "team_id": "T0SANDBOX", "text": "help"}
    status, answer = await slack_says(story, urlencode(with_team).encode())
    assert (status, "workspace" in answer) == (200, False)


async def test_leads_are_taken_after_a_restart_while_slack_is_down(database_url: str) -> None:
    async with story_of(database_url, slack_answers=False, known=True) as story:
        status, body = await story.workspace.post_lead(lead_of("Globex", source="contact_me"))
        assert (status, body["results"][0]["status"]) == (202, "accepted")
        assert story.status("Globex") == "offered"
        assert (await story.get("/readyz"))[0] == 503
