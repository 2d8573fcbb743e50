"""The main way of a lead: offered, accepted, called, qualified, closed."""

from __future__ import annotations

from tests.story import Story


async def test_offer_accept_call_qualify_close_won(story: Story) -> None:
    await story.lead_arrives("Globex", message="We need a new dialler.")
    card = await story.expect_dm("ann", "Globex", buttons=["Accept", "Reject…", "Recycle…"])
    print(card.text, card.notification)
