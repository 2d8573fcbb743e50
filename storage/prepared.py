"""Statements compiled once and run on the driver's own cursor, in the transaction of the connection they are given.

A click makes about fifteen statements of two dozen shapes: SQLAlchemy builds and looks up each one anew, which costs
several times what the database needs for it. What is kept of SQLAlchemy: the SQL of each dialect, the types of each
value, and its errors (hidden values, lost connections, listeners). The connection must be in a transaction already.
What is not here: any statement.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, ClassVar, Generic, NoReturn, Protocol, TypeVar

from sqlalchemy import (
    ARRAY,
    JSON,
    Column,
    ColumnElement,
    Connection,
    Dialect,
    String,
    Table,
    any_,
    bindparam,
    func,
    literal_column,
    select,
)  # fmt: skip
from sqlalchemy.sql.elements import ClauseElement

from storage.types import UtcDateTime


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Any]]


T = TypeVar("T", bound=_Dataclass)
_Convert = Callable[[Any], Any]
Make = Callable[[str], ClauseElement]


@dataclass(frozen=True, slots=True)
class _Form:
    """A statement as one driver takes it. `order`: None where the driver takes names."""

    sql: str
    fixed: Mapping[str, Any]
    converters: tuple[tuple[str, _Convert], ...]
    order: tuple[str, ...] | None
    results: tuple[tuple[int, _Convert], ...]
    error: type[BaseException]

    def values(self, given: Mapping[str, Any]) -> Any:
        """What the driver takes for it."""
        values = {**self.fixed, **given}
        for name, convert in self.converters:
            value = values[name]
            if value is not None:
                values[name] = convert(value)
        return values if self.order is None else [values[name] for name in self.order]


class Prepared:
    """One statement; `make` is given the dialect's name. `columns`: what comes back, in their order.

    `names`: for an INSERT, the columns that it fills.
    """

    def __init__(
        self, make: Make, columns: Sequence[ColumnElement[Any]] = (), names: Sequence[str] = ()
    ) -> None:
        self._make = make
        self._columns = tuple(columns)
        self._names = tuple(names)
        self._forms: dict[str, _Form] = {}

    def run(self, conn: Connection, given: Mapping[str, Any]) -> int:
        """How many rows it changed."""
        form = self._form(conn)
        return int(_execute(conn, form, form.values(given)).rowcount)

    def run_many(self, conn: Connection, rows: Sequence[Mapping[str, Any]]) -> int:
        """The same for each of the rows; how many they changed together."""
        form = self._form(conn)
        driver: Any = conn.connection.driver_connection
        cursor = driver.cursor()
        try:
            cursor.executemany(form.sql, [form.values(row) for row in rows])
            return int(cursor.rowcount)
        except form.error as error:
            _raise(conn, form, error)

    def fetch(self, conn: Connection, given: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """The rows, with every value as its column has it."""
        form = self._form(conn)
        return self.converted(conn, self._raw(conn, form, given))

    def converted(self, conn: Connection, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """What `fetch` makes of raw rows."""
        form = self._form(conn)
        if not form.results:
            return rows
        found = []
        for row in rows:
            values = list(row)
            for place, convert in form.results:
                if values[place] is not None:
                    values[place] = convert(values[place])
            found.append(tuple(values))
        return found

    def fetch_raw(self, conn: Connection, given: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """The rows as the driver gives them: for whoever only wants to know whether they are the same."""
        return self._raw(conn, self._form(conn), given)

    def _raw(
        self, conn: Connection, form: _Form, given: Mapping[str, Any]
    ) -> list[tuple[Any, ...]]:
        cursor = _execute(conn, form, form.values(given))
        try:
            rows: list[tuple[Any, ...]] = cursor.fetchall()
        except form.error as error:
            _raise(conn, form, error)
        return rows

    def _form(self, conn: Connection) -> _Form:
        name = conn.dialect.name
        return self._forms.get(name) or self._forms.setdefault(name, self._compile(conn.dialect))

    def _compile(self, dialect: Dialect) -> _Form:
        made = self._make(dialect.name)
        compiled: Any = made.compile(dialect=dialect, column_keys=list(self._names) or None)
        converters: list[tuple[str, _Convert]] = []
        for name, bind in compiled.binds.items():
            convert = _binding(bind.type, dialect)
            if convert is not None:
                converters.append((name, convert))
        results: list[tuple[int, _Convert]] = []
        for place, each in enumerate(self._columns):
            convert = _reading(each.type, dialect)
            if convert is not None:
                results.append((place, convert))
        order = tuple(compiled.positiontup) if compiled.positiontup is not None else None
        error: type[BaseException] = dialect.loaded_dbapi.Error
        return _Form(
            compiled.string, compiled.params, tuple(converters), order, tuple(results), error
        )


class Reading(Generic[T]):
    """A statement that gives back whole rows: every field of `kind` is a column of `table`, in its order."""

    def __init__(self, kind: type[T], table: Table, make: Callable[..., ClauseElement]) -> None:
        columns = columns_of(kind, table)
        self._kind = kind
        self._prepared = Prepared(lambda dialect: make(dialect, columns), columns)

    def all(self, conn: Connection, given: Mapping[str, Any]) -> list[T]:
        """Every row."""
        return [self._kind(*row) for row in self._prepared.fetch(conn, given)]

    def first(self, conn: Connection, given: Mapping[str, Any]) -> T | None:
        """The first row, if any."""
        rows = self._prepared.fetch(conn, given)
        return self._kind(*rows[0]) if rows else None


def _binding(kind: Any, dialect: Dialect) -> _Convert | None:
    """What makes of a value of this type what the driver takes."""
    if isinstance(kind, UtcDateTime) and dialect.name == "sqlite":
        return utc_text
    convert: _Convert | None = kind.dialect_impl(dialect).bind_processor(dialect)
    return convert


def _reading(kind: Any, dialect: Dialect) -> _Convert | None:
    """And back."""
    if isinstance(kind, UtcDateTime) and dialect.name == "sqlite":
        return _utc_of
    convert: _Convert | None = kind.dialect_impl(dialect).result_processor(dialect, None)
    return convert


@lru_cache(maxsize=1024)
def utc_text(value: datetime) -> str:
    """As `UtcDateTime` writes it to SQLite; many rows of one transaction share their instants."""
    if value.tzinfo is None:
        raise ValueError("a naive datetime must not reach the database")
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


@lru_cache(maxsize=4096)
def _utc_of(value: str) -> datetime:
    return datetime.fromisoformat(value).replace(tzinfo=UTC)


def columns_of(kind: type[T], table: Table) -> tuple[Column[Any], ...]:
    """The columns that a dataclass is made of."""
    return tuple(table.c[name] for name in kind.__dataclass_fields__)


def among(dialect: str, field: Column[Any], name: str) -> ColumnElement[bool]:
    """`IN` with all values in the one parameter `name`: a list, that may be of any length."""
    if dialect == "postgresql":
        return field == any_(bindparam(name, type_=ARRAY(field.type)))
    given = func.json_each(bindparam(name, type_=JSON)).table_valued("value")
    return field.in_(select(given.c.value))


def unindexed(dialect: str, field: Column[str]) -> ColumnElement[str]:
    """The column, of which SQLite, that keeps no statistics here, is not to think that it finds a few rows."""
    return (
        literal_column(f"+{field.table.name}.{field.name}", String)
        if dialect == "sqlite"
        else field
    )


@lru_cache(maxsize=256)
def _changing(table: Table, kind: type[Any], names: tuple[str, ...]) -> Reading[Any]:
    return Reading(
        kind,
        table,
        lambda _dialect, columns: (
            table.update()
            .where(table.c.id == bindparam("given_id", type_=table.c.id.type))
            .values({name: bindparam(f"new_{name}", type_=table.c[name].type) for name in names})
            .returning(*columns)
        ),
    )


def change_row(
    conn: Connection, table: Table, kind: type[T], id_: int | str, changes: Mapping[str, Any]
) -> T:
    """Change the row with this key, and give it back whole."""
    given = {f"new_{name}": value for name, value in changes.items()}
    changing: Reading[T] = _changing(table, kind, tuple(changes))
    row = changing.first(conn, {**given, "given_id": id_})
    if row is None:
        raise LookupError(f"{table.name} has no such row")
    return row


def _execute(conn: Connection, form: _Form, values: Any) -> Any:
    driver: Any = conn.connection.driver_connection
    try:
        return driver.execute(form.sql, values)
    except form.error as error:
        _raise(conn, form, error)


def _raise(conn: Connection, form: _Form, error: BaseException) -> NoReturn:
    """As SQLAlchemy raises it itself, for those who listen and those who try again; without any value."""
    conn._handle_dbapi_exception(error, form.sql, None, None, None)
