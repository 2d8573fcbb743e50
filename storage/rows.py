"""Turning database rows into frozen dataclasses by name, and one insert that both databases know."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol, TypeVar

from sqlalchemy import Connection, Row, Table
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import DeclarativeBase


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


def insert_if_new(conn: Connection, table: Table, **values: Any) -> bool:
    """Insert unless a unique key is taken. True when this call inserted the row."""
    make = sqlite_insert if conn.dialect.name == "sqlite" else pg_insert
    # By what comes back: psycopg gives no row count for an INSERT.
    query = make(table).values(**values).on_conflict_do_nothing()
    return conn.execute(query.returning(*table.primary_key)).first() is not None


def insert(conn: Connection, table: Table, **values: Any) -> int:
    """Insert a row with a counted key and return the key."""
    result = conn.execute(table.insert().values(**values).returning(table.c.id))
    return int(result.scalar_one())
