"""Searching by the index of each database, and without one: what is found, and that the index follows every write."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, text

from bot.domain.findable import search_text
from bot.domain.lead import LeadFacts
from storage import leads, search_index, searching
from storage.database import Database
from storage.models import Leads
from storage.rows import table_of
from storage.searching import MOST, find_words, list_alike

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
JANA = LeadFacts(source="web", external_id="K-1", first_name="Jana", last_name="Müller-Groß",
                 company="Globex 100% \"GmbH\" AND_co*", email="jana@globex.example",
                 phone="+43 (0)1 555-0100")  # fmt: skip
_leads = table_of(Leads)


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    database = Database(database_url)
    with database.write() as open_one:
        yield open_one
    database.dispose()


def add(conn: Connection, facts: LeadFacts = JANA, **changes: str) -> int:
    status = changes.pop("status", "nurturing")
    kind = changes.pop("kind", "live")
    facts = replace(facts, **changes)  # type: ignore[arg-type]
    lead_id = leads.insert_lead(conn, facts, now=NOW, kind=kind, news_key="")
    conn.execute(_leads.update().where(_leads.c.id == lead_id).values(status=status))
    return lead_id


def found(conn: Connection, *words: str) -> list[int]:
    return [lead.id for lead in find_words(conn, words, limit=20).leads]


def without_index(conn: Connection) -> None:
    search_index.drop(conn)


@pytest.mark.parametrize("indexed", [True, False])
def test_what_people_type_is_text_and_never_syntax(conn: Connection, indexed: bool) -> None:
    lead = add(conn)
    add(
        conn,
        external_id="K-2",
        email="",
        first_name="Petr",
        last_name="Duda",
        company="1000 Initech",
        phone="",
    )
    if not indexed:
        without_index(conn)

    for word in ("jana", "muller-gross", "100%", '"gmbh"', "and_co*", "k-1", "15550100", "ja", "j"):
        assert found(conn, word) == [lead], word
    assert found(conn, "globex", "ja") == [lead]
    for word in ("100%i", "and%co", "j_na", "muller OR petr", 'x" OR "petr', "NEAR(jana)", "petr*",
                 "search_text:petr", "%", "_", "ana_", "\\", "'; drop table leads"):  # fmt: skip
        assert found(conn, word) == [], word
        list_alike(conn, word, limit=10)


def test_the_index_follows_every_way_of_writing(conn: Connection) -> None:
    lead = add(conn)
    row = leads.lock_lead(conn, lead)
    assert row is not None
    leads.save_facts(conn, row, replace(JANA, last_name="Novak"))
    assert (found(conn, "muller"), found(conn, "novak")) == ([], [lead])

    conn.execute(_leads.update().where(_leads.c.id == lead).values(search_text=""))  # erased
    assert found(conn, "novak") == []

    conn.execute(_leads.delete().where(_leads.c.id == lead))
    assert alike(conn, "jana novak") == []

    many = [_as_imported(conn, n) for n in range(100, 103)]
    assert found(conn, "globex") == many[::-1]
    if (
        conn.dialect.name == "sqlite"
    ):  # compares every text with the index, and fails if one differs
        check = "INSERT INTO leads_search (leads_search, rank) VALUES ('integrity-check', 1)"
        conn.execute(text(check))


def alike(conn: Connection, asked: str) -> list[int]:
    return [lead_id for lead_id, _ in list_alike(conn, asked, limit=20)]


def _as_imported(conn: Connection, number: int) -> int:
    """Past the ways that single leads take: COPY on PostgreSQL, several rows at once on SQLite."""
    conn.execute(
        _leads.insert(),
        [
            {"id": number, "status": "nurturing", "kind": "history", "source": "crm", "external_id": f"{number}",
             "search_text": search_text(JANA), "reasons": [], "score_reasons": [], "extra": {},
             "arrived_at": NOW, "occurred_at": NOW, "status_at": NOW}
        ],
    )  # fmt: skip
    if conn.dialect.name == "postgresql":
        driver = conn.connection.driver_connection
        assert driver is not None
        conn.execute(
            text("CREATE TEMP TABLE copied ON COMMIT DROP AS SELECT * FROM leads WHERE id = :i"),
            {"i": number},
        )
        conn.execute(_leads.delete().where(_leads.c.id == number))
        with driver.cursor() as cursor:
            with cursor.copy("COPY copied TO STDOUT") as out:
                data = b"".join(bytes(part) for part in out)
            with cursor.copy("COPY leads FROM STDIN") as into:
                into.write(data)
        conn.execute(text("DROP TABLE copied"))
    return number


@pytest.mark.parametrize("indexed", [True, False])
def test_live_before_history_open_before_closed_then_the_newest(
    conn: Connection, indexed: bool
) -> None:
    ways = (
        ("history", "working"),
        ("live", "lost"),
        ("live", "working"),
        ("live", "lost"),
        ("history", "lost"),
    )
    first, *_ = [
        add(conn, external_id=f"x{n}", email="", kind=kind, status=status)
        for n, (kind, status) in enumerate(ways)
    ]
    if not indexed:
        without_index(conn)

    assert found(conn, "globex") == [first + n for n in (2, 3, 1, 4, 0)]


def test_of_very_many_the_open_one_comes_first_however_old(
    conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "MOST", 3)
    ids = [
        add(conn, external_id=f"x{n}", email="", status="working" if n == 0 else "lost")
        for n in range(9)
    ]

    answer = find_words(conn, ["globex"], limit=3)

    assert [lead.id for lead in answer.leads] == [ids[0], ids[8], ids[7]]
    assert answer.total == 4  # more than three
    assert MOST > 100


def test_letters_in_common_bring_the_likeliest_first(conn: Connection) -> None:
    jana = add(conn)
    petr = add(
        conn,
        external_id="K-2",
        email="",
        first_name="Petr",
        last_name="Muller",
        company="Initech",
        phone="",
    )
    assert alike(conn, "jana mulelr") == [jana, petr]
    assert alike(conn, "zzzz") == []
    without_index(conn)
    assert sorted(alike(conn, "zzzz")) == [jana, petr]  # all texts: whoever asks compares them


def test_a_key_given_by_another_system_still_finds_the_lead(conn: Connection) -> None:
    lead = add(conn)
    leads.add_key(conn, lead, "crm", "00Q-77")
    for asked in ("00Q-77", "JANA@globex.example"):
        assert [x.id for x in searching.find_exact(conn, asked).leads] == [lead]
    assert searching.find_exact(conn, "00Q-7").leads == []
