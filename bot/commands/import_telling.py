"""What `baton import` shows: a bar with rate and time left, the summary, the first rows of a dry run.

Progress goes to standard error: a bar on a terminal, a line now and then elsewhere. What others wrote is printed
without control characters. What is not here: the import (`importing`).
"""

from __future__ import annotations

import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, tzinfo

from bot.commands.tables import Column, ProgressLine, table
from bot.commands.wording import counted, one_line, printable
from bot.domain.past import ImportMode, ImportRow
from storage.imports import ImportRun

#: A plain line so often (seconds), where no bar can be drawn.
PLAIN_EVERY = 5.0
#: So many reasons, each with so many lines; all of them are in the file of refused rows.
MOST_REASONS, MOST_LINES = 10, 5
#: So many rows and cells of a dry run.
FIRST_ROWS, MOST_FIELDS, CELL = 5, 60, 40


@dataclass
class Bar:
    """How far an import is. Records are counted, lines of the file measure: records may span several."""

    lines: int  # of the whole file
    began_at: int = 0  # the line that was done before
    records: int = 0
    line: int = 0
    began: float = field(default_factory=time.monotonic)
    _said: float = 0.0
    _drawn: ProgressLine | None = None

    def move(self, records: int, line: int) -> None:
        """So many records more, the last of them at `line`."""
        self.records += records
        self.line = line
        if self._drawn is not None:
            self._drawn.draw(line, self.lines, self.told())
        elif self.seconds - self._said >= PLAIN_EVERY:
            self._said = self.seconds
            print(f"baton: {self.told()}", file=sys.stderr, flush=True)

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self.began

    def told(self) -> str:
        """`3,000 rows, 33 %, 4,100 rows/s, 2 s left`."""
        done, ahead = self.line - self.began_at, max(self.lines - self.line, 0)
        share = self.line * 100 // max(self.lines, 1)
        left = self.seconds * ahead / done if done > 0 else 0.0
        return f"{self.records:,} rows, {share} %, {rate(self.records, self.seconds)}, {_span(left)} left"


@contextmanager
def shown(lines: int) -> Iterator[Bar]:
    """A bar while the import runs. It goes when the import is over: the summary stays."""
    bar, drawn = Bar(lines), ProgressLine()
    if not drawn.is_seen:
        yield bar
        return
    bar._drawn = drawn
    drawn.draw(0, lines, "beginning")
    try:
        yield bar
    finally:
        drawn.clear()


def rate(records: int, seconds: float) -> str:
    """`4,100 rows/s`."""
    return f"{records / max(seconds, 0.001):,.0f} rows/s"


def print_counts(run: ImportRun) -> None:
    """What became of the records."""
    for name, number in (
        ("accepted", run.accepted),
        ("updated", run.updated),
        ("duplicate", run.duplicate),
        ("refused", run.refused),
    ):
        print(f"  {name:<10}{number:>10,}")


def print_faults(faults: Sequence[tuple[int, str]]) -> None:
    """Refused rows by their reason, the most frequent first, with the first lines of each."""
    by_reason: dict[str, list[int]] = defaultdict(list)
    for line, reason in faults:
        by_reason[reason].append(line)
    most_first = sorted(by_reason.items(), key=lambda item: (-len(item[1]), item[1]))
    for reason, lines in most_first[:MOST_REASONS]:
        some = ", ".join(str(line) for line in lines[:MOST_LINES])
        more = ", …" if len(lines) > MOST_LINES else ""
        word = "line" if len(lines) == 1 else f"{len(lines):,} rows, lines"
        print(f"  {word} {some}{more}: {one_line(reason, 300)}")
    if len(most_first) > MOST_REASONS:
        print(f"  and {counted(len(most_first) - MOST_REASONS, 'other reason')}")


def print_notes(notes: Iterable[str]) -> None:
    """What the reader says of the file."""
    for note in notes:
        print(f"  {printable(note)}")


def print_unlisted(field: str, column: str, texts: Counter[str]) -> None:
    """The texts that a value table does not list, the most frequent first."""
    most = texts.most_common(MOST_LINES)
    told = ", ".join(f"“{one_line(text, CELL)}” ({count:,})" for text, count in most)
    more = ", …" if len(texts) > len(most) else ""
    print(
        f"  {one_line(field, CELL)}: the table does not list {told}{more} of “{one_line(column, CELL)}”"
    )


def print_first_rows(rows: Sequence[ImportRow], mode: ImportMode, zone: tzinfo) -> None:
    """The first rows as Baton would take them: a field a line, a row a column. Dates as the map means them."""
    fields: dict[str, list[str]] = {}
    for place, row in enumerate(rows):
        for name, value in _fields_of(row, mode, zone):
            if value not in ("", "0"):
                fields.setdefault(name, [""] * len(rows))[place] = one_line(value, CELL)
    columns = [Column("field"), *(Column(f"line {row.line}", most=CELL) for row in rows)]
    shown = [[name, *cells] for name, cells in list(fields.items())[:MOST_FIELDS]]
    print(table(columns, shown, gap=1))


def _fields_of(row: ImportRow, mode: ImportMode, zone: tzinfo) -> Iterator[tuple[str, str]]:
    facts = row.facts
    for name in facts.__dataclass_fields__:
        value = getattr(facts, name)
        if name == "extra":
            for key, each in value.items():
                yield f"extra.{one_line(key, CELL)}", str(each)
        elif name == "score_reasons":
            yield name, "; ".join(value)
        elif value is not None:
            yield name, _shown(value, zone)
    if mode is ImportMode.HISTORY:
        for name in row.past.__dataclass_fields__:
            value = getattr(row.past, name)
            yield f"past.{name}", "" if value in (None, False) else _shown(value, zone)


def _shown(value: object, zone: tzinfo) -> str:
    if isinstance(value, datetime):
        return f"{value.astimezone(zone):%Y-%m-%d %H:%M %Z}"
    return str(value)


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
