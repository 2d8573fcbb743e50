"""News about a known lead: another webhook, a hand raise, the same person under another key, old news."""

from __future__ import annotations

from tests.story import Story

OFFERED = ["Accept", "Reject…", "Recycle…"]


async def test_a_second_webhook_changes_fields_and_says_so_in_the_thread(story: Story) -> None:
    await story.lead_arrives("Initech", title="VP Sales")
    card = await story.expect_dm("ann", "Initech")
    await story.fast_forward(minutes=10)
    result = await story.lead_arrives("Initech", title="Chief Sales Officer", visits=7)
    assert result["status"] == "updated"
    line = await story.expect_dm("ann", "Jana Novak just")
    assert line.thread_ts == card.ts
    assert "Chief Sales Officer" in card.text
    assert (story.status("Initech"), story.holder("Initech")) == ("offered", "ann")
    assert story.due("Initech") == "2026-03-24 15:00", "news changes no clock"
    assert (await story.lead_arrives("Initech", title="Chief Sales Officer"))[
        "status"
    ] == "duplicate"


async def test_a_hand_raise_tightens_the_clock(story: Story) -> None:
    await story.lead_arrives("Initech")
    card = await story.expect_dm("ann", "Initech")
    await story.fast_forward(minutes=30)
    await story.lead_arrives("Initech", source="contact_me")
    line = await story.expect_dm("ann", "asked for a call again: accept by 10:45")
    assert line.thread_ts == card.ts
    assert "Accept by 10:45" in card.text
    assert story.due("Initech") == "2026-03-24 10:45"
    await story.fast_forward(to="2026-03-24 10:45")
    await story.expect_dm("ann", "Moved on at 10:45")
    await story.expect_dm("dana", "not accepted by 10:45")  # as for every hand raiser now
    await story.expect_dm("ben", "Initech", buttons=OFFERED)


async def test_older_news_changes_nothing(story: Story) -> None:
    await story.lead_arrives("Initech", title="CEO")
    card = await story.expect_dm("ann", "Initech")
    await story.fast_forward(minutes=10)
    result = await story.lead_arrives(
        "Initech", title="Intern", source="contact_me", occurred_at="2026-03-20T08:00:00+01:00"
    )
    assert result["status"] == "duplicate"
    assert story.lead("Initech").title == "CEO"
    assert "CEO" in card.text
    assert story.due("Initech") == "2026-03-24 15:00"


async def test_the_same_personal_address_is_the_same_lead(story: Story) -> None:
    await story.lead_arrives("Initech", external_id="form-1", email="bill@initech.example")
    await story.expect_dm("ann", "Initech")
    await story.fast_forward(minutes=10)
    result = await story.lead_arrives(
        "Initech", external_id="form-2", email="Bill@Initech.example", title="VP"
    )
    assert result["status"] == "updated"
    await story.expect_dm("ann", "just")
    assert len(story.leads()) == 1


async def test_a_role_mailbox_never_joins(story: Story) -> None:
    await story.lead_arrives("Initech", external_id="a", email="info@initech.example")
    await story.lead_arrives("Initech", external_id="b", email="info@initech.example")
    for _ in range(2):
        await story.expect_dm("ann", "Initech", buttons=OFFERED)
    assert len(story.leads()) == 2


async def test_below_the_bar_until_it_scores(story: Story) -> None:
    await story.lead_arrives("Initech", source_score=10)
    assert story.status("Initech") == "nurturing"
    await story.fast_forward(days=1)
    await story.lead_arrives("Initech", source_score=20, visits=2)
    assert story.status("Initech") == "nurturing"
    await story.fast_forward(days=1)
    await story.lead_arrives("Initech", source_score=75, visits=9)
    await story.expect_dm("ann", "Initech", buttons=OFFERED)
    assert story.lead("Initech").round == 2


async def test_an_agreed_rest_is_kept_but_for_a_hand_raise(story: Story) -> None:
    await story.lead_arrives("Initech")
    card = await story.expect_dm("ann", "Initech")
    await (await card.click("Recycle…")).submit(reason="no_budget")
    await story.fast_forward(days=1)
    await story.lead_arrives("Initech", visits=3)
    assert story.status("Initech") == "nurturing"
    await story.fast_forward(days=1)
    await story.lead_arrives("Initech", source="contact_me")
    assert story.status("Initech") == "offered"
    await story.expect_dm("ann", "Initech", buttons=OFFERED)


async def test_a_hand_raise_reopens_a_lost_lead(story: Story) -> None:
    await story.lead_arrives("Initech")
    card = await story.expect_dm("ann", "Initech")
    await card.click("Accept")
    await (await card.choose("Qualify…")).submit()
    await (await card.click("Close…")).submit(outcome="Lost", note="Went elsewhere")
    assert story.status("Initech") == "lost"
    await story.fast_forward(days=7)
    await story.lead_arrives("Initech", visits=3)
    assert story.status("Initech") == "lost"
    await story.fast_forward(minutes=10)
    await story.lead_arrives("Initech", source="contact_me")
    assert story.status("Initech") == "offered"
    assert story.lead("Initech").round == 2
    await story.expect_dm(story.holder("Initech"), "asked for a call", buttons=OFFERED)


async def test_news_about_a_lead_in_review_changes_the_message_not_the_status(story: Story) -> None:
    await story.lead_arrives("Initech")
    card = await story.expect_dm("ann", "Initech")
    await (await card.click("Reject…")).submit(reason="bad_data")
    back = await story.expect_channel("review", "Initech")
    await story.fast_forward(minutes=10)
    await story.lead_arrives("Initech", phone="+43 1 555 0199")
    assert story.status("Initech") == "review"
    details = await back.choose("Details")
    assert "+43 1 555 0199" in details.text
