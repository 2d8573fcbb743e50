"""The intake, over HTTP against the whole app: what cannot be used gets its clear answer, and acts on nothing."""

from __future__ import annotations

import json
from typing import Any

from bot.services.receive_leads import Received, replay_message
from bot.services.work import Work
from handlers.intake_items import items_of_stored
from storage import inbox
from tests.story import Story, lead_of
from tests.story_house import story_of


def as_body(*items: object) -> bytes:
    """One item, or a list."""
    return json.dumps(items[0] if len(items) == 1 else list(items)).encode()


def results(answer: Any) -> list[str]:
    """The statuses of an answer."""
    return [str(r["status"]) for r in answer["results"]]


UNUSABLE: list[tuple[dict[str, Any], str]] = [
    ({"company": ["Acme"]}, "company must be a text."),
    ({"company": {"name": "Acme"}}, "company must be a text."),
    ({"employees": "many"}, "employees must be a whole number."),
    ({"employees": -1}, "employees must be between 0"),
    ({"visits": 1.5}, "visits must be a whole number."),
    ({"source_score": True}, "source_score must be a whole number."),
    ({"score_reasons": {"a": 1}}, "score_reasons must be a list of texts."),
    ({"occurred_at": "yesterday"}, "occurred_at must be a date and time with its zone"),
    ({"occurred_at": "2026-03-24T10:00:00"}, "with its zone"),
    ({"occurred_at": 1774342800}, "occurred_at must be a date"),
    ({"last_name": "No\x00vak"}, "last_name has characters that are no text."),
    ({"last_name": "\ud800"}, "last_name has characters that are no text."),
    ({"extra": "x"}, "extra must be a JSON object."),
    ({"external_id": "x" * 301}, "external_id is longer than 300 characters."),
    ({"external_id": "", "email": "nobody"}, "needs an external_id or an e-mail address"),
]


async def test_a_value_that_cannot_be_used_is_quarantined_with_its_reason(story: Story) -> None:
    for n, (fields, reason) in enumerate(UNUSABLE):
        body = as_body(lead_of("Initech", **fields))
        status, answer = await story.post(body, message_id=f"msg_{n}")
        assert (status, results(answer)) == (202, ["quarantined"]), fields
        assert reason in answer["results"][0]["reason"], fields
    assert story.leads() == []


async def test_what_is_no_object_is_no_lead(story: Story) -> None:
    items = [None, 7, "lead", True, [], [[1]]]
    status, answer = await story.post(json.dumps(items).encode())
    assert (status, results(answer)) == (202, ["quarantined"] * 6)
    assert story.leads() == []


async def test_a_good_lead_does_not_wait_for_a_bad_one(story: Story) -> None:
    good, bad = lead_of("Initech"), lead_of("Globex", employees="many")
    status, answer = await story.post(as_body(bad, good, bad))
    assert status == 202
    assert results(answer) == ["quarantined", "accepted", "quarantined"]
    await story.expect_dm("ann", "Initech")


NO_JSON = [
    (b"{", "not JSON"),
    (b'{"company": NaN}', "NaN"),
    (b'{"company": "a", "company": "b"}', "same key twice"),
    (b"[" * 40 + b"]" * 40, "nested deeper than 32 levels"),
    (b"[" * 60_000 + b"]" * 60_000, "nested deeper than 32 levels"),
    (b'{"a": 1' + b"0" * 200 + b"}", "more than 100 digits"),
    (b'{"company": "\xff"}', "not UTF-8"),
]


async def test_a_body_that_is_no_json_is_kept_and_explained(story: Story) -> None:
    for n, (body, reason) in enumerate(NO_JSON):
        status, answer = await story.post(body, message_id=f"msg_{n}")
        assert (status, results(answer)) == (202, ["quarantined"]), body[:80]
        assert reason in answer["results"][0]["reason"], body[:80]
    assert story.leads() == []
    kept = story.house.runtime.read_now(lambda work: inbox.list_quarantined(work.conn))
    assert len(kept) == len(NO_JSON)


