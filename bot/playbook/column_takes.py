"""Where one field of Baton comes from: a column, an expression or a constant, through a value table.

A `Take` is checked when the map is loaded and bound to a file's header when the file is open; then it is a function
of a row's cells. What is not here: reading takes from YAML (`column_map_reading`), the map as a whole (`column_map`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cel

from bot.playbook.column_values import Kind, Notation, Unreadable, as_text, folded
from bot.playbook.faults import Path

_REMEMBERED = 512  # answers a field
_SHORT = 80  # characters


class RowFault(Exception):
    """A row that the map cannot use; the text is a sentence without the row's text."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A checked CEL program over `row`, and the columns it names."""

    program: cel.Program
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Take:
    """One source of a value: exactly one of `column`, `expression`, `constant` is set.

    `table` has folded keys and values that `kind` has read; `otherwise` (read, too) stands for texts that the table
    does not list, and without a table for texts that cannot be read. `has_otherwise`: whether the map says so.
    """

    path: Path
    column: str | None = None
    expression: Expression | None = None
    constant: Any = None
    table: Mapping[str, Any] | None = None
    otherwise: Any = None
    has_otherwise: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it needs."""
        if self.column is not None:
            return (self.column,)
        return self.expression.columns if self.expression else ()


@dataclass(frozen=True, slots=True)
class FieldTakes:
    """A field of Baton and its takes: the first that gives something counts."""

    name: str
    shown: str  # as the map calls it: `past.touches`
    kind: Kind
    takes: tuple[Take, ...]


@dataclass(frozen=True, slots=True)
class Columns:
    """A header's columns as the map reads them."""

    places: Mapping[str, int]
    numbers: frozenset[str]
    notation: Notation

    def seen(self, name: str, text: str) -> str | float:
        """What an expression sees of a cell. Raises RowFault."""
        clean = self.notation.clean(text)
        if name not in self.numbers:
            return clean
        try:
            return float(self.notation.number(clean))
        except Unreadable as fault:
            raise RowFault(f"The column “{name}” {fault}.") from None


#: A bound field, of a row's cells: raises RowFault.
Read = Callable[[Sequence[str]], Any]


def bind_field(of: FieldTakes, columns: Columns) -> Read:
    """The function that reads the field from a row of the file with these columns."""
    reads = [_bind(take, of, columns) for take in of.takes]
    if len(reads) == 1:
        return reads[0]

    def first(cells: Sequence[str]) -> Any:
        value = None
        for read in reads:
            value = read(cells)
            if value not in ("", None, 0, False):
                break
        return value

    return first


def _bind(take: Take, of: FieldTakes, columns: Columns) -> Read:
    if take.expression is not None:
        return _bind_expression(take, take.expression, of, columns)
    if take.column is None:
        constant = take.constant
        return lambda cells: constant
    notation, kind = columns.notation, of.kind
    if kind is Kind.FREE and take.column in columns.numbers:
        kind = Kind.NUMBER
    shown = f"The column “{take.column}”"

    def read(text: str) -> Any:
        return _through(take, kind, notation, notation.clean(text), of, shown)

    plain = take.table is None and kind in (Kind.TEXT, Kind.FREE)
    return _remembered(notation.clean if plain else read, (columns.places[take.column],))


def _bind_expression(take: Take, expression: Expression, of: FieldTakes, columns: Columns) -> Read:
    execute, names = expression.program.execute, expression.columns
    shown = f"The expression of {of.shown}"

    def read(*texts: str) -> Any:
        row = {name: columns.seen(name, text) for name, text in zip(names, texts, strict=True)}
        try:
            result = execute(cel.Context({"row": row}))
        except Exception as error:  # the engine's own kinds: KeyError, TypeError, RuntimeError …
            if take.has_otherwise:
                return take.otherwise
            raise RowFault(f"{shown} cannot be worked out for this row: {why(error)}.") from None
        return _through(take, of.kind, columns.notation, result, of, shown)

    return _remembered(read, tuple(columns.places[name] for name in names))


def _remembered(read: Callable[..., Any], places: tuple[int, ...]) -> Read:
    """`read` of the cells at these places, with its last answers at hand: an export holds the same few texts again
    and again, and an expression costs thirty times a look-up. Long texts are not kept, and neither are faults."""
    kept = lru_cache(maxsize=_REMEMBERED)(read)
    if len(places) == 1:
        place = places[0]

        def one(cells: Sequence[str]) -> Any:
            text = cells[place]
            return kept(text) if len(text) <= _SHORT else read(text)

        return one

    def several(cells: Sequence[str]) -> Any:
        texts = [cells[place] for place in places]
        return kept(*texts) if sum(map(len, texts)) <= _SHORT else read(*texts)

    return several


def _through(
    take: Take, kind: Kind, notation: Notation, value: Any, of: FieldTakes, shown: str
) -> Any:
    try:
        if take.table is not None:
            text = folded(as_text(value))
            if text in take.table:
                return take.table[text]
            if text and take.has_otherwise:
                return take.otherwise
        return notation.read(kind, value)
    except Unreadable as fault:
        if take.has_otherwise:
            return take.otherwise
        into = "" if of.shown in shown else f" ({of.shown})"
        raise RowFault(f"{shown} {fault}{into}.") from None


def why(error: Exception) -> str:
    """What stopped an expression, without the values that did."""
    text = str(error)
    if isinstance(error, TypeError):
        return "it compares or joins text with a number"
    if isinstance(error, KeyError):
        return "it asks for a column that is not there"
    if "parse error" in text:
        return "it makes a number of a text that is none"
    return "a division by zero" if "zero" in text.lower() else "a value does not suit it"


def columns_of(fields: Sequence[FieldTakes]) -> Iterator[tuple[Path, str]]:
    """Each column that is needed, with the place in the map that needs it."""
    for each in fields:
        for take in each.takes:
            for name in take.columns:
                yield take.path, name
