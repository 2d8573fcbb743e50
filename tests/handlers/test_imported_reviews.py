"""Leads that were imported for review: one message to the channel, and marketing decides them from their Home tab."""

from __future__ import annotations

from bot.domain.lead import LeadFacts
from bot.services.announce_import import announce_review_import
from bot.services.work import Work
from tests.story import Story, lead_of
from tests.waiting_kit import in_review

OFFERED = ["Accept", "Reject…", "Recycle…"]


async def test_imported_leads_for_review_are_one_message_and_decided_on_home(story: Story) -> None:
    def put(work: Work) -> None:
        for n in range(18):
            in_review(work, LeadFacts(**lead_of(f"Old {n:02}")))
        assert announce_review_import(work, 7, 18)
        assert not announce_review_import(work, 7, 18)

    story.house.runtime.write_now(put)
    await story.settle()
    await story.expect_channel(
        "review", "18 imported leads wait for your review. They stand on your Home tab"
    )
    # What came back and has a clock stands before them, though it is younger.
    await story.lead_arrives("Globex")
    card = await story.expect_dm("ann", "Globex")
    reject = await card.click("Reject…")
    assert await reject.submit(reason="bad_data") == {}
    await story.expect_channel("review", "Globex")

    home = await story.home("ops")
    assert "Back with marketing (19)" in home.text
    assert home.text.index("Globex") < home.text.index("Old 00") < home.text.index("Old 01")
    assert "and 4 more" in home.text
    details = await home.click("Open", row="Old 00")
    assert "Decide by" not in details.text
    offer = await details.click("Offer again…")
    assert await offer.submit(target="rules") == {}
    assert story.holder("Old 00") == "ann"
    await story.expect_dm("ann", "Old 00", buttons=OFFERED)
    for row, button, values, status in (
        ("Old 01", "Nurture…", {"date": "2026-06-01"}, "nurturing"),
        ("Old 02", "Disqualify…", {"reason": "bad_data"}, "disqualified"),
    ):
        details = await (await story.home("ops")).click("Open", row=row)
        form = await details.click(button)
        assert await form.submit(**values) == {}
        assert story.status(row) == status
