"""Turning database rows into frozen dataclasses by name, and one insert that both databases know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar, Protocol, TypeVar

from sqlalchemy import Connection, Executable, Row, Table
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.sql.dml import ReturningInsert


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Any]]


T = TypeVar("T", bound=_Dataclass)


def as_row(kind: type[T], row: Row[Any]) -> T:
    """`row` as the dataclass `kind`, whose field names are the column names."""
    mapping = row._mapping
    return kind(**{name: mapping[name] for name in kind.__dataclass_fields__})


def table_of(model: type[DeclarativeBase]) -> Table:
    """The Core table of a model."""
    table = model.__table__
    assert isinstance(table, Table)  # noqa: S101 - a model of ours always maps a table
    return table


@lru_cache(maxsize=64)
def _new_row(table: Table, dialect: str) -> ReturningInsert[Any]:
    """Built once: with the values as parameters, building and caching a statement per row costs more than the row."""
    make = sqlite_insert if dialect == "sqlite" else pg_insert
    # By what comes back: psycopg gives no row count for an INSERT.
    return make(table).on_conflict_do_nothing().returning(*table.primary_key)


@lru_cache(maxsize=64)
def _new_rows(table: Table, dialect: str) -> Executable:
    make = sqlite_insert if dialect == "sqlite" else pg_insert
    return make(table).on_conflict_do_nothing()


@lru_cache(maxsize=64)
def _inserting(table: Table) -> ReturningInsert[Any]:
    return table.insert().returning(*table.c)


def insert_if_new(conn: Connection, table: Table, **values: Any) -> bool:
    """Insert unless a unique key is taken. True when this call inserted the row."""
    return conn.execute(_new_row(table, conn.dialect.name), values).first() is not None


def insert_all_new(conn: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert several rows with the same columns, leaving out those whose unique key is taken."""
    if rows:
        conn.execute(_new_rows(table, conn.dialect.name), [dict(row) for row in rows])


def insert_returning(conn: Connection, table: Table, **values: Any) -> Row[Any]:
    """Insert a row and give it back whole, with its defaults."""
    return conn.execute(_inserting(table), values).one()


def insert(conn: Connection, table: Table, **values: Any) -> int:
    """Insert a row with a counted key and return the key."""
    return int(insert_returning(conn, table, **values).id)
