"""Many new leads written at once leave the same rows behind as one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, select

from bot.domain.lead import LeadFacts
from bot.services import admit_leads as admitting
from bot.services import receive_leads as receiving
from bot.services.receive_leads import Incoming, Message, Received, receive_leads
from bot.services.work import Work
from storage import people
from storage.base import Base
from tests.services.desk_kit import Desk

TABLES = (
    "leads",
    "lead_keys",
    "offers",
    "clocks",
    "timers",
    "journal",
    "outbox",
    "people",
    "inbox",
)
#: What is drawn by lot, or counted by the database.
BY_CHANCE = {"id", "delivery_id", "clock_id"}


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    desk = Desk(database_url)
    yield desk
    desk.database.dispose()


def message() -> Message:
    """Hand raisers and sleepers, in hours and out of them; a name that comes twice; one that nobody may have."""
    facts = [
        LeadFacts("webinar", f"w{n}", f"w{n}@globex.example", country="AT", language="de",
                  employees=n, extra={"plan": ["a", n], "deep": {"x": 1.5}})
        for n in range(6)
    ]  # fmt: skip
    facts[2] = replace(facts[2], source="list", company="below the bar")
    facts[3] = replace(facts[3], source="contact_me", country="US", message="Call me <!here>")
    facts.append(replace(facts[0], visits=3))  # news about the first
    facts.append(replace(facts[1], external_id="other", source="contact_me"))  # the same mailbox
    items = tuple(Incoming(n, each) for n, each in enumerate(facts))
    return Message("hub", "m-1", "sha", b"[]", (*items, Incoming(8, None, "broken")))


class Undone(Exception):
    """Nothing of it is to stay."""


def taken(desk: Desk, *, tells_crm: bool = False) -> tuple[Received, dict[str, list[Any]]]:
    """What the message is answered with, and every row that it leaves."""
    try:
        with desk.database.write() as conn:
            work = Work(conn, desk.now, desk.now, desk.agreement, tells_crm=tells_crm)
            dana = work.roster.by_email["dana@acme.example"]
            people.save_person(conn, dana.id, home_seen_at=desk.now)
            work.forget_roster()
            received = receive_leads(work, message())
            kept = received, rows_of(conn)
            raise Undone
    except Undone:
        return kept


def rows_of(conn: Connection) -> dict[str, list[Any]]:
    """All rows, with names in the place of numbers that the database counts."""
    tables = Base.metadata.tables
    keys = conn.execute(select(tables["lead_keys"]).order_by(tables["lead_keys"].c.id.desc()))
    names: dict[object, str] = {f"lead {row.lead_id}": row.external_id for row in keys}
    for row in conn.execute(select(tables["clocks"])):
        names[f"clock {row.id}"] = f"{row.kind} of {names[f'lead {row.lead_id}']}"
    for row in conn.execute(select(tables["offers"])):
        names[row.id] = f"{row.n} of {names[f'lead {row.lead_id}']}"
    return {
        name: sorted(
            repr(_named(row._mapping, names)) for row in conn.execute(select(tables[name]))
        )
        for name in TABLES
    }


def _named(row: Any, names: dict[object, str]) -> list[tuple[str, object]]:
    out: dict[str, object] = {}
    for name, value in row.items():
        if name in BY_CHANCE:
            continue
        out[name] = value
        if name in ("lead_id", "subject_id"):
            of_clock = name == "subject_id" and row["subject_kind"] == "clock"
            kind = "clock" if of_clock else "lead"
            out[name] = names.get(f"{kind} {value}", value)
        elif name in ("offer_id", "current_offer_id"):
            out[name] = names.get(value, value)
        elif name in ("card_key", "dedupe_key", "lane") and ":" in str(value):
            out[name] = _key(str(value), names, edits=bool(row.get("edits")))
        elif name == "data":
            out[name] = sorted((k, _value(k, v, names)) for k, v in value.items())
        elif name == "results":
            out[name] = [{**r, "lead": names.get(f"lead {r.get('lead')}")} for r in value]
    return sorted(out.items())


def _key(value: str, names: dict[object, str], *, edits: bool) -> str:
    kind, _, rest = value.partition(":")
    if kind == "edit" and edits:
        return "edit"
    if kind in ("hook", "news"):
        lead, _, seq = rest.partition(":")
        return f"{kind}:{names[f'lead {lead}']}:{seq}"
    return f"{kind}:{names.get(rest, rest)}"


def _value(name: str, value: object, names: dict[object, str]) -> str:
    if name in ("clock", "lead"):
        return names.get(f"{name} {value}", str(value))
    return names.get(value, repr(value)) if isinstance(value, str) else repr(value)


@pytest.mark.parametrize("tells_crm", [False, True])
def test_leads_taken_in_together_leave_what_they_leave_one_by_one(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, tells_crm: bool
) -> None:
    together, rows = taken(desk, tells_crm=tells_crm)
    with monkeypatch.context() as patched:
        patched.setattr(receiving, "_admit", lambda _work, items, _id: [None] * len(items))
        singly, expected = taken(desk, tells_crm=tells_crm)
    assert [r["status"] for r in together.results] == [r["status"] for r in singly.results]
    assert [r["status"] for r in together.results] == [*["accepted"] * 6, *["updated"] * 2, "quarantined"]  # fmt: skip
    for table in TABLES:
        assert rows[table] == expected[table], table


def test_one_that_the_database_refuses_takes_nobody_along(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def counted(work: Work, new: Sequence[tuple[LeadFacts, str]]) -> list[int | None]:
        calls.append(len(new))
        return admitting.admit_leads(work, new)

    monkeypatch.setattr(receiving, "admit_leads", counted)
    facts = [LeadFacts("webinar", f"w{n}", country="AT", company="Globex") for n in range(3)]
    # Past the parser nothing like this comes; the driver itself refuses it on both databases.
    facts[1] = replace(facts[1], employees=2**70)
    with desk.work() as work:
        items = tuple(Incoming(n, each) for n, each in enumerate(facts))
        received = receive_leads(work, Message("hub", "m-1", "sha", b"[]", items))
    assert calls == [3]
    assert [r["status"] for r in received.results] == ["accepted", "quarantined", "accepted"]
