"""Leads that once held up others, were overwritten by older news, or were turned away: one story for each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.playbook.loading import load_playbook
from bot.services import judge_lead, take_news
from bot.services import receive_leads as receiving
from bot.services.receive_leads import Message, Received, receive_leads, replay_message
from handlers.intake_items import items_of, items_of_stored
from handlers.lead_body import LeadItem, parse_leads
from storage import inbox, leads
from tests.services.desk_kit import PLAYBOOK, START, Desk

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    desk = Desk(database_url)
    yield desk
    desk.database.dispose()


def sent(desk: Desk, msg_id: str, *items: dict[str, Any]) -> Received:
    raw = json.dumps(list(items)).encode()
    parsed = items_of(list(items), "hub", desk.now)
    assert isinstance(parsed, tuple)
    with desk.work() as work:
        return receive_leads(work, Message("hub", msg_id, msg_id, raw, parsed))


def test_the_leads_of_one_message_go_round(desk: Desk) -> None:
    uncapped = load_playbook(PLAYBOOK.replace(", open_cap: 1", ""), today=START.date()).agreement
    assert uncapped is not None
    desk.agreement = replace(uncapped, version=1)
    items = [{"source": "webinar", "external_id": f"x{n}", "country": "AT"} for n in range(6)]
    with desk.work() as work:
        both = {desk.member(work, who).id: 3 for who in ("ann", "ben")}
    sent(desk, "m-1", *items)
    with desk.work() as work:
        assert leads.count_open_by_person(work.conn) == both


def test_a_fault_of_ours_keeps_one_lead_for_a_replay_and_takes_the_others(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_news = take_news.take_news
    desk.arrives(source="hub", external_id="a")
    desk.now += timedelta(minutes=1)

    def broken(*args: object) -> bool:
        raise ValueError("a bug of ours")

    monkeypatch.setattr(receiving, "take_news", broken)
    items = ({"external_id": "a", "phone": "+43 1 2"}, {"external_id": "b", "company": "Initech"})
    results = sent(desk, "m-1", *items).results
    assert [r["status"] for r in results] == ["quarantined", "accepted"]
    monkeypatch.setattr(receiving, "take_news", real_news)
    with desk.work() as work:
        row = inbox.list_quarantined(work.conn)[0]
        again = replay_message(
            work, row.id, lambda raw, source: items_of_stored(raw, source, desk.now)
        )
    assert again is not None
    assert [r["status"] for r in again.results] == ["updated", "accepted"]


def test_what_is_replayed_is_no_newer_than_when_it_came(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead = desk.arrives(source="hub", external_id="a", company="Globex")
    real_apply = receiving._apply_facts

    def broken(*args: object) -> dict[str, Any]:
        raise ValueError("a bug of ours")

    monkeypatch.setattr(receiving, "_apply_facts", broken)
    desk.now += timedelta(minutes=1)
    sent(desk, "m-1", {"external_id": "a", "company": "Old Globex"})
    monkeypatch.setattr(receiving, "_apply_facts", real_apply)
    desk.now += timedelta(days=1)
    sent(desk, "m-2", {"external_id": "a", "company": "New Globex"})
    desk.now += timedelta(days=1)
    with desk.work() as work:
        row = inbox.list_quarantined(work.conn)[0]
        replay_message(work, row.id, lambda raw, source: items_of_stored(raw, source, desk.now))
    assert desk.lead(lead).company == "New Globex"


def test_of_many_items_about_one_lead_the_last_one_counts(desk: Desk) -> None:
    items = [{"external_id": "a", "company": f"Globex {n}"} for n in range(12)]
    results = sent(desk, "m-1", *items).results
    assert desk.lead(int(results[0]["lead"])).company == "Globex 11"


def test_the_same_said_again_later_makes_what_happened_in_between_older_news(desk: Desk) -> None:
    lead = desk.arrives(occurred_at=START - timedelta(hours=3), company="Globex")
    desk.arrives(occurred_at=START - timedelta(hours=1), company="Globex")
    desk.arrives(occurred_at=START - timedelta(hours=2), company="Interim Globex")
    assert desk.lead(lead).company == "Globex"


def test_news_about_a_lead_that_could_not_be_judged_do_not_fail(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object) -> None:
        raise RuntimeError("a bug of ours")

    monkeypatch.setattr(judge_lead, "score_lead", broken)
    lead = desk.arrives()
    assert desk.lead(lead).status == "received"
    desk.arrives(phone="+43 1 555 0199")
    assert (desk.lead(lead).status, desk.lead(lead).phone) == ("received", "+43 1 555 0199")


def test_a_wordy_language_or_country_is_cut_and_the_lead_is_taken() -> None:
    words = {"external_id": "a", "language": "German as spoken in Austria", "country": "x" * 200}
    parsed = parse_leads([words], source="hub", now=NOW)
    assert isinstance(parsed, list)
    item = parsed[0]
    assert isinstance(item, LeadItem)
    assert (len(item.facts.language), len(item.facts.country)) == (16, 80)


def test_a_call_asked_for_counts_though_a_later_visit_was_told_first(desk: Desk) -> None:
    visit = (desk.now - timedelta(minutes=1)).isoformat()
    asked = (desk.now - timedelta(minutes=5)).isoformat()
    first = {"external_id": "a", "company": "Globex", "source": "hub", "occurred_at": visit}
    sent(desk, "m-1", {**first, "source_score": 1})
    with desk.work() as work:
        lead_id = leads.find_by_key(work.conn, "hub", "a")
        assert lead_id is not None
        before = leads.read_lead(work.conn, lead_id)
    assert before is not None
    assert before.status == "nurturing"
    form = {"external_id": "b", "source": "contact_me", "email": "", "phone": "+43 1 555 0100"}
    with desk.work() as work:
        leads.add_key(work.conn, lead_id, "contact_me", "b")
    result = sent(desk, "m-2", {**form, "company": "Globe", "occurred_at": asked}).results[0]
    with desk.work() as work:
        after = leads.read_lead(work.conn, lead_id)
    assert result["status"] == "updated"
    assert after is not None
    assert (after.status, after.phone, after.company) == ("offered", "+43 1 555 0100", "Globex")
    again = sent(desk, "m-3", {**form, "occurred_at": asked}).results[0]
    assert again["status"] == "duplicate"
