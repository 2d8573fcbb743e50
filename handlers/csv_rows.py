"""An export as rows: a bad row is named with its line, and the rows after it are read.

The rules: what is valid CSV (RFC 4180) with as many cells as the header is taken as it is, line breaks in quoted cells
included. Otherwise the reader finds its way back: when a quote that opens a cell is never closed, or closed in the
middle of a text, only the line where it stands is bad, with the pieces of text behind it that are no row themselves;
the next line that can begin a row is read as one. A quote inside an unquoted cell (`5" pipe`) is a sign like others.
Blank lines and rows of empty cells are passed over. No more than one row (1 MiB of text) is in memory.
What is not here: recognising how the file is written (`csv_recognition`), what cells mean (`import_items`).
"""

from __future__ import annotations

import csv
import hashlib
import os
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from bot.domain.past import FAULT_COLUMN, BadRow
from handlers.csv_quotes import Quoted, State
from handlers.csv_recognition import Writing, find_separator, first_texts, physical_lines, recognise

MAX_CELL = 100_000
MAX_ROW = 1024 * 1024
MAX_PIECES = 1000  # lines of a broken row that are kept for the file of refused rows
_SEPARATOR_WORDS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}


class CsvFault(Exception):
    """A file that cannot be read as CSV at all; the text is a sentence."""


@dataclass(frozen=True, slots=True)
class Record:
    """One row of the file. `line`: where it begins, the first of the file is 1. `cells`: as many as the header has."""

    line: int
    cells: list[str]


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One row, good or bad. `cells`: as well as they can be told apart, any number; bytes that are no text
    stand in them as surrogates: written in the file's encoding they are the same bytes. `fault`: "" or a sentence."""

    line: int
    cells: list[str]
    fault: str


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A CSV file and how it is written. `lines`: of the whole file, for progress; `notes`: for the summary."""

    path: Path
    writing: Writing
    separator: str
    header: tuple[str, ...]
    sha256: str
    size: int
    lines: int
    notes: tuple[str, ...]

    @property
    def encoding(self) -> str:
        """The codec's name."""
        return self.writing.encoding

    def records(self, start: int = 0) -> Iterator[Record | BadRow]:
        """All rows from record `start` (so many are done): each item is one step of an import's cursor.

        Raises OSError.
        """
        for raw in self.raw_records(start):
            yield BadRow(raw.line, raw.fault) if raw.fault else Record(raw.line, raw.cells)

    def raw_records(self, start: int = 0) -> Iterator[RawRecord]:
        """The same rows as they stand in the file."""
        scanner = _Scanner(self.path, self.writing, self.separator)
        scanner.take_header()
        return islice(scanner.rows(self.header), start, None)


def open_csv(path: Path, *, encoding: str | None = None, separator: str | None = None) -> CsvFile:
    """Recognise encoding, separator and header of `path`. Raises CsvFault, OSError."""
    size = path.stat().st_size
    if size == 0:
        raise CsvFault("The file is empty.")
    try:
        writing = recognise(path, encoding)
    except LookupError:
        raise CsvFault(f"There is no encoding called {encoding!r}.") from None
    sign = _sign(separator) if separator is not None else _found_sign(path, writing)
    header = _Scanner(path, writing, sign).take_header()
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    lines = sum(1 for _ in physical_lines(path, writing))
    notes = tuple(note for note in (writing.note, *_about(header)) if note)
    return CsvFile(path, writing, sign, tuple(header), digest, size, lines, notes)


def write_refused(csv_file: CsvFile, faults: Iterable[tuple[int, str]], target: Path) -> int:
    """The rows at the given lines (ascending, with reasons) as CSV to mend: the file's encoding, separator and header,
    with the reason in a last column `baton_fault`. Broken quotes are signs like others there. A row that is too short
    is filled up with empty cells; one that is too long keeps them all, with the reason behind them.

    Written beside `target` for its owner's eyes, then moved there whole. Returns how many rows. Raises OSError.
    """
    wanted = iter(faults)
    line, reason = next(wanted, (0, ""))
    writing, count = csv_file.writing, 0
    partial = target.with_name(f"{target.name}.part")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(
        descriptor, "w", encoding=writing.encoding, errors=writing.survives, newline=""
    ) as file:
        file.write(writing.bom.decode(writing.encoding))
        writer = csv.writer(file, delimiter=csv_file.separator)
        header, width = csv_file.header, _own_width(csv_file.header)
        writer.writerow([*header[:width], FAULT_COLUMN])
        for raw in csv_file.raw_records():
            if not line:
                break
            while 0 < line < raw.line:
                line, reason = next(wanted, (0, ""))
            if line == raw.line:
                cells = raw.cells
                if not any(cell.strip() for cell in cells[width + 1 :]) and width < len(header):
                    cells = cells[:width]  # what was wrong before
                told = reason.encode(writing.encoding, "replace").decode(writing.encoding)
                writer.writerow([*cells, *[""] * (width - len(cells)), told])
                count += 1
                line, reason = next(wanted, (0, ""))
    partial.replace(target)
    return count


