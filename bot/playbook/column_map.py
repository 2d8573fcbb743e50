"""The mapping file of an import: which column of an export is which field of Baton, compiled once for all rows.

`load_column_map` finds every fault of the file at once; `check_header` compares it with an export; `bind` gives the
function that maps a row. What is not here: reading CSV files (`handlers.csv_rows`), the limits and rules of a lead's
fields (`handlers.lead_body`), what an import does with rows (`bot.services`). The guide is docs/import.md.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from bot.domain.past import FAULT_COLUMN
from bot.playbook.column_map_reading import LEAD_KINDS, PAST_KINDS, FieldReader
from bot.playbook.column_spread import Spread, read_spread
from bot.playbook.column_takes import (
    Columns,
    FieldTakes,
    Read,
    RowFault,
    bind_field,
    columns_of,
)
from bot.playbook.column_values import Kind, Notation, Unreadable, folded
from bot.playbook.document import read_document
from bot.playbook.faults import Fault, Faults, Path, did_you_mean, in_order, shown

__all__ = ["BoundMap", "ColumnMap", "ColumnMapResult", "Mapped", "RowFault", "load_column_map"]

_KEYS = (
    "source", "columns", "extra", "past", "numbers", "empty", "decimal", "dates", "timezone", "spread",
)  # fmt: skip
_MOST_SOURCE = 80


@dataclass(frozen=True, slots=True)
class Mapped:
    """One row under Baton's names: `lead` as HTTP intake takes it, `past` by the names of `Past` (values read;
    absent and empty ones left out)."""

    lead: dict[str, Any]
    past: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ValueTable:
    """A table that the map puts a column through. `listed`: the texts it knows, folded."""

    field: str
    column: str
    place: int
    listed: frozenset[str]


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """A compiled mapping. `source`: the name these leads get; `sha256`: of the file's text."""

    name: str
    sha256: str
    source: str
    spread: Spread | None
    lead: tuple[FieldTakes, ...]
    extra: tuple[FieldTakes, ...]
    past: tuple[FieldTakes, ...]
    numbers: Mapping[str, Path]
    notation: Notation
    lines: Mapping[Path, int]

    def check_header(self, header: Sequence[str]) -> tuple[Fault, ...]:
        """Columns that the map names and the file has not, or has twice. Empty: the file can be mapped."""
        faults = Faults(self.name, self.lines)
        for path, name in self._needed():
            count = header.count(name)
            if name == FAULT_COLUMN:
                faults.add(path, f"{shown(name)} holds Baton's own words on a row, and no value")
            elif count == 0:
                faults.add(
                    path, f"the file has no column {shown(name)}{did_you_mean(name, header)}"
                )
            elif count > 1:
                places = ", ".join(str(n) for n, each in enumerate(header, 1) if each == name)
                faults.add(path, f"the file has {count} columns {shown(name)} (number {places})")
        return in_order(faults.found)

    def bind(self, header: Sequence[str], *, with_past: bool = True) -> BoundMap:
        """The map for files with this header, which `check_header` has found good."""
        columns = Columns(
            {name: place for place, name in enumerate(header)},
            frozenset(self.numbers),
            self.notation,
        )

        def bound(group: tuple[FieldTakes, ...]) -> tuple[tuple[str, Read], ...]:
            return tuple((each.name, bind_field(each, columns)) for each in group)

        past = bound(self.past) if with_past else ()
        return BoundMap(columns, self.spread, bound(self.lead), bound(self.extra), past)

    def tables(self, header: Sequence[str]) -> tuple[ValueTable, ...]:
        """The value tables of columns, for files with this header. Those that only ask yes or no list one side."""
        return tuple(
            ValueTable(each.shown, take.column, header.index(take.column), frozenset(take.table))
            for each in (*self.lead, *self.extra, *self.past)
            if each.kind is not Kind.YES_NO
            for take in each.takes
            if take.column is not None and take.table is not None
        )

    def unlisted(self, table: ValueTable, cells: Sequence[str]) -> str:
        """The row's text that the table does not list, as the file has it; "" when there is none."""
        text = self.notation.clean(cells[table.place])
        return "" if folded(text) in table.listed else text

    def _needed(self) -> Iterator[tuple[Path, str]]:
        yield from columns_of((*self.lead, *self.extra, *self.past))
        for name, path in self.numbers.items():
            yield path, name
        if self.spread is not None:
            yield ("spread", "by"), self.spread.by


@dataclass(frozen=True, slots=True)
class BoundMap:
    """A map for files of one header."""

    columns: Columns
    spread: Spread | None
    lead: tuple[tuple[str, Read], ...]
    extra: tuple[tuple[str, Read], ...]
    past: tuple[tuple[str, Read], ...]

    def row(self, cells: Sequence[str], between: tuple[float, float] | None = None) -> Mapped:
        """One row, as many cells as the header. `between`: the numbers of the spread. Raises RowFault."""
        lead = {name: read(cells) for name, read in self.lead}
        lead["extra"] = {name: read(cells) for name, read in self.extra}
        past = {name: value for name, read in self.past if (value := read(cells)) not in ("", None)}
        if between is not None:
            at = self._spread_at(cells, between)
            if lead.get("occurred_at") is None:
                lead["occurred_at"] = at
            past.setdefault("arrived_at", at)
        occurred = lead.get("occurred_at")
        if isinstance(occurred, datetime):
            lead["occurred_at"] = occurred.isoformat()
        return Mapped(lead, past)

    def spread_number(self, cells: Sequence[str]) -> float | None:
        """The row's number in the column that leads are spread by, None where there is none."""
        if self.spread is None:
            return None
        text = self.columns.notation.clean(cells[self.columns.places[self.spread.by]])
        try:
            return float(self.columns.notation.number(text)) if text else None
        except Unreadable:
            return None

    def _spread_at(self, cells: Sequence[str], between: tuple[float, float]) -> datetime | None:
        number = self.spread_number(cells)
        if number is None or self.spread is None:
            name = self.spread.by if self.spread else ""
            raise RowFault(
                f"The column “{name}” is no number, so the row has no place in the period."
            )
        return self.spread.at(number, between)


