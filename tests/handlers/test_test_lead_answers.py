"""What somebody answers to a `[TEST]` lead: it works like any card, and whatever would hand it on ends it.

What is not here: that no figure counts it (`tests.scenarios.test_test_lead`).
"""

from __future__ import annotations

import pytest

from bot.domain.refusal import Refusal
from bot.services.end_test_lead import end_test
from bot.services.manage_lead import take
from bot.services.send_test_lead import Sent, send_test_lead
from storage import offers
from storage.offers import OfferRow
from tests.scenarios.test_test_lead import OFFERED, newest, send_test
from tests.story import Story


def offers_of(story: Story, lead_id: int) -> list[OfferRow]:
    """Every offer of a lead."""
    return story.house.runtime.read_now(lambda work: offers.list_offers(work.conn, lead_id))


async def test_a_no_ends_it_and_nobody_else_gets_it(story: Story) -> None:
    card = await send_test(story, "ann")
    form = await card.click("Reject…")
    assert await form.submit(reason="bad_data") == {}
    assert newest(story) == "disqualified"
    assert "You rejected it" in card.text
    assert "It counted nowhere" in card.text

    card = await send_test(story, "ann")
    await card.choose("Pass on, I'm busy")
    assert newest(story) == "disqualified"

    card = await send_test(story, "ann")
    await card.click("Accept")
    form = await card.choose("Give back…")
    assert await form.submit(reason="wrong_territory") == {}
    assert newest(story) == "disqualified"

    card = await send_test(story, "ann")
    form = await card.click("Recycle…")
    assert await form.submit(reason="not_now") == {}
    assert newest(story) == "nurturing"
    again = await send_test(story, "ann")
    assert [r.status for r in story.leads()] == ["disqualified"] * 4 + ["offered"]

    offer_id = story.leads()[-1].current_offer_id or ""
    await story.lead_arrives("Initech")
    await story.expect_dm("ann", "Initech")
    with pytest.raises(RuntimeError, match="is no test"):
        await story.house.runtime.write(lambda work: end_test(work, story.lead("Initech")))

    # Her manager cannot take it, and it does not go on when she is away.
    taken = await story.house.runtime.write(
        lambda work: take(work, work.roster.by_email["dana@acme.example"], offer_id)
    )
    assert isinstance(taken, Refusal)
    assert newest(story) == "offered"
    assert again.buttons == OFFERED
    await story.command("ann", "/baton away until monday")
    await story.expect_dm("ben", "Initech")
    assert newest(story) == "disqualified"
    owners = {o.rep_id for r in story.leads() if r.kind == "test" for o in offers_of(story, r.id)}
    assert len(owners) == 1, "all of it was hers"


async def test_whoever_runs_baton_can_try_a_card_without_being_a_rep(story: Story) -> None:
    card = await send_test(story, "ops")
    await card.click("Accept")
    assert newest(story) == "accepted"
    await story.deactivate("ops")
    assert newest(story) == "accepted"
    refused = await story.house.runtime.write(lambda work: send_test_lead(work, "ops@acme.example"))
    assert not isinstance(refused, Sent)
    assert refused.code == "deactivated"

    # A card that Slack does not take ends it; no manager gets a notice about a test.
    story.workspace.faults.add("chat.postMessage", "error", error="channel_not_found")
    sent = await story.house.runtime.write(lambda work: send_test_lead(work, "ann@acme.example"))
    assert isinstance(sent, Sent)
    await story.settle()
    assert newest(story) == "disqualified"
    await story.expect_nothing_else()
