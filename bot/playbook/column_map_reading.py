"""The parts of a mapping file as checked takes: every fault at once, each with its line.

What is not here: the map as a whole and its row function (`column_map`), how values are read (`column_values`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import cel

from bot.domain.funnel import Status
from bot.playbook.column_takes import Expression, FieldTakes, Take
from bot.playbook.column_values import Kind, Notation, Unreadable, folded
from bot.playbook.conditions import ConditionFault, compile_over_row
from bot.playbook.faults import Faults, Path, did_you_mean, shown

_T, _N, _C, _D = Kind.TEXT, Kind.NUMBER, Kind.COUNT, Kind.DATE
#: The fields of a lead, as HTTP intake names them.
LEAD_KINDS: Mapping[str, Kind] = {
    "external_id": _T, "source": _T, "email": _T, "first_name": _T, "last_name": _T, "title": _T, "company": _T,
    "phone": _T, "country": _T, "language": _T, "employees": _N, "industry": _T, "message": _T, "source_score": _N,
    "score_reasons": _T, "campaign": _T, "visits": _N, "account_owner": _T, "url": _T, "occurred_at": _D,
}  # fmt: skip
#: The fields of `bot.domain.past.Past`.
PAST_KINDS: Mapping[str, Kind] = {
    "status": Kind.STATUS, "owner": _T, "team": _T, "touches": _C, "self_reported": _C, "routed": _C,
    "rejected": Kind.YES_NO, "reason": _T, "arrived_at": _D,
}  # fmt: skip
MOST_EXTRA = 50
_MOST_TAKES = 10
_FROM = ("column", "cel", "constant")
_TAKE_KEYS = (*_FROM, "table", "otherwise")
_EXTRA_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,79}")


class FieldReader:
    """Reads the groups `columns`, `past` and `extra`."""

    def __init__(self, faults: Faults, notation: Notation, numbers: frozenset[str]) -> None:
        self._faults = faults
        self._notation = notation
        self._numbers = numbers

    def known(self, data: Any, group: str, kinds: Mapping[str, Kind]) -> tuple[FieldTakes, ...]:
        """The fields of a group that has a fixed list of names."""
        fields: list[FieldTakes] = []
        prefix = "" if group == "columns" else f"{group}."
        for name, value in self._entries(data, group):
            path: Path = (group, name)
            if name not in kinds:
                hint = did_you_mean(name, kinds)
                free = "" if hint or group == "past" else "; other names belong under `extra:`"
                self._faults.add(
                    path,
                    f"{shown(name)} is no field here{hint}{free}; there are {', '.join(kinds)}",
                )
                continue
            fields.append(self._field(name, f"{prefix}{name}", kinds[name], value, path))
        return tuple(fields)

    def free(self, data: Any) -> tuple[FieldTakes, ...]:
        """The fields of `extra`, whose names the map's author chooses."""
        fields: list[FieldTakes] = []
        for name, value in self._entries(data, "extra"):
            path: Path = ("extra", name)
            if not _EXTRA_NAME.fullmatch(name):
                self._faults.add(
                    path,
                    f"{shown(name)} cannot be asked for as `extra.…`; use letters, digits and _",
                )
                continue
            fields.append(self._field(name, f"extra.{name}", Kind.FREE, value, path))
        if len(fields) > MOST_EXTRA:
            self._faults.add(("extra",), f"has {len(fields)} names; {MOST_EXTRA} is the most")
        return tuple(fields)

    def _entries(self, data: Any, group: str) -> list[tuple[str, Any]]:
        if data is None:
            return []
        if not isinstance(data, dict):
            self._faults.add((group,), "must be a group of `field: column` lines")
            return []
        return list(data.items())

    def _field(self, name: str, as_shown: str, kind: Kind, value: Any, path: Path) -> FieldTakes:
        if isinstance(value, list):
            if not 0 < len(value) <= _MOST_TAKES:
                self._faults.add(path, f"must name 1 to {_MOST_TAKES} columns")
            takes = [
                self._take(each, kind, (*path, n)) for n, each in enumerate(value[:_MOST_TAKES])
            ]
        else:
            takes = [self._take(value, kind, path)]
        return FieldTakes(name, as_shown, kind, tuple(take for take in takes if take is not None))

    def _take(self, value: Any, kind: Kind, path: Path) -> Take | None:
        if isinstance(value, str):
            return Take(path, column=self._column(value, path))
        if not isinstance(value, dict):
            self._faults.add(
                path, "must name a column, or be a group like {column: Country, table: {India: IN}}"
            )
            return None
        for key in value:
            if key not in _TAKE_KEYS:
                self._faults.add(
                    (*path, key),
                    f"{shown(key)} is not known here{did_you_mean(key, _TAKE_KEYS)}; there are {', '.join(_TAKE_KEYS)}",
                )
        named = [key for key in _FROM if key in value]
        if len(named) != 1:
            self._faults.add(path, "must have exactly one of `column`, `cel` and `constant`")
            return None
        source = value[named[0]]
        if not isinstance(source, str):
            if named[0] != "constant" or source is not None:
                self._faults.add((*path, named[0]), "must be a single text")
                return None
            source = ""
        return self._of(named[0], source, value, kind, path)

    def _of(
        self, way: str, source: str, group: dict[str, Any], kind: Kind, path: Path
    ) -> Take | None:
        if way == "constant":
            for key in ("table", "otherwise"):
                if key in group:
                    self._faults.add((*path, key), "has no use beside a constant")
            return Take(path, constant=self._value(source, kind, (*path, "constant")))
        table = self._table(group["table"], kind, (*path, "table")) if "table" in group else None
        told = "otherwise" in group
        otherwise = self._value(group["otherwise"], kind, (*path, "otherwise")) if told else None
        if way == "column":
            column = self._column(source, (*path, "column"))
            return Take(path, column=column, table=table, otherwise=otherwise, has_otherwise=told)
        expression = self._expression(source, kind, table, told, (*path, "cel"))
        if expression is None:
            return None
        return Take(
            path, expression=expression, table=table, otherwise=otherwise, has_otherwise=told
        )

    def _column(self, text: str, path: Path) -> str:
        name = text.strip()
        if not name:
            self._faults.add(path, "names no column")
        return name

    def _table(self, data: Any, kind: Kind, path: Path) -> dict[str, Any]:
        if not isinstance(data, dict):
            self._faults.add(path, "must be a group of `text in the file: value` lines")
            return {}
        table: dict[str, Any] = {}
        for key, value in data.items():
            if folded(key) in table:
                self._faults.add(
                    (*path, key), "stands here twice: case and spaces make no difference"
                )
            table[folded(key)] = self._value(value, kind, (*path, key))
        return table

    def _value(self, value: Any, kind: Kind, path: Path) -> Any:
        """A value that the map itself gives: read once, so that a row cannot fail on it."""
        if value is None:
            value = ""
        if not isinstance(value, str):
            self._faults.add(path, "must be a single text")
            return None
        try:
            return self._notation.read(kind, value.strip())
        except Unreadable as fault:
            hint = did_you_mean(value.casefold(), Status) if kind is Kind.STATUS else ""
            self._faults.add(path, f"{shown(value)} {fault}{hint}")
            return None

    def _expression(
        self, source: str, kind: Kind, table: Mapping[str, Any] | None, told: bool, path: Path
    ) -> Expression | None:
        try:
            program, columns = compile_over_row(source)
        except ConditionFault as fault:
            self._faults.add(path, str(fault))
            return None
        expression = Expression(program, columns)
        trouble = self._rehearsed(expression, kind, table is not None or told)
        if trouble:
            self._faults.add(path, trouble)
        return expression

    def _rehearsed(self, expression: Expression, kind: Kind, lenient: bool) -> str:
        """What an empty row shows: text and numbers mixed up, results that the field cannot hold."""
        row: dict[str, str | float] = {
            name: 0.0 if name in self._numbers else "" for name in expression.columns
        }
        try:
            result = expression.program.execute(cel.Context({"row": row}))
        except TypeError:
            return (
                "compares or joins text with a number; columns are text unless they stand under `numbers:`, "
                "and numbers are written 1.0"
            )
        except RuntimeError as error:
            if "regex" in str(error):
                return "`matches` has a pattern that is no regular expression"
            if "Undefined" in str(error):
                return "uses a function on something it does not work on"
            if not lenient and "parse error" in str(error):
                return "fails on an empty cell; name the column under `numbers:` and leave int(…) and double(…) out"
            return ""
        except Exception:  # a division by zero: depends on the row
            return ""
        if lenient:
            return ""
        try:
            self._notation.read(kind, result)
        except Unreadable as fault:
            return f"gives {shown(result)}, which {fault}"
        return ""