def _sign(word: str) -> str:
    sign = _SEPARATOR_WORDS.get(word.lower(), word)
    if len(sign) != 1 or sign in '"\r\n ' or sign.isalnum():
        raise CsvFault("A separator is one sign: comma, semicolon, tab or pipe.")
    return sign


def _found_sign(path: Path, writing: Writing) -> str:
    texts = first_texts(path, writing)
    told = texts[0].strip() if texts else ""
    if len(told) == 5 and told.startswith("sep="):
        return told[4]
    return find_separator(texts)


def _about(header: list[str]) -> Iterator[str]:
    nameless = [str(place) for place, name in enumerate(header, 1) if not name]
    if nameless:
        yield f"Columns without a name: number {', '.join(nameless)}."
    for name, count in Counter(name for name in header if name).items():
        if count > 1:
            yield f"{count} columns are called “{name}”."


@dataclass(slots=True)
class _Line:
    text: str  # with its end
    number: int
    fault: str = ""


class _Scanner:
    """Reads physical lines ahead, as far as one row needs, and gives rows."""

    def __init__(self, path: Path, writing: Writing, separator: str) -> None:
        self._writing = writing
        self._separator = separator
        self._source = enumerate(physical_lines(path, writing), 1)
        self._ahead: deque[_Line] = deque()

    def take_header(self) -> list[str]:
        """The names of the columns, without spaces around them. Raises CsvFault."""
        while (line := self._next()) is not None:
            text = line.text.strip()
            if not text or (line.number == 1 and len(text) == 5 and text.startswith("sep=")):
                continue
            taken, row = self._read_on(line)
            bad = next((each.fault for each in taken if each.fault), "")
            if bad:
                raise CsvFault(f"The header (line {line.number}) cannot be read: it {bad}.")
            if row.state is not State.DONE:
                raise CsvFault(f"The header (line {line.number}) has a quote that is not closed.")
            return [cell.strip() for cell in row.cells]
        raise CsvFault("The file holds nothing but blank lines.")

    def rows(self, header: tuple[str, ...]) -> Iterator[RawRecord]:
        """All rows after the header."""
        separator, width = self._separator, len(header)
        filled = _own_width(header) + 1 < width
        while (line := self._next()) is not None:
            text = line.text
            if not text or text.isspace():
                continue
            if '"' not in text and not line.fault:
                row = RawRecord(line.number, text.rstrip("\r\n").split(separator), "")
            else:
                row = self._careful(line, width)
            if not row.fault:
                begins_blank = text[0].isspace() or text[0] in ('"', separator)
                if begins_blank and _blank(row.cells):
                    continue
                odd = filled or self._odd(row, width, text)
                fault = _fault_of(row.cells, width, header) if odd else ""
                if fault:
                    row = RawRecord(row.line, row.cells, fault)
            yield row

    def _odd(self, row: RawRecord, width: int, text: str) -> bool:
        return len(row.cells) != width or len(text) > MAX_CELL or "\x00" in text or '"' in text

    def _careful(self, line: _Line, width: int) -> RawRecord:
        """A row with quotes, or with bytes that are no text."""
        taken, row = self._read_on(line)
        cells = row.cells
        if row.state is State.DONE and (_fits(cells, width) or len(taken) == 1):
            return RawRecord(line.number, cells, _line_fault(taken))
        behind = taken[1:]
        if row.state is State.DONE and not self._begins_a_row(behind, width):
            return RawRecord(line.number, cells, _line_fault(taken))
        self._ahead.extendleft(reversed(behind))
        pieces = self._pieces(width)
        cells = [cell for piece in (line, *pieces) for cell in _split(piece.text, self._separator)]
        fault = (
            line.fault
            or "has a quote that is not closed, or one inside a quoted text that is not doubled"
        )
        return RawRecord(line.number, cells, f"The row {fault}.")

    def _read_on(self, line: _Line) -> tuple[list[_Line], Quoted]:
        """The line and those behind it that a quoted cell reaches over."""
        row = Quoted(self._separator)
        taken, size = [line], len(line.text)
        row.feed(line.text)
        while row.state is State.OPEN and size <= MAX_ROW:
            behind = self._next()
            if behind is None:
                break
            taken.append(behind)
            size += len(behind.text)
            row.feed(behind.text)
        return taken, row

    def _begins_a_row(self, lines: list[_Line], width: int) -> bool:
        """Whether a whole row of the right width stands at the beginning of these lines."""
        row = Quoted(self._separator)
        for line in lines:
            row.feed(line.text)
            if row.state is not State.OPEN:
                break
        return row.state is State.DONE and _fits(row.cells, width)

    def _pieces(self, width: int) -> list[_Line]:
        """What follows a broken row and is no row: text without a separator, or one with the closing quote."""
        pieces: list[_Line] = []
        while width > 1 and (line := self._next()) is not None:
            if self._separator in line.text and not self._closes(line.text):
                self._ahead.appendleft(line)
                break
            if len(pieces) < MAX_PIECES:  # the others of a huge cell are passed over
                pieces.append(line)
        return pieces

    def _closes(self, text: str) -> bool:
        """Whether a quoted cell that began before ends here, and the row with it."""
        if text.count('"') % 2 == 0:
            return False
        row = Quoted(self._separator, inside=True)
        row.feed(text)
        return row.state is State.DONE

    def _next(self) -> _Line | None:
        if self._ahead:
            return self._ahead.popleft()
        item = next(self._source, None)
        if item is None:
            return None
        number, (raw, too_long) = item
        writing = self._writing
        try:
            text, fault = raw.decode(writing.encoding), ""
        except UnicodeDecodeError as error:
            fault = f"has bytes that are no {writing.encoding}, the first at byte {error.start + 1} of line {number}"
            text = _lenient(raw, writing)
        if too_long:
            fault = "is longer than 8 MiB"
        return _Line(text, number, fault)


