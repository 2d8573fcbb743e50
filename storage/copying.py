"""Rows by the hundred, past SQLAlchemy: PostgreSQL's COPY, several times as fast as INSERT, and SQLite's executemany
without the path that every value takes there (it costs as much as the insert itself).

What is not here: what is written when.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import JSON, Connection, Table, text
from sqlalchemy.exc import DBAPIError

from storage.prepared import utc_text
from storage.types import UtcDateTime

_Convert = Callable[[Any], str]
#: `json.dumps` with an option makes an encoder for every value.
_encode = json.JSONEncoder(ensure_ascii=False).encode

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
                    [_encode(row[name]) if name in jsons else row[name] for name in names]
                )
    except psycopg.Error as error:
        raise _as_ours(error, conn) from error


def insert_plain(conn: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows that all have the same columns into a table of SQLite. DBAPIError; OverflowError, UnicodeError."""
    names = tuple(rows[0])
    statement, converters = _plain_insert(table, names)
    values = itemgetter(*names)
    conn.exec_driver_sql(
        statement,
        [
            tuple(
                value if value is None or convert is None else convert(value)
                for value, convert in zip(values(row), converters, strict=True)
            )
            for row in rows
        ],
    )


@lru_cache(maxsize=64)
def _plain_insert(table: Table, names: tuple[str, ...]) -> tuple[str, tuple[_Convert | None, ...]]:
    """The statement, and what makes of each column's values what the driver takes."""
    converters: list[_Convert | None] = []
    for name in names:
        kind = table.c[name].type
        converters.append(
            _as_json
            if isinstance(kind, JSON)
            else utc_text
            if isinstance(kind, UtcDateTime)
            else None
        )
    columns = ", ".join(names)
    places = ", ".join("?" * len(names))
    # Names of our own tables and columns; SQLite takes no parameters in their place.
    return f"INSERT INTO {table.name} ({columns}) VALUES ({places})", tuple(converters)  # noqa: S608


def _as_json(value: Any) -> str:
    return json.dumps(value)


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