@dataclass(frozen=True, slots=True)
class ColumnMapResult:
    """What a mapping file says. `column_map` is None when there is any fault."""

    column_map: ColumnMap | None
    faults: tuple[Fault, ...]
    sha256: str


def load_column_map(text: str, name: str = "map.yaml") -> ColumnMapResult:
    """Compile the mapping in `text`. Never raises: what is wrong is in `faults`."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    document = read_document(text)
    faults = Faults(name, document.lines, document.labels)
    early = [
        Fault(line, faults.where(path), message, name) for line, path, message in document.faults
    ]
    if not document.readable or not isinstance(document.data, dict):
        if document.readable and not early:
            early.append(Fault(1, "", "holds no map: write `source:`, `columns:` and so on", name))
        return ColumnMapResult(None, in_order(early), digest)
    for _, path, _ in document.faults:
        faults.refused(path)
    column_map = _compile(document.data, faults, name, digest)
    found = in_order([*early, *faults.found])
    return ColumnMapResult(None if found else column_map, found, digest)


def _compile(data: dict[str, Any], faults: Faults, name: str, digest: str) -> ColumnMap:
    for key in data:
        if key not in _KEYS:
            faults.add(
                (key,),
                f"{shown(key)} is not known here{did_you_mean(key, _KEYS)}; there are {', '.join(_KEYS)}",
            )
    notation = _notation(data, faults)
    numbers = {text: ("numbers", place) for place, text in _texts(data, "numbers", faults)}
    reader = FieldReader(faults, notation, frozenset(numbers))
    lead = reader.known(data.get("columns"), "columns", LEAD_KINDS)
    extra = reader.free(data.get("extra"))
    past = reader.known(data.get("past"), "past", PAST_KINDS)
    if not any(field.name in ("external_id", "email") for field in lead):
        faults.add(("columns",), "needs `external_id` or `email`: what tells one lead from another")
    spread = read_spread(data.get("spread"), notation, faults)
    if spread is not None and any(field.name == "occurred_at" for field in lead):
        faults.add(("spread",), "has no use beside `columns.occurred_at`: leave one of them out")
    source = _source(data, faults)
    return ColumnMap(
        name, digest, source, spread, lead, extra, past, numbers, notation, dict(faults.lines)
    )


def _source(data: dict[str, Any], faults: Faults) -> str:
    value = data.get("source")
    source = " ".join(value.split()) if isinstance(value, str) else ""
    if not source:
        faults.add(("source",), "is missing: the name that these leads get as their source")
    elif len(source) > _MOST_SOURCE:
        faults.add(("source",), f"has {len(source)} characters; {_MOST_SOURCE} is the most")
    return source


def _notation(data: dict[str, Any], faults: Faults) -> Notation:
    decimal = data.get("decimal", ".")
    if decimal not in (".", ","):
        faults.add(("decimal",), 'must be "." or ","')
        decimal = "."
    dates = [
        text for place, text in _texts(data, "dates", faults) if _is_format(place, text, faults)
    ]
    empty = {text.casefold() for _, text in _texts(data, "empty", faults, blank=True)}
    return Notation(
        frozenset({"", *empty, *map(folded, empty)}), decimal, tuple(dates), _zone(data, faults)
    )


def _texts(
    data: dict[str, Any], key: str, faults: Faults, *, blank: bool = False
) -> list[tuple[int, str]]:
    """The texts of a list (or a single one) with their places."""
    value = data.get(key)
    if value is None:
        return []
    texts: list[tuple[int, str]] = []
    for place, text in enumerate(value if isinstance(value, list) else [value]):
        if text is None and blank:
            text = ""
        if not isinstance(text, str) or (not text.strip() and not blank):
            path: Path = (key, place) if isinstance(value, list) else (key,)
            faults.add(path, "must be a text, or a list of texts")
            continue
        texts.append((place, text.strip()))
    return texts


def _is_format(place: int, text: str, faults: Faults) -> bool:
    """Whether a date written in this format can be read again."""
    example = datetime(2026, 11, 22, 16, 35, 40)  # noqa: DTZ001 (only its digits matter)
    try:
        if datetime.strptime(example.strftime(text), text).date() == example.date():  # noqa: DTZ007
            return True
    except (ValueError, re.error):  # a directive that stands twice is a regex error
        pass
    faults.add(
        ("dates", place),
        f"{shown(text)} is no date format; write for example `%d.%m.%Y` or `%m/%d/%Y %H:%M`",
    )
    return False


def _zone(data: dict[str, Any], faults: Faults) -> ZoneInfo | None:
    value = data.get("timezone")
    if value is None:
        return None
    zones = available_timezones()
    if not isinstance(value, str) or value.strip() not in zones:
        hint = did_you_mean(str(value), zones)
        faults.add(
            ("timezone",), f"{shown(value)} is no time zone{hint}; write a place like Europe/Berlin"
        )
        return None
    return ZoneInfo(value.strip())
