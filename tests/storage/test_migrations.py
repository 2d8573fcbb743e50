"""Migrations lead from nothing to exactly the models and back, on both databases, once, whoever else migrates."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from storage import people, search_index, searching
from storage.database import Database
from storage.models import Base, Clocks, Leads, Offers
from storage.revisions import HEAD, SchemaMismatch, current, require_fit
from storage.rows import table_of
from storage.schema import downgrade, migrate
from storage.search_index import search_index_state
from tests.postgres import PostgresServer

ROOT = Path(__file__).parents[2]
STEPS = ["0001", "0002", "0003", "0004", "0005", "0006", "0007"]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without any table."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'half 50%20.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    with server.database("template0") as url:
        yield url


@pytest.fixture
def empty(empty_url: str) -> Iterator[Database]:
    database = Database(empty_url)
    yield database
    database.dispose()


def tables(database: Database) -> set[str]:
    with database.read() as conn:
        return set(inspect(conn).get_table_names())


def of_models(name: str | None) -> bool:
    """The index for searching is left out on purpose: models cannot say it (virtual tables and triggers on SQLite, an
    operator class on PostgreSQL), and a database that has no means for it works without."""
    return search_index.NAME not in (name or "")


def differences(database: Database) -> list[object]:
    """What Alembic would change to get from the database to the models."""
    with database.read() as conn:
        opts = {"compare_type": True, "include_name": lambda name, _kind, _parent: of_models(name)}
        context = MigrationContext.configure(conn, opts=opts)
        return list(compare_metadata(context, Base.metadata))


def described(conn: Connection) -> set[str]:
    """Tables, constraints and indexes (with their conditions) in the database's own words."""
    if conn.dialect.name == "sqlite":
        query = "SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_master WHERE type <> 'trigger'"
    else:
        query = (
            "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' "
            "UNION ALL SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) "
            "FROM pg_constraint WHERE connamespace = 'public'::regnamespace "
            "UNION ALL SELECT concat_ws(' ', table_name, column_name, udt_name, character_maximum_length, "
            "is_nullable, column_default) FROM information_schema.columns WHERE table_schema = 'public'"
        )
    rows = conn.execute(text(query)).scalars()
    return {in_one_order(row) for row in rows if "alembic_version" not in row and of_models(row)}


def in_one_order(definition: str) -> str:
    """The clauses of a CREATE TABLE stand one a line, columns added later behind commas; neither the order of clauses
    nor quotes mean anything."""
    lines = re.split(r"\n|, (?![^(]*\))", definition)
    head, *clauses = (line.strip(" \t,()") for line in lines)
    return "\n".join([head.replace('"', ""), *sorted(filter(None, clauses))])


def test_the_named_head_is_the_newest_step() -> None:
    assert ScriptDirectory(str(ROOT / "storage" / "migrations")).get_heads() == [HEAD]
    assert STEPS[-1] == HEAD


def test_migrations_lead_to_exactly_the_models(empty: Database) -> None:
    assert migrate(empty) == STEPS

    assert differences(empty) == []
    with empty.read() as conn:
        migrated = described(conn)
    downgrade(empty, "base")
    with empty.write() as conn:
        Base.metadata.create_all(conn)
        assert migrated == described(conn)


def test_a_missing_column_and_a_missing_index_would_be_seen(empty: Database) -> None:
    migrate(empty)
    with empty.write() as conn:
        before = described(conn)
        conn.execute(text("ALTER TABLE leads DROP COLUMN campaign"))
        conn.execute(text("DROP INDEX uq_offers_held"))

    assert differences(empty)
    with empty.read() as conn:
        assert described(conn) != before


def test_down_to_nothing_and_up_again(empty: Database) -> None:
    migrate(empty)

    assert downgrade(empty, "base") == STEPS[::-1]
    assert tables(empty) <= {"alembic_version"}
    assert current(empty) is None

    assert migrate(empty) == STEPS
    assert differences(empty) == []


def test_rows_of_the_first_version_are_kept_with_what_was_meant_then(empty: Database) -> None:
    """A file of version 0.1: messages were leads, and everything went to Slack."""
    _move_to(empty, "0001")
    with empty.write() as conn:
        conn.execute(
            text(
                "INSERT INTO inbox (source, msg_id, sha256, state, results, received_at) "
                "VALUES ('web', 'm1', 'x', 'applied', '[]', '2026-11-20 09:00:00')"
            )
        )

    assert migrate(empty) == STEPS[1:]

    with empty.read() as conn:
        assert conn.execute(text("SELECT msg_id, door FROM inbox")).one() == ("m1", "leads")


def _move_to(database: Database, revision: str) -> None:
    migrate(database)
    downgrade(database, revision)


def test_leads_of_an_older_version_are_found_without_accents_afterwards(empty: Database) -> None:
    _move_to(empty, "0002")
    times = dict.fromkeys(
        ("arrived_at", "occurred_at", "status_at"), datetime(2026, 11, 20, tzinfo=UTC)
    )
    lead = {
        "status": "nurturing",
        "source": "web",
        "external_id": "K-7",
        "phone": "0043 1 555-0100",
        "last_name": "Groß-Müller",
        "search_text": "groß-müller 0043 1 555-0100 k-7",
        "reasons": [],
        "score_reasons": [],
        "extra": {},
        **times,
    }
    with empty.write() as conn:
        conn.execute(table_of(Leads).insert(), lead)

    assert migrate(empty) == STEPS[2:]

    assert search_index_state(empty) == ""
    with empty.read() as conn:
        for word in ("gross-muller", "4315550100", "k-7"):
            assert searching.find_words(conn, [word], limit=5).total == 1, word


