"""What all queries of a report share: the window of time they count, and SQL that both databases understand.

A query is SQL text with a few marks, which become what the database at hand calls it:

- `$in[col]`       `col` lies in the window (it is known, when the window is without bounds)
- `$since[col]`    it does not lie before the window
- `$team[col]`     it is the team that is asked for (always, when none is)
- `$secs[a | b]`   whole seconds from `a` to `b`, rounded down, never below 0
- `$spans[x]`      all `x` that are known, as one text `12,7,300`
- `$least[a | b]`  the smaller one, if both are known
- `$free[col]`     a condition for which no index of `col` is to be used: SQLite keeps no statistics to know better
- `$sifted[col]`   the same, but only of a window with bounds: without, an index that has all in it is the shortest way
- `$ever[]`        the window has no bounds and no team
- `$whole[]`       at the end of a subquery: it is worked out as it stands, not once for each use of its columns

Percentiles are taken from `$spans` by sorting: SQLite has no aggregate for them, and its window functions sort the
same rows five times as slowly as Python sorts the numbers. What is not here: any query.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, bindparam, column, text
from sqlalchemy.types import TypeEngine

from storage.prepared import Prepared
from storage.types import UtcDateTime


@dataclass(frozen=True, slots=True)
class Window:
    """[begin, end) and as what is now in it, `at`. `begin` None: since the beginning, and no bounds at all.

    `team` "": all. `past`: the window lies so far back that little is as it was at its end.
    """

    begin: datetime | None
    end: datetime
    at: datetime
    team: str = ""
    past: bool = False


_ROOM = Prepared(
    lambda _dialect: text(
        "SELECT set_config('jit', 'off', true), set_config('work_mem', '32MB', true)"
    )
)
_MAPPED = Prepared(lambda _dialect: text("PRAGMA mmap_size = 2147483648"))
_NOT_MAPPED = Prepared(lambda _dialect: text("PRAGMA mmap_size = 0"))
_MARK = re.compile(r"\$(\w+)\[([^\[\]]*)\]")
_INSTANTS = ("begin", "end", "at")
Row = tuple[Any, ...]


class Query:
    """A query with marks. `pieces`: what stands in it several times, as `$name`; `more`: further parameters that are
    instants; `types`: of what comes back, where the driver gives something else."""

    def __init__(
        self,
        sql: str,
        pieces: Mapping[str, str] | None = None,
        more: tuple[str, ...] = (),
        types: Sequence[TypeEngine[Any]] = (),
    ) -> None:
        for name, piece in (pieces or {}).items():
            sql = sql.replace(f"${name}", piece)
        self.sql = sql
        self._instants = frozenset({*_INSTANTS, *more})
        self._columns = [column(f"c{place}", kind) for place, kind in enumerate(types)]
        self._shaped = lru_cache(maxsize=None)(self._shape)

    def rows(self, conn: Connection, window: Window, **more: Any) -> list[Row]:
        """What it finds in the window."""
        given = {
            "begin": window.begin,
            "end": window.end,
            "at": window.at,
            "team": window.team,
            **more,
        }
        prepared, names = self._shaped(
            conn.dialect.name, window.begin is not None, bool(window.team)
        )
        return prepared.fetch(conn, {name: given[name] for name in names})

    def _shape(self, dialect: str, bounded: bool, of_team: bool) -> tuple[Prepared, frozenset[str]]:
        sql = written(self.sql, dialect, bounded=bounded, of_team=of_team)
        names = frozenset(re.findall(r":(\w+)", sql))
        binds = [bindparam(name, type_=UtcDateTime()) for name in names & self._instants]
        statement = text(sql).bindparams(*binds)
        return Prepared(lambda _dialect: statement, self._columns), names


@contextmanager
def room(conn: Connection) -> Iterator[None]:
    """For queries that read much. PostgreSQL adds up in memory until the transaction ends, and does not spend more
    time on compiling a query than on running it. SQLite reads the file where the system has it in memory; only
    meanwhile, since it would count as memory of this process."""
    if conn.dialect.name == "postgresql":
        _ROOM.fetch(conn, {})
        yield
        return
    _MAPPED.fetch(conn, {})
    try:
        yield
    finally:
        _NOT_MAPPED.fetch(conn, {})


def written(sql: str, dialect: str, *, bounded: bool, of_team: bool) -> str:
    """`sql` without marks, innermost first."""
    marks: Mapping[str, Callable[..., str]] = {
        "in": lambda col: (
            f"({col} >= :begin AND {col} < :end)" if bounded else f"$free[{col}] IS NOT NULL"
        ),
        "since": lambda col: f"{col} >= :begin" if bounded else "1 = 1",
        "sifted": lambda col: f"$free[{col}]" if bounded else col,
        "ever": lambda _: "1 = 0" if bounded or of_team else "1 = 1",
        "team": lambda col: f"{col} = :team" if of_team else "1 = 1",
        **(_SQLITE if dialect == "sqlite" else _POSTGRESQL),
    }

    def put(found: re.Match[str]) -> str:
        return marks[found[1]](*(part.strip() for part in found[2].split("|")))

    while (done := _MARK.sub(put, sql)) != sql:
        sql = done
    return sql


def _sqlite_seconds(begin: str, end: str) -> str:
    """Instants are text, `2026-03-24 09:00:00.000000`; whole ones can be counted, and the rest compared. The rest is
    cut off first: `unixepoch` takes 0.9995 for the next second."""
    part = f"(substr({end}, 21) < substr({begin}, 21))"
    return f"max(0, unixepoch(substr({end}, 1, 19)) - unixepoch(substr({begin}, 1, 19)) - {part})"


_SQLITE: Mapping[str, Callable[..., str]] = {
    "secs": _sqlite_seconds,
    "spans": lambda value: f"group_concat({value})",
    "least": lambda one, other: f"min({one}, {other})",
    "free": lambda col: f"+{col}",
    "whole": lambda _: "LIMIT -1",
}
# `greatest` and `least` pass over what is not known; here, as in SQLite, nothing is known then.
_POSTGRESQL: Mapping[str, Callable[..., str]] = {
    "secs": lambda begin, end: (
        f"CASE WHEN {end} < {begin} THEN 0 ELSE CAST(floor(date_part('epoch', {end} - {begin})) AS bigint) END"
    ),
    "spans": lambda value: f"string_agg(CAST({value} AS text), ',')",
    "least": lambda one, other: (
        f"CASE WHEN {one} <= {other} THEN {one} WHEN {one} > {other} THEN {other} END"
    ),
    "free": lambda col: col,
    "whole": lambda _: "OFFSET 0",
}


def spans_of(found: str | None) -> list[int]:
    """The numbers of a `$spans`."""
    spans: list[int] = json.loads(f"[{found}]") if found else []
    return spans