def _lenient(raw: bytes, writing: Writing) -> str:
    try:
        return raw.decode(writing.encoding, writing.survives)
    except UnicodeDecodeError:  # half a character at the end of a UTF-16 file
        return raw.decode(writing.encoding, "replace")


def _split(text: str, separator: str) -> list[str]:
    return text.rstrip("\r\n").split(separator)


def _blank(cells: list[str]) -> bool:
    return not any(cell.strip() for cell in cells)


def _own_width(header: tuple[str, ...]) -> int:
    """How many columns are the export's. A last one `baton_fault` is ours, those without a name behind it are a
    spreadsheet's, which makes all rows as long as the longest."""
    place = header.index(FAULT_COLUMN) if FAULT_COLUMN in header else len(header)
    return len(header) if any(header[place + 1 :]) else place


def _fits(cells: list[str], width: int) -> bool:
    """As many cells as the header, or more that are empty: spreadsheets leave separators at the end of rows."""
    return len(cells) == width or (len(cells) > width and not any(cells[width:]))


def _line_fault(lines: list[_Line]) -> str:
    fault = next((line.fault for line in lines if line.fault), "")
    return f"The row {fault}." if fault else ""


def _fault_of(cells: list[str], width: int, header: tuple[str, ...]) -> str:
    """What is wrong with a row that was read whole. Empty cells beyond the header are cut off."""
    if not _fits(cells, width):
        few = "few" if len(cells) < width else "many"
        return f"The row has {len(cells)} cells, too {few}: the header has {width}."
    del cells[width:]
    if any(cell.strip() for cell in cells[_own_width(header) + 1 :]):
        return f"The row has cells behind `{FAULT_COLUMN}`, too many: the export has {_own_width(header)}."
    for name, cell in zip(header, cells, strict=True):
        if len(cell) > MAX_CELL:
            return f"The cell of “{name}” has {len(cell)} characters; {MAX_CELL} is the most."
        if "\x00" in cell:
            return f"The cell of “{name}” has a NUL character."
    return ""
