"""`POST /touches` over HTTP: the same door as for leads, with the same answers."""

from __future__ import annotations

import json

from bot.services.take_touches import DOOR
from storage import inbox
from tests.story import Story, lead_of
from tests.touches_kit import call, report


async def test_the_answers_of_the_door(story: Story) -> None:
    await story.lead_arrives("Globex", source="contact_me")
    card = await story.expect_dm("ann", "Globex")
    await card.click("Accept")
    await story.fast_forward(minutes=2)
    good = call(story, "Globex", ago=1)

    assert (await report(story, good, sign=False))[0] == 401
    assert (await report(story, body=json.dumps([good] * 201).encode()))[0] == 413
    assert (await report(story, body=b"x" * 300_000))[0] == 413
    status, answer = await report(story, body=b"{", message_id="crm_0")
    assert (status, answer["results"][0]["status"]) == (202, "quarantined")
    assert story.lead("Globex").touches == 0, "nothing of all that acts"

    bad = {**good, "id": "t2", "occurred_at": "tomorrow"}
    status, answer = await report(story, {"touches": [bad, good, 7]}, message_id="crm_1")
    assert status == 202
    assert [r["status"] for r in answer["results"]] == ["quarantined", "accepted", "quarantined"]
    assert answer["results"][1] == {
        "status": "accepted", "effect": "counted", "lead": story.lead("Globex").id
    }  # fmt: skip

    # The same message again, the same activity in another one, the id again with something else in it.
    again = await report(story, {"touches": [bad, good, 7]}, message_id="crm_1")
    assert [r["status"] for r in again[1]["results"]] == ["quarantined", "duplicate", "quarantined"]
    other = await report(story, good, message_id="crm_2")
    assert other[1]["results"][0]["status"] == "duplicate"
    assert (await report(story, call(story, "Initech"), message_id="crm_1"))[0] == 409
    assert story.lead("Globex").touches == 1

    # The other door has ids of its own.
    body = json.dumps(lead_of("Initech", source_score=1)).encode()
    assert (await story.post(body, message_id="crm_1"))[0] == 202
    assert story.status("Initech") == "nurturing"
    kept = story.house.runtime.read_now(lambda work: inbox.list_quarantined(work.conn))
    assert {row.door for row in kept} == {DOOR}
