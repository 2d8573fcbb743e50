"""PostgreSQL's COPY: rows by the hundred, several times as fast as INSERT. SQLite has no use for it (`imports`).

What is not here: what is written when.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import JSON, Connection, Table, text
from sqlalchemy.exc import DBAPIError

#: Where leads wait for their keys to be looked at; each connection has its own, empty after every transaction.
_WAITING_ROOM = "importing_leads"
_MAKE_ROOM = text(
    "CREATE TEMP TABLE IF NOT EXISTS importing_leads (LIKE leads) ON COMMIT DELETE ROWS"
)
_EMPTY_ROOM = text("DELETE FROM importing_leads")
#: A lead whose key is taken was inserted for nothing.
_DROP_UNNAMED = text("DELETE FROM leads WHERE id = ANY(:ids)")


def copy_rows(
    conn: Connection, table: Table, rows: Sequence[Mapping[str, Any]], *, into: str = ""
) -> None:
    """Write rows that all have the same columns into `table`, or into `into`, which has its columns. DBAPIError."""
    names = list(rows[0])
    jsons = {name for name in names if isinstance(table.c[name].type, JSON)}
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(into or table.name), sql.SQL(", ").join(map(sql.Identifier, names))
    )
    try:
        with _driver(conn).cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(
                    [
                        json.dumps(row[name], ensure_ascii=False) if name in jsons else row[name]
                        for name in names
                    ]
                )
    except psycopg.Error as error:
        raise _as_ours(error, conn) from error


def insert_named_leads(
    conn: Connection, leads: Table, keys: Table, rows: Sequence[Mapping[str, Any]]
) -> set[int]:
    """Insert leads, each with its key; the ids of those whose key and mailbox were both free."""
    conn.execute(_MAKE_ROOM)
    copy_rows(conn, leads, rows, into=_WAITING_ROOM)
    names = sql.SQL(", ").join(map(sql.Identifier, rows[0]))
    statement = sql.SQL(
        "WITH put AS (INSERT INTO {leads} ({names}) SELECT {names} FROM {room} ORDER BY id"
        " ON CONFLICT DO NOTHING RETURNING id, source, external_id),"
        " named AS (INSERT INTO {keys} (source, external_id, lead_id)"
        " SELECT source, external_id, id FROM put ON CONFLICT DO NOTHING RETURNING lead_id)"
        " SELECT lead_id FROM named"
    ).format(
        leads=sql.Identifier(leads.name),
        keys=sql.Identifier(keys.name),
        room=sql.Identifier(_WAITING_ROOM),
        names=names,
    )
    try:
        with _driver(conn).cursor() as cursor:
            named = {int(lead_id) for (lead_id,) in cursor.execute(statement).fetchall()}
    except psycopg.Error as error:
        raise _as_ours(error, conn) from error
    if len(named) < len(rows):
        unnamed = [int(row["id"]) for row in rows if row["id"] not in named]
        conn.execute(_DROP_UNNAMED, {"ids": unnamed})
    conn.execute(_EMPTY_ROOM)
    return named


def _driver(conn: Connection) -> psycopg.Connection[Any]:
    driver = conn.connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        raise TypeError("COPY is PostgreSQL's")
    return driver


def _as_ours(error: psycopg.Error, conn: Connection) -> BaseException:
    """The error as SQLAlchemy would raise it, without any value: rows hold personal data."""
    return DBAPIError.instance("COPY", None, error, psycopg.Error, dialect=conn.dialect)
