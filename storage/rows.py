"""Turning database rows into frozen dataclasses by name, and one insert that both databases know."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    JSON,
    Column,
    ColumnElement,
    Connection,
    Insert,
    Row,
    Table,
    Text,
    any_,
    bindparam,
    cast,
    column,
    func,
    select,
)  # fmt: skip
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.sql.elements import ClauseElement
from sqlalchemy.sql.schema import ScalarElementColumnDefault

from storage.prepared import Prepared, T


def as_row(kind: type[T], row: Row[Any]) -> T:
    """`row` as the dataclass `kind`, whose field names are the column names."""
    mapping = row._mapping
    return kind(**{name: mapping[name] for name in kind.__dataclass_fields__})


def table_of(model: type[DeclarativeBase]) -> Table:
    """The Core table of a model."""
    table = model.__table__
    assert isinstance(table, Table)  # noqa: S101 - a model of ours always maps a table
    return table


def blank_of(table: Table) -> dict[str, Any]:
    """What a row holds where nobody says anything; its key and the columns that must be given are left out."""
    found: dict[str, Any] = {}
    for each in table.columns:
        if each.primary_key:
            continue
        if isinstance(each.default, ScalarElementColumnDefault):
            found[each.name] = each.default.arg
        elif each.nullable:
            found[each.name] = None
    return found


@lru_cache(maxsize=64)
def _new_row(table: Table, names: tuple[str, ...], key: str) -> Prepared:
    """Insert a row with these columns, unless a unique key is taken; `key`, where it was inserted."""

    def make(dialect: str) -> ClauseElement:
        made = (sqlite_insert if dialect == "sqlite" else pg_insert)(table)
        return made.on_conflict_do_nothing().returning(table.c[key])

    return Prepared(make, (table.c[key],), names)


@lru_cache(maxsize=64)
def _new_rows(table: Table, names: tuple[str, ...]) -> Prepared:
    """The same, and nothing comes back. On PostgreSQL all rows are one parameter: see `_from_json`."""

    def make(dialect: str) -> ClauseElement:
        if dialect == "sqlite":
            return sqlite_insert(table).on_conflict_do_nothing()
        return _from_json(table, names)

    return Prepared(make, (), names)


@lru_cache(maxsize=64)
def _each_new(table: Table, key: str, names: tuple[str, ...]) -> Prepared:
    """Many at once, on PostgreSQL; the keys of those that were inserted."""
    return Prepared(
        lambda _dialect: _from_json(table, names).returning(table.c[key]), (table.c[key],)
    )


def _from_json(table: Table, names: tuple[str, ...]) -> Insert:
    """All rows in one parameter: of thousands of them, the driver would have to find each one in the statement."""
    rows = (
        func.json_to_recordset(cast(bindparam("rows", type_=Text), JSON))
        .table_valued(*(column(name, table.c[name].type) for name in names), name="given")
        .render_derived(with_types=True)
    )
    given = select(*(rows.c[name] for name in names))
    return pg_insert(table).from_select(list(names), given).on_conflict_do_nothing()


def _as_json(rows: Sequence[Mapping[str, Any]]) -> str:
    return json.dumps(
        [{name: value for name, value in row.items() if value is not None} for row in rows],
        default=datetime.isoformat,
    )


def is_among(conn: Connection, field: Column[Any], values: Collection[Any]) -> ColumnElement[bool]:
    """`IN`, with all values in one parameter where the database can take it (see `_from_json`)."""
    if conn.dialect.name == "postgresql":
        return field == any_(bindparam(None, list(values), ARRAY(field.type)))
    return field.in_(values)


@lru_cache(maxsize=64)
def _inserting(table: Table, names: tuple[str, ...]) -> Prepared:
    return Prepared(lambda _dialect: table.insert().returning(table.c.id), (table.c.id,), names)


@lru_cache(maxsize=64)
def _defaults_of(table: Table) -> dict[str, Any]:
    """What Python fills in where nobody says anything; the database knows nothing of it."""
    return {
        each.name: each.default.arg
        for each in table.columns
        if isinstance(each.default, ScalarElementColumnDefault)
    }


def insert_if_new(conn: Connection, table: Table, **values: Any) -> bool:
    """Insert unless a unique key is taken. True when this call inserted the row."""
    row = {**_defaults_of(table), **values}
    return bool(_new_row(table, tuple(row), _key_of(table)).fetch(conn, row))


def insert_all_new(conn: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> int:
    """Insert several rows with the same columns, leaving out those whose unique key is taken. How many were new."""
    if not rows:
        return 0
    whole = [{**_defaults_of(table), **row} for row in rows]
    inserting = _new_rows(table, tuple(whole[0]))
    if conn.dialect.name == "postgresql":
        return inserting.run(conn, {"rows": _as_json(whole)})
    return inserting.run_many(conn, whole)


def insert_each_new(
    conn: Connection, table: Table, key: Column[Any], rows: Sequence[Mapping[str, Any]]
) -> list[bool]:
    """Insert several rows with the same columns unless a unique key is taken; which of them this call inserted. `key`:
    the column by which they are known apart; of two with the same one the first counts."""
    if not rows:
        return []
    names = tuple(rows[0])
    if len(rows) > 1 and conn.dialect.name == "postgresql":
        done = _each_new(table, key.name, names).fetch(conn, {"rows": _as_json(rows)})
    else:
        one = _new_row(table, names, key.name)
        done = [found for row in rows for found in one.fetch(conn, row)]
    inserted = {found for (found,) in done}
    answers: list[bool] = []
    for row in rows:
        answers.append(row[key.name] in inserted)
        inserted.discard(row[key.name])
    return answers


def insert(conn: Connection, table: Table, **values: Any) -> int:
    """Insert a row with a counted key and return the key."""
    row = {**_defaults_of(table), **values}
    ((key,),) = _inserting(table, tuple(row)).fetch(conn, row)
    return int(key)


def _key_of(table: Table) -> str:
    return next(iter(table.primary_key)).name
