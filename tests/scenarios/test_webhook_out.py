"""A CRM hears of every change: what it is sent, in which order, and what happens when it is gone.

What is not here: single calls (`tests.unit.test_webhook_out`), longer troubles, many leads
(`tests.services.test_webhook_bad_days`).
"""

from __future__ import annotations

import json

from storage import hooks
from tests.story import Story
from tests.webhook_crm import OK, crm_of
from tests.webhook_door import Letter, Reply


async def test_every_change_of_a_lead_is_told(story: Story) -> None:
    await story.lead_arrives("Before")  # no receiver yet: nothing is kept for one
    card = await story.expect_dm("ann", "Before")
    await (await card.click("Recycle…")).submit(reason="no_budget")
    async with crm_of(story) as crm:
        assert await crm.hears() == []
        await story.lead_arrives("Globex", source="hubspot", external_id="551")
        card = await story.expect_dm("ann", "Globex")
        (offered,) = await crm.hears()
        data = offered["data"]
        assert offered["id"] == crm.door.letters[0].id
        assert (offered["type"], offered["version"]) == ("lead.status_changed", 1)
        assert offered["timestamp"] == "2026-03-24T09:00:00.000Z"
        assert data["lead"] == {
            "id": story.lead("Globex").id,
            "keys": [{"source": "hubspot", "external_id": "551"}],
            "email": "jana.novak@globex.example",
        }
        assert (data["previous_status"], data["status"], data["stage"]) == (
            "received", "offered", "MQL",
        )  # fmt: skip
        assert (data["owner"], data["previous_owner"]) == ("ann@acme.example", None)
        assert data["changed"] == ["status", "owner"]
        assert data["by"] == {"role": "system", "email": None}

        await (await card.click("Reject…")).submit(reason="wrong_territory")
        (rerouted,) = await crm.hears()
        data = rerouted["data"]
        assert (rerouted["type"], data["action"]) == ("lead.owner_changed", "reject")
        assert (data["previous_owner"], data["reason"]) == ("ann@acme.example", "wrong_territory")
        rep = data["owner"].partition("@")[0]

        await story.fast_forward(to="2026-03-24 16:00")  # her office opens
        card = await story.expect_dm(rep, "Globex")
        await card.click("Accept")
        await story.fast_forward(minutes=1)
        await (await card.click("Log call…")).submit(outcome="Reached")
        moved, touched = (await crm.hears())[1:]
        assert (moved["data"]["action"], moved["data"]["status"]) == ("touch", "working")
        assert touched["type"] == "lead.touched"
        assert touched["data"]["touch"] | {"id": 0} == {
            "id": 0, "kind": "call", "outcome": "reached", "state": "self_reported",
            "at": "2026-03-24T15:01:00.000Z", "by": f"{rep}@acme.example",
        }  # fmt: skip
        await story.fast_forward(minutes=1)
        await card.click("Log email")
        assert [e["type"] for e in await crm.hears()] == ["lead.touched"], "no status changed"

        await (await card.click("Recycle…")).submit(reason="no_budget")
        (slept,) = await crm.hears()
        data = slept["data"]
        assert (data["status"], data["owner"], data["reason"]) == ("nurturing", None, "no_budget")
        assert data["wake_at"].endswith("Z")
        assert set(data["changed"]) == {"status", "owner", "reason", "wake_at"}
        seqs = [json.loads(letter.body)["data"]["seq"] for letter in crm.door.letters]
        assert seqs == sorted(set(seqs))
        kept = json.dumps([row.data for row in story.outbox() if row.way == "hook"])
        assert "@" not in kept, "only ids and codes in the outbox"


async def test_one_that_waits_holds_back_its_lead_and_no_other(story: Story) -> None:
    async with crm_of(story) as crm:
        await story.lead_arrives("Globex")
        await story.lead_arrives("Initech")
        globex = await story.expect_dm("ann", "Globex")
        await story.expect_dm("ann", "Initech")
        lead_id = story.lead("Globex").id

        def not_globex(letter: Letter) -> Reply:
            about = json.loads(letter.body)["data"]["lead"]["id"]
            return Reply(422) if about == lead_id else OK

        crm.reply(not_globex)
        await globex.click("Accept")
        assert len(await crm.hears()) == 2
        assert crm.states() == ["pending", "sent", "pending"]
        crm.reply(OK)
        first, second = await crm.later(seconds=3)
        assert (first["data"]["status"], second["data"]["status"]) == ("offered", "accepted")
        # The two leads are told side by side: only the order within one is promised.
        of_globex = [
            letter.id
            for letter in crm.door.letters
            if json.loads(letter.body)["data"]["lead"]["id"] == lead_id
        ]
        assert len(of_globex) == 3
        assert of_globex[0] == of_globex[1] != of_globex[2], "a retry has the id of its change"


async def test_a_receiver_that_is_gone_is_left_alone_until_somebody_mends_it(
    story: Story,
) -> None:
    async with crm_of(story) as crm:
        crm.reply(Reply(410))
        await story.lead_arrives("Globex")
        card = await story.expect_dm("ann", "Globex")
        assert len(await crm.hears()) == 1
        assert crm.is_disabled()
        await card.click("Accept")
        assert await crm.later(hours=1) == []
        await story.settle()
        told = await story.expect_dm("ops", "Changes no longer reach your CRM")
        assert "it is gone" in told.text
        assert "2 changes wait and are kept." in told.text
        await story.expect_nothing_else()

        crm.reply(OK)
        with story.house.runtime.database.write() as conn:
            assert hooks.enable(conn, crm.receiver.key)
            hooks.start_anew(conn, real=story.time.instant)
        assert [e["data"]["status"] for e in await crm.hears()] == ["offered", "accepted"]
