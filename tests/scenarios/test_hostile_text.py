"""Whatever stands in a lead is shown as it is: it cannot ping, link, format, or make a card say something else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.story import Story

COMPANY = "<!channel> *Acme* & <https://evil.example|Sons> \u202egnp.exe"
FIELDS: dict[str, Any] = {
    "external_id": "x1",
    "email": "jana@initech.example",
    "first_name": "<@U0BATONBOT>",
    "last_name": "_Novak_ ~x~ `y`",
    "title": "<!here> " + "VP " * 400,
    "message": "*bold* <!everyone> https://evil.example\n> quoted\n```code```",
    "campaign": "<!subteam^S1>",
    "score_reasons": ["<!channel>", "*"],
}
BIDI = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every object inside blocks."""
    if isinstance(value, dict):
        yield value
        for each in value.values():
            yield from objects(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from objects(each)


def is_harmless(text: str, blocks: Any) -> None:
    """What Slack would do with it: a text is parsed, mrkdwn is parsed, the rest is literal."""
    assert "<" not in text, text
    assert not BIDI & set(text), text
    for found in objects(list(blocks)):
        assert found.get("type") not in ("mrkdwn", "user", "usergroup", "broadcast", "channel"), (
            found
        )
        assert found.get("type") != "link", found
        assert not BIDI & set(str(found.get("text", ""))), found


async def test_hostile_text_is_literal_everywhere(story: Story) -> None:
    await story.lead_arrives(COMPANY, source="contact_me", **FIELDS)
    card = await story.expect_dm("ann", "VP VP")
    assert "<!channel> *Acme* & <https://evil.example|Sons> gnp.exe" in card.text, "as it is"
    await story.fast_forward(minutes=15)
    await story.expect_dm("ann", "Moved on")
    theirs = await story.expect_dm("ben", "VP VP")
    told = await story.expect_dm("dana", "not accepted by 10:15")
    await story.home("ben")
    await story.home("dana")
    form = await theirs.click("Reject…")
    is_harmless("", form.view.blocks if form.view else [])
    for typed in ("/lead acme", "/lead why acme", "/lead mine", "/lead <!channel>", "/lead *"):
        await story.command("ben", typed)
    await form.submit(reason="other", note="<!channel> *see* <@U0BATONBOT>")
    back = await story.expect_channel("review", "back with marketing")
    await back.choose("Details")
    assert told.buttons == []

    for of_one in story.workspace.messages.values():
        for message in of_one.values():
            is_harmless(message.text.replace("&lt;", "").replace("&gt;", ""), message.blocks)
    for home in story.workspace.homes.values():
        is_harmless("", home.blocks)
    for stack in story.workspace.modals.values():
        for view in stack:
            is_harmless("", view.blocks)
