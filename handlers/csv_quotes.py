"""One row with quotes, line by line: cells may be quoted, quotes in them are doubled, and they may hold line breaks.

What is not here: which lines to give it, and what to do when it does not end (`csv_rows`).
"""

from __future__ import annotations

from enum import Enum


class State(Enum):
    """OPEN: a quoted cell goes on in the next line. BROKEN: text right behind a closing quote."""

    OPEN = "open"
    DONE = "done"
    BROKEN = "broken"


class Quoted:
    """Feed it lines until it is no longer OPEN. Linear in the text, however many lines a cell has."""

    __slots__ = ("_parts", "_separator", "cells", "state")

    def __init__(self, separator: str, *, inside: bool = False) -> None:
        """`inside`: it begins in the middle of a quoted cell."""
        self.cells: list[str] = []
        self.state = State.OPEN
        self._separator = separator
        self._parts: list[str] | None = [] if inside else None  # of the quoted cell that is open

    def feed(self, line: str) -> None:
        """Read one line, given with its end."""
        separator = self._separator
        body = line.rstrip("\r\n")
        end, at = len(body), 0
        while True:
            if self._parts is not None:
                at = self._close(line, at)
                if at < 0:
                    self.state = State.OPEN
                    return
                while at < end and body[at] == " ":
                    at += 1
                if at >= end:
                    self.state = State.DONE
                    return
                if body[at] != separator:
                    self.state = State.BROKEN
                    return
                at += 1
            quote = at
            while quote < end and body[quote] == " ":
                quote += 1
            if quote < end and body[quote] == '"':
                self._parts = []
                at = quote + 1
                continue
            stop = body.find(separator, at)
            self.cells.append(body[at:] if stop < 0 else body[at:stop])
            if stop < 0:
                self.state = State.DONE
                return
            at = stop + 1

    def _close(self, line: str, at: int) -> int:
        """Read on in the open cell: the place behind its closing quote, or -1 when the line ends before."""
        parts = self._parts
        if parts is None:
            return at
        while True:
            quote = line.find('"', at)
            if quote < 0:
                parts.append(line[at:])
                return -1
            if line[quote + 1 : quote + 2] == '"':
                parts.append(line[at : quote + 1])
                at = quote + 2
                continue
            parts.append(line[at:quote])
            self.cells.append("".join(parts))
            self._parts = None
            return quote + 1
