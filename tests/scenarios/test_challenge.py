"""A challenge of the playbook from its first day to its winners, as everybody meets it in Slack.

What is not here: what the board and `/leaderboard` show to whom (`test_leaderboard`).
"""

from __future__ import annotations

from tests.story import Story

CHALLENGE = """
challenges:
  - name: Spring challenge
    from: 2026-03-25
    to: 2026-03-25
    teams: [emea, americas]
    kind: race
    minimum: 1
    points: {accept: 1, first_touch: 2}
    prizes: [dinner for the team]
    channel: C0EMEA01
    post: mon-fri 16:00

reasons:"""
ASKED = ["Join the board", "Stay private"]


async def test_from_the_first_day_to_the_winners(story: Story) -> None:
    await story.playbook_changes(
        ("    channel: C0EMEA01\n", "    channel: C0EMEA01\n    people_figures: named\n"),
        ("    channel: C0AMER01\n", "    channel: C0AMER01\n    people_figures: named\n"),
        ("\nreasons:", CHALLENGE),
    )
    await story.fast_forward(to="2026-03-25 08:59")
    await story.expect_nothing_else()
    await story.fast_forward(to="2026-03-25 09:01")
    asked = await story.expect_dm("ann", "Spring challenge", buttons=ASKED)
    await asked.click("Join the board")
    assert asked.buttons == ["Stay private"]
    other = await story.expect_dm("ben", "Spring challenge", buttons=ASKED)
    await other.click("Stay private")
    assert other.buttons == ["Join the board"]

    await answered(story, "Globex", "ann")
    await story.fast_forward(to="2026-03-25 16:01")  # 09:00 in New York was in between
    for who in ("eve", "fay"):
        await story.expect_dm(who, "Spring challenge", buttons=ASKED)
    board = await story.expect_channel("emea", "100 %")
    assert "2 of 2" in board.text
    assert "Ann Lee" in board.text

    await answered(story, "Initech", "ben")
    await story.fast_forward(to="2026-03-25 17:01")
    assert "4 of 4" in board.text, "the same post"
    assert "Ben Ode" not in board.text
    await story.expect_nothing_else()

    await story.fast_forward(to="2026-03-26 08:59")
    await story.expect_nothing_else()
    await story.fast_forward(to="2026-03-26 09:01")
    end = await story.expect_channel("emea", "Spring challenge is over")
    assert "4 of 4" in end.text
    assert "Won by Ann Lee and 1 colleague" in end.text
    assert "dinner for the team" in end.text
    assert asked.buttons == []
    await story.expect_nothing_else()


async def answered(story: Story, company: str, who: str) -> None:
    """A lead comes to somebody, who accepts it and writes to it."""
    await story.lead_arrives(company, language="de" if who == "ann" else "en")
    card = await story.expect_dm(who, company)
    await story.fast_forward(minutes=3)
    await card.click("Accept")
    await story.fast_forward(minutes=3)
    await card.click("Log email")
    await story.fast_forward(minutes=5)