async def test_a_list_of_201_is_refused_whole_one_of_200_is_taken(story: Story) -> None:
    # Below the bar, so that they go nowhere: this is about the intake.
    many = [lead_of(f"Firm {n}", source_score=1) for n in range(201)]
    status, answer = await story.post(json.dumps(many).encode(), message_id="msg_a")
    assert status == 413
    assert "201 items in one request; at most 200 are taken" in answer["error"]
    assert story.leads() == []
    status, answer = await story.post(json.dumps(many[:200]).encode(), message_id="msg_b")
    assert status == 202
    assert results(answer) == ["accepted"] * 200


async def test_too_large_a_body_is_refused_before_it_is_read(story: Story) -> None:
    status, answer = await story.post(as_body(lead_of("Initech", message="x" * 300_000)))
    assert status == 413
    assert answer["error"]
    assert story.leads() == []


async def test_the_same_lead_twice_in_one_message(story: Story) -> None:
    lead = lead_of("Initech")
    status, answer = await story.post(as_body(lead, lead, lead))
    assert status == 202
    assert results(answer) == ["accepted", "duplicate", "duplicate"]
    await story.expect_dm("ann", "Initech")
    assert len(story.leads()) == 1


async def test_a_message_that_comes_again_is_answered_the_same_and_applied_once(
    story: Story,
) -> None:
    body = as_body(lead_of("Initech"), lead_of("Globex", visits="?"))
    first = await story.post(body, message_id="msg_7")
    await story.expect_dm("ann", "Initech")
    again = await story.post(body, message_id="msg_7")
    assert first[0] == again[0] == 202
    assert results(first[1]) == ["accepted", "quarantined"]
    assert results(again[1]) == ["duplicate", "quarantined"]
    assert [r.get("lead") for r in first[1]["results"]] == [
        r.get("lead") for r in again[1]["results"]
    ]


async def test_the_same_message_id_with_another_body_is_a_conflict(story: Story) -> None:
    await story.post(as_body(lead_of("Initech")), message_id="msg_7")
    await story.expect_dm("ann", "Initech")
    for _ in range(2):
        status, answer = await story.post(as_body(lead_of("Globex")), message_id="msg_7")
        assert status == 409
        assert "kept and flagged, not applied" in answer["error"]
    assert [lead.company for lead in story.leads()] == ["Initech"]


async def test_what_was_quarantined_can_be_replayed_when_its_cause_is_mended(story: Story) -> None:
    """Here by hand: an operator mends the stored body. The item that went in before stays as it is."""
    good, bad = lead_of("Initech"), lead_of("Globex", employees="many")
    _, answer = await story.post(as_body(good, bad))
    await story.expect_dm("ann", "Initech")
    runtime = story.house.runtime
    (row,) = runtime.read_now(lambda work: inbox.list_quarantined(work.conn))

    def replay(work: Work) -> Received | None:
        return replay_message(
            work,
            row.id,
            lambda raw, source: items_of_stored(raw.replace(b'"many"', b'"250"'), source, work.now),
        )

    received = await runtime.write(replay)
    assert received is not None
    assert [r["status"] for r in received.results] == ["accepted", "accepted"]
    assert received.results[0]["lead"] == answer["results"][0]["lead"]
    await story.settle()
    await story.expect_dm("ann", "Globex")
    assert story.lead("Globex").employees == 250
    assert await runtime.write(replay) is None, "there is nothing left to replay"


async def test_a_title_of_ten_thousand_characters(story: Story) -> None:
    status, answer = await story.post(as_body(lead_of("Initech", title="Vice President " * 700)))
    assert (status, results(answer)) == (202, ["accepted"])
    card = await story.expect_dm("ann", "Initech", buttons=["Accept", "Reject…", "Recycle…"])
    assert len(story.lead("Initech").title) <= 300
    assert len(card.text) < 1000


async def test_without_a_signature_nothing_is_read(story: Story) -> None:
    status, answer = await story.post(as_body(lead_of("Initech")), sign=False)
    assert status == 401
    assert answer["error"] == "This request is not signed by anyone we know."
    assert story.leads() == []


async def test_not_ready_until_slack_has_answered(database_url: str) -> None:
    async with story_of(database_url, slack_answers=False, known=False) as story:
        status, answer = await story.get("/readyz")
        assert status == 503
        assert answer["faults"]
        assert (await story.get("/healthz"))[0] == 200
        status, answer = await story.post(as_body(lead_of("Initech")))
        assert status == 503
        assert "Slack" in answer["error"]
        assert story.leads() == []
