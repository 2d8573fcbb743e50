"""The index over `leads.search_text`: SQLite's FTS5 by trigrams, PostgreSQL's pg_trgm; made, taken away, looked at.

Triggers (SQLite) and the index itself (PostgreSQL) follow every write, whoever writes. Where a database can have no
index Baton works all the same: `searching` then looks through the newest leads. What is not here: the queries.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from storage.database import Database, is_passing

#: What both databases call it. On SQLite a virtual table, whose own tables begin with this name too.
NAME = "leads_search"

#: `detail=none`: which leads hold a trigram, not where in the text. Half the size, and the texts are compared anyway.
_SQLITE_TABLES = (
    "CREATE VIRTUAL TABLE leads_search USING fts5"
    "(search_text, content='leads', content_rowid='id', tokenize='trigram', detail='none')",
    "CREATE VIRTUAL TABLE leads_search_terms USING fts5vocab('leads_search', 'row')",
)
_SQLITE_TRIGGERS = {
    "leads_search_insert": """
        CREATE TRIGGER leads_search_insert AFTER INSERT ON leads BEGIN
          INSERT INTO leads_search (rowid, search_text) VALUES (new.id, new.search_text);
        END""",
    "leads_search_delete": """
        CREATE TRIGGER leads_search_delete AFTER DELETE ON leads BEGIN
          INSERT INTO leads_search (leads_search, rowid, search_text)
          VALUES ('delete', old.id, old.search_text);
        END""",
    "leads_search_update": """
        CREATE TRIGGER leads_search_update AFTER UPDATE OF search_text ON leads
        WHEN old.search_text <> new.search_text BEGIN
          INSERT INTO leads_search (leads_search, rowid, search_text)
          VALUES ('delete', old.id, old.search_text);
          INSERT INTO leads_search (rowid, search_text) VALUES (new.id, new.search_text);
        END""",
}
_SQLITE_FILL = "INSERT INTO leads_search (leads_search) VALUES ('rebuild')"
_SQLITE_DROP = ("DROP TABLE leads_search_terms", "DROP TABLE leads_search")

_POSTGRES = (
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    "CREATE INDEX IF NOT EXISTS leads_search ON leads USING gin (search_text gin_trgm_ops)",
)


def ensure(conn: Connection) -> None:
    """Make the index unless it is there and whole; without the means for it leave nothing half done.

    Never fails for want of FTS5, trigrams, pg_trgm or the right to add it. A SQLite file that moves to a machine
    without FTS5 loses its triggers here: with them it could take no lead.
    """
    if state_of(conn) == "":
        return
    if conn.dialect.name != "sqlite":
        _try(conn, _make_on_postgres)
        return
    _drop_triggers(conn)
    if _try(conn, _drop_tables):
        _try(conn, _make_on_sqlite)


def drop(conn: Connection) -> None:
    """Take the index away. The extension stays: others in the database may use it."""
    if conn.dialect.name != "sqlite":
        conn.execute(text("DROP INDEX IF EXISTS leads_search"))
        return
    _drop_triggers(conn)
    _drop_tables(conn)


def search_index_state(database: Database) -> str:
    """ "" when search runs on its index; else one sentence: why it does not, and what to do."""
    with database.read() as conn:
        return state_of(conn)


def state_of(conn: Connection) -> str:
    """The same inside a transaction."""
    return _state_on_sqlite(conn) if conn.dialect.name == "sqlite" else _state_on_postgres(conn)


def has_index(conn: Connection) -> bool:
    """Whether queries may use the index."""
    return state_of(conn) == ""


# ------------------------------------------------------------------ SQLite


def _make_on_sqlite(conn: Connection) -> None:
    for statement in (*_SQLITE_TABLES, *_SQLITE_TRIGGERS.values(), _SQLITE_FILL):
        conn.execute(text(statement))


def _drop_triggers(conn: Connection) -> None:
    for name in _SQLITE_TRIGGERS:
        conn.execute(_DROP_TRIGGER[name])


_DROP_TRIGGER = {
    "leads_search_insert": text("DROP TRIGGER IF EXISTS leads_search_insert"),
    "leads_search_delete": text("DROP TRIGGER IF EXISTS leads_search_delete"),
    "leads_search_update": text("DROP TRIGGER IF EXISTS leads_search_update"),
}


def _drop_tables(conn: Connection) -> None:
    if NAME in _names(conn):
        for statement in _SQLITE_DROP:
            conn.execute(text(statement))


def _names(conn: Connection) -> set[str]:
    query = "SELECT name FROM sqlite_master WHERE name LIKE 'leads\\_search%' ESCAPE '\\'"
    return set(conn.execute(text(query)).scalars())


def _state_on_sqlite(conn: Connection) -> str:
    if {NAME, f"{NAME}_terms", *_SQLITE_TRIGGERS} <= _names(conn):
        try:
            conn.execute(
                text("SELECT rowid FROM leads_search WHERE leads_search MATCH '\"abc\"' LIMIT 1")
            )
        except DBAPIError as error:
            if is_passing(error):
                raise
        else:
            return ""
    return (
        "Search has no index and looks through the newest leads only: this SQLite lacks FTS5 with trigrams "
        "(3.34 or newer has it), or the index was lost; run: baton migrate"
    )


# ------------------------------------------------------------------ PostgreSQL


def _make_on_postgres(conn: Connection) -> None:
    for statement in _POSTGRES:
        conn.execute(text(statement))


def _state_on_postgres(conn: Connection) -> str:
    query = (
        "SELECT 1 FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid "
        "WHERE c.relname = 'leads_search' AND i.indrelid = to_regclass('leads') AND i.indisvalid"
    )
    if conn.execute(text(query)).first() is not None:
        return ""
    return (
        "Search has no index and looks through the newest leads only: the extension pg_trgm is missing; "
        "let an owner of the database run CREATE EXTENSION pg_trgm, then run: baton migrate"
    )


def _try(conn: Connection, step: Callable[[Connection], None]) -> bool:
    """Do `step` whole or not at all. Only what may pass when tried again (a lock, a lost line) is raised."""
    try:
        with conn.begin_nested():
            step(conn)
    except DBAPIError as error:
        if is_passing(error):
            raise
        return False
    return True
