"""An erased person is found nowhere: not in the database and its files, not in Slack, not at the webhook's receiver;
and whoever sends them again does not bring them back."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial
from typing import Any

import pytest

from bot.domain.lead import LeadFacts
from bot.domain.past import ImportMode, ImportRow, Past
from bot.services.erase_person import erase_lead, erase_messages, find_person, list_still_shown
from bot.services.export_person import export_person
from bot.services.import_leads import import_rows, open_import
from bot.services.make_imported import prepare_rows
from bot.services.runtime import Runtime
from bot.services.spot_erased import Erased, LedgerLocked
from bot.services.work import Work
from chaos.canaries import find_words
from storage.imports import ImportRun
from storage.vacuuming import vacuum
from tests.story import Story, lead_of
from tests.webhook_crm import crm_of

KEY = "0123456789abcdef0123456789abcdef"
EMAIL = "zuzana.kanari@quokkaworks.example"
WORDS = (
    *("Zuzana", "Kanari", "Quokkaworks", "quokka-77", "3141592", "314 1592", "wombatfarm"),
    *("numbatnote", "potoroo"),
)
PERSON: dict[str, Any] = {
    "source": "contact_me",
    "external_id": "quokka-77",
    "email": EMAIL,
    "first_name": "Zuzana",
    "last_name": "Kanari",
    "phone": "+43 555 314 1592",
    "message": "Call me about the wombatfarm.",
    "url": "https://quokkaworks.example/potoroo",
    "tags": ["potoroo"],
    "score_reasons": ["asked about a wombatfarm"],
}


async def test_an_erased_person_is_found_nowhere_and_stays_known(
    story: Story, database_url: str
) -> None:
    runtime = story.house.runtime
    runtime.erased = Erased(KEY)
    async with crm_of(story) as crm:
        await _everything_happens(story, runtime)
        await crm.hears()
        assert len(find_words(database_url, WORDS)) > 5, "they are there, where they should be"
        told = json.dumps(runtime.read_now(lambda work: export_person(work, EMAIL)))
        assert all(word in told for word in ("Kanari", "wombatfarm", "numbatnote", "quokka-77"))
        assert "Initech" not in told, "what is about others stays with them"

        _erase(runtime)
        await story.settle()
        vacuum(runtime.database)
        events = [*await crm.hears(), *await crm.later(minutes=2)]

    assert find_words(database_url, WORDS) == []
    assert runtime.read_now(list_still_shown) == []
    assert not [w for w in WORDS if w.lower() in _slack(story).lower()]
    assert "[erased]" in _slack(story)
    assert "lead.erased" in [event["type"] for event in events]
    assert not [w for w in WORDS if w.lower() in json.dumps(events).lower()]
    assert story.status("Initech") == "offered", "a colleague of the same message is still there"
    _take_all(story)

    await _comes_in_again(story, runtime)
    assert find_words(database_url, WORDS) == []
    await story.expect_nothing_else()

    runtime.erased = Erased("another key of thirty-two characters")
    with pytest.raises(LedgerLocked, match="another one"):
        runtime.read_now(lambda work: work.erased.is_nobody(work.conn, work.real))
    runtime.erased = Erased()
    await story.fast_forward(minutes=1)
    assert (await story.get("/readyz"))[0] == 503
    assert (await story.post(b"{}", message_id="later"))[0] == 503

    runtime.erased = Erased(KEY)
    await story.fast_forward(minutes=1)
    anew = lead_of("Quokkaworks", **PERSON | {"external_id": "quokka-78"})
    result = (await story.post(json.dumps(anew).encode(), message_id="anew"))[1]["results"][0]
    assert result["status"] == "accepted", "they came back by themselves"
    _take_all(story)


async def _everything_happens(story: Story, runtime: Runtime) -> None:
    """Offered, lapsed, escalated, rejected with a note, imported, in quarantine, searched for."""
    body = json.dumps(lead_of("Quokkaworks", **PERSON)).encode()
    assert (await story.post(body, message_id="msg-potoroo"))[0] == 202
    both = [lead_of("Initech"), lead_of("Quokkaworks", **PERSON | {"employees": "many"})]
    await story.post(json.dumps(both).encode(), message_id="a-list")
    await story.post(f"{{ {EMAIL} wombatfarm".encode(), message_id="no-json")
    await story.fast_forward(minutes=16)
    lead_id = _lead_id(runtime)
    holder = story.holder("Quokkaworks")
    card = story.card(holder, "Quokkaworks")
    form = await card.click("Reject…")
    assert await form.submit(reason="bad_data", note="numbatnote of a rep") == {}
    await story.settle()
    assert "Quokkaworks" in _slack(story)
    assert lead_id in [lead.id for lead in runtime.read_now(_found).leads]
    outcome = _imported(runtime, "first")
    assert outcome.updated == 1, "the same address"
    await story.home("ann")
    await story.settle()
    _take_all(story)


async def _comes_in_again(story: Story, runtime: Runtime) -> None:
    await story.fast_forward(minutes=1)
    before = len(story.workspace.messages)
    body = json.dumps(lead_of("Quokkaworks", **PERSON)).encode()
    for message_id in ("msg-potoroo", "another-id"):
        status, answer = await story.post(body, message_id=message_id)
        assert (status, [r["status"] for r in answer["results"]]) == (202, ["duplicate"])
    assert (await story.post(b"[]", message_id="msg-potoroo"))[0] == 409
    mixed = [lead_of("Quokkaworks", **PERSON), {"source": 7}]
    answer = (await story.post(json.dumps(mixed).encode(), message_id="mixed"))[1]
    assert [r["status"] for r in answer["results"]] == ["duplicate", "quarantined"]
    assert _imported(runtime, "second").duplicate == 1
    assert len(story.workspace.messages) == before
    assert not runtime.read_now(_found)


def _found(work: Work) -> Any:
    return find_person(work, EMAIL)


def _lead_id(runtime: Runtime) -> int:
    found = runtime.read_now(_found)
    assert found.messages == 2
    return int(found.leads[0].id)


def _erase(runtime: Runtime) -> None:
    for lead in runtime.read_now(_found).leads:
        runtime.write_now(lambda work: erase_messages(work, runtime.erased, EMAIL))
        runtime.write_now(partial(_erase_one, lead.id))


def _erase_one(lead_id: int, work: Work) -> bool:
    return erase_lead(work, work.erased, lead_id)


def _imported(runtime: Runtime, file: str) -> ImportRun:
    facts = LeadFacts(source="old crm", external_id="potoroo-1", email=EMAIL, last_name="Kanari")
    rows = [ImportRow(2, facts, Past(owner="gone@acme.example"))]

    def bring(work: Work) -> ImportRun:
        run = open_import(
            work, file_sha256=file, map_sha256="m", mode=ImportMode.HISTORY, source="old crm"
        )
        return import_rows(work, run, prepare_rows(work.agreement, run, rows))

    return runtime.write_now(bring)


def _slack(story: Story) -> str:
    """All that stays in Slack. What only one person saw is not kept there, nor are open forms."""
    shown = [
        asdict(message)
        for of_one in story.workspace.messages.values()
        for message in of_one.values()
        if not message.ephemeral_to and not message.deleted
    ]
    homes = [asdict(view) for view in story.workspace.homes.values()]
    return json.dumps([shown, homes], default=str)


def _take_all(story: Story) -> None:
    for message in story.unexpected():
        story._taken.add((message.channel, message.ts))
