"""A webhook receiver on bad days: down, overloaded, picky, and a Baton that crashes. Nothing is lost.

What is not here: order and a receiver that is gone (`tests.scenarios.test_webhook_out`).
"""

from __future__ import annotations

from functools import partial

from bot.clock import Clock
from bot.services.move_lead import write
from bot.services.work import Work
from chaos.receiver import receiver_storm
from storage import hooks, leads
from tests.story import Story
from tests.webhook_crm import OK, crm_of
from tests.webhook_door import Reply


async def test_suppression_is_told_and_history_and_tests_are_nobodys_business(
    story: Story,
) -> None:
    await story.lead_arrives("Globex")
    await story.expect_dm("ann", "Globex")
    lead_id = story.lead("Globex").id

    def suppress(work: Work, kind: str = "live") -> None:
        lead = leads.lock_lead(work.conn, lead_id)
        assert lead is not None
        leads.save_lead(work.conn, lead, suppressed=not lead.suppressed, kind=kind)
        write(work, lead_id, "suppressed")

    async with crm_of(story) as crm:
        runtime = story.house.runtime
        await runtime.write(suppress)
        (told,) = await crm.hears()
        assert told["type"] == "lead.suppression_changed"
        assert (told["data"]["changed"], told["data"]["suppressed"]) == (["suppressed"], True)
        await runtime.write(partial(suppress, kind="history"))
        await runtime.write(partial(suppress, kind="test"))
        assert await crm.hears() == []
        await runtime.write(suppress)


async def test_nothing_for_a_day_then_silence_and_after_three_days_of_trying_one_is_given_up(
    story: Story,
) -> None:
    async with crm_of(story) as crm:
        await story.lead_arrives("Globex")
        card = await story.expect_dm("ann", "Globex")
        await (await card.click("Recycle…")).submit(reason="no_budget")
        # It takes what others say, but never what Globex' offer says: that is no reason to leave it alone.
        crm.reply(lambda letter: Reply(400) if b'"status":"offered"' in letter.body else OK)
        await crm.hears()
        for _ in range(12):
            await crm.later(hours=6, minutes=1)
        assert not crm.is_disabled()
        await story.house.deliverer.drain()
        told = await story.expect_dm("ops", "could not be told to your CRM for three days")
        assert "it answers 400" in told.text
        assert crm.states() == ["dead", "sent"]
        assert [e.data["why"] for e in story.journal("Globex") if e.kind == "crm_not_told"] == [
            "http_400"
        ]
        crm.reply(Reply(500))
        await story.lead_arrives("Initech")
        card = await story.expect_dm("ann", "Initech")
        await (await card.click("Recycle…")).submit(reason="no_budget")
        await crm.hears()
        for _ in range(5):
            assert not crm.is_disabled()
            await crm.later(hours=5)
        assert crm.is_disabled()
        await story.expect_nothing_else()  # it is Saturday
        await story.fast_forward(to="2026-03-30 10:00")
        told = await story.expect_dm("ops", "Changes no longer reach your CRM")
        assert "Nothing was taken for a day" in told.text


async def test_an_outage_costs_few_calls_and_all_is_told_when_it_is_over(story: Story) -> None:
    async with crm_of(story) as crm:
        crm.reply(Reply(503))
        for number in range(6):
            await story.lead_arrives(f"Company {number}")
        while story.unexpected():
            await story.expect_dm(*_to_whom(story))
        await crm.hears()
        for _ in range(40):
            await crm.later(seconds=15)
        calls = len(crm.door.letters)
        assert calls < 20, "one probe at a time, further and further apart"
        crm.reply(OK)
        heard = await crm.later(minutes=6)
        assert {e["data"]["lead"]["id"] for e in heard} == {row.id for row in story.leads()}
        assert set(crm.states()) == {"sent"}


async def test_retry_after_is_kept(story: Story) -> None:
    async with crm_of(story) as crm:
        crm.reply(Reply(429, {"Retry-After": "120"}))
        await story.lead_arrives("Globex")
        await story.expect_dm("ann", "Globex")
        assert len(await crm.hears()) == 1
        crm.reply(OK)
        assert await crm.later(seconds=118) == []
        assert len(await crm.later(seconds=3)) == 1


async def test_told_again_under_the_same_id_after_a_crash_between_sending_and_settling(
    story: Story,
) -> None:
    async with crm_of(story) as crm:
        await story.lead_arrives("Globex")
        await story.expect_dm("ann", "Globex")
        with (
            story.house.runtime.database.write() as conn
        ):  # claimed and sent, and then the worker dies
            (row,) = hooks.claim(conn, real=Clock(story.time.now).real(), worker="dead", limit=8)
        assert await crm.hears() == []
        (told,) = await crm.later(seconds=61)
        assert told["id"] == f"msg_{row.delivery_id}"


def test_a_receiver_that_fails_three_times_in_ten(database_url: str) -> None:
    verdict = receiver_storm(database_url, leads=30, fail=0.3, seed=1)
    assert verdict.faults == []
    assert verdict.figures["leads"] == 30
    assert verdict.n > 100
    assert verdict.figures["calls"] > verdict.n, "something was tried again"
    assert verdict.figures["deliverer cut off"] == 1


def _to_whom(story: Story) -> tuple[str, str]:
    message = story.unexpected()[0]
    channel = story.workspace.channels[message.channel]
    for who in ("ann", "ben", "dana"):
        if story.user(who) in channel.members:
            return who, ""
    raise AssertionError(f"not expected: {message.text}")
