"""The CRM tells of calls: the card, the clocks and the manager's message follow; what comes too early waits."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

from sqlalchemy import func, select

from bot.domain.lead import LeadFacts
from bot.services.keep_message import Received
from bot.services.receive_leads import Incoming, Message, receive_leads
from bot.services.take_touches import IncomingTouch, TouchMessage, take_touches
from chaos.race import Hall, made_leads
from handlers.touch_body import TouchItem, parse_touches
from storage.models import Touches
from storage.models_intake import Activities
from storage.rows import table_of
from tests.story import Story
from tests.touches_kit import call, report


async def test_a_call_that_only_the_crm_knows_of(story: Story) -> None:
    await story.lead_arrives("Globex", source="contact_me")
    card = await story.expect_dm("ann", "Globex")
    await card.click("Accept")
    await story.fast_forward(minutes=45)
    reminder = await story.expect_dm("ann", "Contact by 11:00")
    await story.fast_forward(minutes=25)
    told = await story.expect_dm("dana", "not contacted by 11:00")
    _, answer = await report(story, call(story, "Globex", ago=20))
    assert answer["results"][0]["effect"] == "counted"
    assert story.status("Globex") == "working"
    first = story.clock("Globex", "first_touch")
    assert (first.outcome, story.local(first.ended_at or story.time.instant)) == (
        "met", "2026-03-24 10:50"
    )  # fmt: skip
    assert "call, reached" in card.text
    assert "in the CRM" in card.text
    assert reminder.buttons == []
    assert "contacted by Ann Lee" in told.text
    assert "10:50" in told.text
    assert told.buttons == []

    # It was a mistake, and is deleted there: the ten minutes that were left begin now.
    await report(story, {"id": "call-Globex", "deleted": True}, message_id="crm_2")
    assert story.status("Globex") == "accepted"
    assert story.due("Globex", "first_touch") == "2026-03-24 11:20"
    assert "Log call…" in card.buttons
    await story.fast_forward(minutes=8)
    await card.click("Log email")
    assert story.clock("Globex", "first_touch").outcome == "met"


async def test_a_call_before_its_lead_waits_and_one_on_an_offer_accepts(story: Story) -> None:
    first, second = call(story, "Globex"), call(story, "Initech", ago=-1)
    _, answer = await report(story, first, second)
    assert [r["reason"] for r in answer["results"]] == ["unknown lead"] * 2
    await story.fast_forward(minutes=1)
    first_at = story.now
    await story.lead_arrives("Globex", source="contact_me")
    card = await story.expect_dm("ann", "Globex")
    assert story.status("Globex") == "offered", "she called before she could know of it"
    assert "before_offer" in [e.data.get("reason") for e in story.journal("Globex")]

    # This one comes another way, with nobody to tell: the tick looks every five minutes.
    facts = LeadFacts("contact_me", "initech", company="Initech", country="AT", language="de",
                      email="jana.novak@initech.example", source_score=80)  # fmt: skip
    message = Message("import", "i1", "i1", b"", (Incoming(0, facts),))
    await story.house.runtime.write(lambda work: receive_leads(work, message))
    await story.settle()
    other = await story.expect_dm("ann", "Initech")
    assert (story.now, story.status("Initech")) == (first_at, "offered")
    await story.jump(minutes=5)
    assert story.status("Initech") == "working"
    assert "in the CRM" in other.text
    assert story.clock("Initech", "accept").outcome == "met"

    await card.click("Accept")
    await card.click("Log email")
    await report(story, call(story, "Globex", id="m", kind="email"), message_id="crm_3")
    assert "in the CRM" in card.text
    assert "Undo log" not in card.buttons
    assert story.lead("Globex").touches == 1


def test_the_same_activities_from_two_processes_at_once_count_once(database_url: str) -> None:
    halls = [Hall(database_url)]
    lead_ids = halls[0].receive(made_leads(8))
    put = {offer.lead: offer.rep for offer in halls[0].offers()}
    halls.append(Hall(database_url))
    at = (halls[0].now + timedelta(minutes=1)).isoformat()
    items = [
        {"id": str(n), "source": "race", "external_id": f"lead-{n}", "actor": put[lead], "kind": "call",
         "occurred_at": at}
        for n, lead in enumerate(lead_ids)
    ]  # fmt: skip
    begin = Barrier(2)

    def tell(process: int, order: Sequence[object]) -> Received:
        hall = halls[process]
        hall.now += timedelta(minutes=2)
        parsed = parse_touches(list(order), source="crm", now=hall.now)
        assert isinstance(parsed, list)
        made = tuple(
            IncomingTouch(each.index, each.activity)
            for each in parsed
            if isinstance(each, TouchItem)
        )
        message = TouchMessage("crm", f"from {process}", str(process), b"", made)
        begin.wait()
        return hall.runtime.write_now(lambda work: take_touches(work, message))

    with ThreadPoolExecutor(2) as threads:
        told = list(threads.map(tell, (0, 1), (items, items[::-1])))
    statuses = sorted(str(r["status"]) for one in told for r in one.results)
    assert statuses == ["accepted"] * 8 + ["duplicate"] * 8
    with halls[0].database.read() as conn:
        for model in (Touches, Activities):
            table = table_of(model)
            assert conn.execute(select(func.count()).select_from(table)).scalar_one() == 8
    for hall in halls:
        hall.close()
