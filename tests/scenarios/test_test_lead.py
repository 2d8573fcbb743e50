"""A `[TEST]` lead: a real card for one person that no figure counts and that never reaches anybody else."""

from __future__ import annotations

from bot.services.send_test_lead import Sent, send_test_lead
from storage import clocks, leads
from tests.story import Story
from tests.story_screen import Shown

COMPANY = "Test Company"
OFFERED = ["Accept", "Reject…", "Recycle…"]


async def send_test(story: Story, who: str) -> Shown:
    """What `baton doctor --test-lead` writes; the card as it comes."""
    runtime = story.house.runtime
    sent = await runtime.write(lambda work: send_test_lead(work, f"{who}@acme.example"))
    assert isinstance(sent, Sent), sent
    await story.settle()
    return await story.expect_dm(who, COMPANY, buttons=OFFERED)


def newest(story: Story) -> str:
    """The status of the newest test lead."""
    return [row for row in story.leads() if row.kind == "test"][-1].status


async def test_it_is_marked_it_works_and_nothing_counts_it(story: Story) -> None:
    await story.fast_forward(to="2026-03-24 23:30")  # Eve's evening is over: a test comes at once
    card = await send_test(story, "eve")
    assert card.notification.startswith("[TEST] Sample Lead, Test Company")
    assert "[TEST] Sample Lead · Test Company" in card.text
    assert "It counts nowhere" in card.text

    await card.click("Accept")
    form = await card.click("Log call…")
    assert await form.submit(outcome="reached") == {}
    assert newest(story) == "working"
    assert card.notification.startswith("[TEST]")

    open_now = story.house.runtime.read_now(lambda work: leads.count_open_by_person(work.conn))
    assert open_now == {}, "her open cap has the same room as before"
    for asked in ("/lead team", "/lead overdue"):
        assert COMPANY not in (await story.command("gus", asked)).text
    assert COMPANY not in (await story.home("gus")).text
    assert "[TEST] Sample Lead" in (await story.command("eve", "/lead mine")).text
    assert "[TEST] Sample Lead" in (await story.command("eve", "/lead sample lead")).text
    assert "[TEST]" not in (await story.command("fay", "/lead sample lead")).text

    await story.fast_forward(to="2026-03-25 15:00")
    await story.lead_arrives("Initech", country="US", language="en")
    assert story.holder("Initech") == "eve", "a test is no turn: she still waits longest"
    real = await story.expect_dm("eve", "Initech")
    await real.click("Accept")
    await real.click("Log email")

    # Nobody is reminded, no manager hears of it, and a day later it is over by itself.
    test_id = story.lead(COMPANY).id
    ran = story.house.runtime.read_now(lambda work: clocks.list_clocks(work.conn, test_id))
    assert ran == [], "no clock ever runs for it"
    await story.fast_forward(to="2026-03-25 23:31")
    assert newest(story) == "disqualified"
    assert "test over" in card.text
    assert card.buttons == []
    assert [c for c in story.outbox() if c.lead_id == test_id and c.way == "hook"] == []
