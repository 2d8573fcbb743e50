"""Tables and a progress line as plain text. Columns are as wide as they look: Arabic marks take no room, Japanese two.

What is not here: what is shown (`auditing`, `import_telling`).
"""

from __future__ import annotations

import shutil
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

#: Where no terminal says how wide it is.
WIDE = 200
_BAR = 30


@dataclass(frozen=True, slots=True)
class Column:
    """`right`: figures. `most`: wider cells are cut. `head` may have several lines."""

    head: str = ""
    right: bool = False
    most: int = WIDE


def width(text: str) -> int:
    """How many places of a terminal `text` takes."""
    places = 0
    for c in text:
        if unicodedata.category(c) in ("Mn", "Me", "Cf"):
            continue  # drawn onto what stands before, or not at all
        places += 2 if unicodedata.east_asian_width(c) in ("W", "F") else 1
    return places


def cut(text: str, most: int) -> str:
    """`text` in at most `most` places; what is left out is an ellipsis."""
    if width(text) <= most:
        return text
    kept = ""
    for c in text:
        if width(kept + c) > most - 1:
            break
        kept += c
    return f"{kept}…"


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]], *, gap: int = 2) -> str:
    """Lines with a head where a column has one, blanks between; no line ends in blanks."""
    heads = [column.head.split("\n") for column in columns]
    deep = max((len(head) for head in heads if head != [""]), default=0)
    above = [[""] * (deep - len(head)) + head for head in heads]
    lines = [[above[place][line] for place in range(len(columns))] for line in range(deep)]
    lines += [
        [cut(cell, column.most) for cell, column in zip(row, columns, strict=True)] for row in rows
    ]
    wide = [max((width(line[place]) for line in lines), default=0) for place in range(len(columns))]
    return "\n".join(
        (" " * gap)
        .join(
            _placed(cell, wide[place], columns[place].right) for place, cell in enumerate(line)
        )
        .rstrip()
        for line in lines
    )  # fmt: skip


def _placed(cell: str, wide: int, right: bool) -> str:
    room = " " * (wide - width(cell))
    return room + cell if right else cell + room


class ProgressLine:
    """One line of a terminal, drawn again and again; it is gone after `clear`. Nothing on anything else."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stderr
        self._drawn = False

    @property
    def is_seen(self) -> bool:
        """Somebody watches."""
        return self._out.isatty()

    def draw(self, done: int, whole: int, told: str) -> None:
        """A bar with `told` behind it."""
        if not self.is_seen:
            return
        full = _BAR * min(done, whole) // max(whole, 1)
        line = f"{'━' * full}{'╺' if full < _BAR else ''}{'─' * (_BAR - full - 1)} {told}"
        self._out.write(f"\r\x1b[K{cut(line, shutil.get_terminal_size().columns - 1)}")
        self._out.flush()
        self._drawn = True

    def clear(self) -> None:
        """As if nothing had been drawn."""
        if self._drawn:
            self._out.write("\r\x1b[K")
            self._out.flush()
            self._drawn = False
