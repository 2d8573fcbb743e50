"""Activities as senders write them: words of many systems, what is missing, what cannot be."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from bot.domain.activity import Activity, LeadName, Why
from handlers.lead_body import BadItem, TooMany
from handlers.touch_body import TouchItem, parse_touches

NOW = datetime(2026, 3, 24, 9, 0, tzinfo=UTC)
CALL: dict[str, Any] = {
    "id": "00T1",
    "external_id": "00Q7",
    "actor": "Ann@Acme.example",
    "kind": "call",
    "occurred_at": "2026-03-24T09:55:00+01:00",
}


def read(**changes: Any) -> Activity:
    """The one activity of an item that can be used."""
    made = parse_touches({**CALL, **changes}, source="crm", now=NOW)
    assert isinstance(made, list)
    (item,) = made
    assert isinstance(item, TouchItem), item
    return item.activity


def refused(**changes: Any) -> str:
    """The sentence for an item that cannot."""
    made = parse_touches({**CALL, **changes}, source="crm", now=NOW)
    assert isinstance(made, list)
    (item,) = made
    assert isinstance(item, BadItem), item
    return item.reason


def test_a_call_as_a_crm_tells_it() -> None:
    found = read(outcome="Connected", direction="outgoing", colour="red")
    assert found == Activity(
        external_id="00T1",
        lead=LeadName("crm", "00Q7"),
        actor="ann@acme.example",
        kind="call",
        outcome="reached",
        occurred_at=datetime(2026, 3, 24, 8, 55, tzinfo=UTC),
    )
    assert found.why_noted() is None


@pytest.mark.parametrize(
    ("word", "kind", "outcome"),
    [
        ("Phone call", "call", ""), ("LinkedIn message", "email", ""), ("E-Mail", "email", ""),
        ("Event", "meeting", ""), ("To-do", "", ""), (None, "", ""),
    ],
)  # fmt: skip
def test_words_of_other_systems(word: str | None, kind: str, outcome: str) -> None:
    found = read(kind=word)
    assert (found.kind, found.outcome) == (kind, outcome)
    assert found.why_noted() is (None if kind else Why.KIND)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"automated": "true"}, Why.AUTOMATED),
        ({"outcome": "Left voicemail"}, None),
        ({"outcome": "Cancelled"}, Why.CALLED_OFF),
        ({"kind": "email", "direction": "inbound"}, Why.INBOUND),
        ({"kind": "Inbound email"}, Why.INBOUND),
        ({"direction": "inbound", "outcome": "no answer"}, Why.INBOUND),
        ({"direction": "inbound", "outcome": "answered"}, None),
        ({"kind": "meeting", "direction": "inbound"}, None),
    ],
)
def test_what_can_be_a_touch(said: dict[str, Any], why: Why | None) -> None:
    assert read(**said).why_noted() is why


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"occurred_at": None}, "needs occurred_at"),
        ({"occurred_at": "2026-03-24T09:05:01Z"}, "lies in the future"),
        ({"occurred_at": "2026-03-24 09:00"}, "with its zone"),
        ({"external_id": ""}, "needs its lead"),
        ({"external_id": "", "email": "not an address"}, "needs its lead"),
        ({"actor": "Ann Lee"}, "actor must be the e-mail address"),
        ({"actor": None}, "actor must be the e-mail address"),
        ({"direction": "sideways"}, "direction must be outbound or inbound."),
        ({"automated": "maybe"}, "automated must be true or false."),
        ({"id": "", "deleted": True}, "needs the id"),
        ({"id": "x" * 301}, "id is longer than 300 characters."),
        ({"id": ["a"]}, "id must be a text."),
    ],
)
def test_what_cannot_be_used_says_why(wrong: dict[str, Any], sentence: str) -> None:
    assert sentence in refused(**wrong)


def test_a_deletion_needs_nothing_but_the_id() -> None:
    (item,) = parse_touches({"id": 7, "deleted": 1}, source="crm", now=NOW)  # type: ignore[misc]
    assert isinstance(item, TouchItem)
    assert item.activity == Activity("7", LeadName("crm"), deleted=True)


def test_an_item_without_an_id_is_known_by_what_it_says() -> None:
    first, again = read(id=None), read(id="")
    assert first.external_id.startswith("hash:")
    assert read(id=None).external_id == first.external_id
    assert read(id=None, outcome="reached").external_id != first.external_id
    assert again.external_id != first.external_id, "another item, if only by an empty text"


def test_one_a_list_or_under_touches_and_at_most_two_hundred() -> None:
    for body in (CALL, [CALL], {"touches": [CALL]}):
        made = parse_touches(body, source="crm", now=NOW)
        assert isinstance(made, list)
        assert len(made) == 1
    assert parse_touches([CALL] * 201, source="crm", now=NOW) == TooMany(201)


ODD: tuple[Any, ...] = (
    None, True, 0, -1, 1.5, 10**30, "", " ", "\x00", "\ud800", "x" * 100_001, [], [[1]], {}, {"a": 1},
    "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59",
)  # fmt: skip
FIELDS = (
    "id", "source", "external_id", "email", "actor", "kind", "outcome", "direction", "automated",
    "occurred_at", "changed_at", "deleted",
)  # fmt: skip


@pytest.mark.parametrize("field", FIELDS)
def test_nothing_raises_whatever_it_says(field: str) -> None:
    made = parse_touches([{**CALL, field: odd} for odd in ODD], source="crm", now=NOW)
    assert isinstance(made, list)
    assert len(made) == len(ODD)