def test_clocks_that_ended_before_get_their_seconds(empty: Database) -> None:
    """Met by an accept, met by a no, late, and one that was over before its card came."""
    migrate(empty)
    start = datetime(2026, 11, 20, 9, 0, 0, 900_000, tzinfo=UTC)
    lead = {"id": 1, "status": "nurturing", "last_name": "Novak", "source": "web", "external_id": "K-7",
            "reasons": [], "score_reasons": [], "extra": {}, "arrived_at": start,
            "occurred_at": start, "status_at": start}  # fmt: skip
    offer = {"lead_id": 1, "round": 1, "team": "emea", "trace": [], "playbook_version": 1, "state": "recycled",
             "offered_at": start, "show_at": start, "ended_at": start}  # fmt: skip
    clock = {"lead_id": 1, "round": 1, "within": "1h", "steps": [], "started_at": start, "due_at": start,
             "playbook_version": 1}  # fmt: skip
    with empty.write() as conn:
        people.ensure_person(conn, "jonas@acme.example", "Jonas")
        (rep,) = people.list_people(conn)
        conn.execute(table_of(Leads).insert(), lead)
        for n, name in enumerate(("accepted", "refused"), start=1):
            taken = {"accepted_at": start if name == "accepted" else None}
            made = {**offer, "id": name, "n": n, "rep_id": rep.id, **taken}
            conn.execute(table_of(Offers).insert(), made)
        for kind, of, outcome, seconds in (
            ("accept", "accepted", "met", 61.05),
            ("accept", "refused", "met", 30),
            ("first_touch", "accepted", "late", 7200.1),
            ("route", None, "met", -5),
        ):
            ended = {"ended_at": start + timedelta(seconds=seconds), "outcome": outcome}
            run = {**clock, "kind": kind, "offer_id": of, **ended}
            conn.execute(table_of(Clocks).insert(), run)
    downgrade(empty, "0005")

    assert migrate(empty) == ["0006", "0007"]

    with empty.read() as conn:
        found = conn.execute(
            text("SELECT kind, offer_id, wall_seconds FROM clocks ORDER BY id")
        ).all()
    assert [tuple(row) for row in found] == [
        ("accept", "accepted", 61),
        ("accept", "refused", None),
        ("first_touch", "accepted", 7200),
        ("route", None, 0),
    ]


def test_migrating_again_makes_an_index_that_was_lost(empty: Database) -> None:
    """As by a step that copies `leads` on SQLite, or by an extension that was not there at first."""
    migrate(empty)
    with empty.write() as conn:
        if empty.is_sqlite:
            conn.execute(text("DROP TRIGGER leads_search_update"))
        else:
            conn.execute(text("DROP INDEX leads_search"))
    assert "run: baton migrate" in search_index_state(empty)

    assert migrate(empty) == []

    assert search_index_state(empty) == ""


def test_a_database_without_the_means_is_migrated_all_the_same(
    empty: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = ("CREATE VIRTUAL TABLE leads_search USING fts5(search_text, tokenize='unknown')",)
    monkeypatch.setattr(search_index, "_SQLITE_TABLES", unknown)
    monkeypatch.setattr(search_index, "_POSTGRES", ("CREATE EXTENSION unknown",))

    assert migrate(empty) == STEPS

    assert search_index_state(empty).startswith("Search has no index")
    with empty.write() as conn:  # and leads can be written
        conn.execute(text("UPDATE leads SET search_text = ''"))


def test_a_second_run_does_nothing(empty: Database) -> None:
    migrate(empty)

    assert migrate(empty) == []
    assert current(empty) == HEAD


def test_two_processes_migrate_at_once_and_one_does_it(empty_url: str) -> None:
    environment = {**os.environ, "DATABASE_URL": empty_url}
    both = [
        subprocess.Popen(
            [sys.executable, "-m", "bot", "migrate"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=60) for process in both]

    assert [process.returncode for process in both] == [0, 0], said
    assert sorted("nothing to do" in out for out, _ in said) == [False, True]


def test_a_migration_that_fails_leaves_nothing_behind(
    empty: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The last thing that the first step does cannot be done: the table is there already in another form.
    with empty.write() as conn:
        conn.execute(text("CREATE TABLE clock_offset (something INTEGER)"))

    with pytest.raises(Exception, match="clock_offset"):
        migrate(empty)

    assert tables(empty) == {"clock_offset"}


def test_foreign_keys_hold_again_after_a_migration(empty: Database) -> None:
    migrate(empty)

    with pytest.raises(Exception, match=r"(?i)foreign key"), empty.write() as conn:
        conn.execute(
            text("INSERT INTO lead_keys (source, external_id, lead_id) VALUES ('web', '1', 7)")
        )


def test_asking_a_missing_file_does_not_make_it(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'none.db'}")

    assert current(database) is None
    assert list(tmp_path.iterdir()) == []


def test_baton_refuses_tables_it_does_not_know(empty: Database) -> None:
    with pytest.raises(SchemaMismatch, match="no tables yet; run: baton migrate"):
        require_fit(empty)

    migrate(empty)
    require_fit(empty)

    with empty.write() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    with pytest.raises(SchemaMismatch, match=f"at revision 0000, this Baton needs {HEAD}; run"):
        require_fit(empty)

    with empty.write() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    require_fit(empty)  # a newer Baton was here, and its tables admit this one
    assert migrate(empty) == []

    with empty.write() as conn:
        conn.execute(text("UPDATE admitted SET oldest = '9999'"))
    with pytest.raises(SchemaMismatch, match="a newer Baton"):
        require_fit(empty)
    with pytest.raises(SchemaMismatch, match="a newer Baton"):
        migrate(empty)
    with pytest.raises(SchemaMismatch, match="cannot take it back"):
        downgrade(empty, "0003")
