"""How a CSV file is written: its encoding, the sign that ends its lines, the separator.

A byte order mark decides; else it is UTF-8 when most lines that are no plain ASCII are valid UTF-8 (so one damaged line
does not make a Western guess of all others); else a Western reading that looks like words, else what charset-normalizer
finds in a sample. What is not here: rows (`csv_rows`).
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import charset_normalizer

#: A line beyond this is no row; what follows in it is passed over without being kept.
MAX_LINE_BYTES = 8 * 1024 * 1024
_CHUNK = 256 * 1024
_SAMPLE = 64 * 1024
_SEPARATORS = (",", ";", "\t", "|")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
#: What exports are written in where they are not UTF-8; the guess is made among these.
_LEGACY = (
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "mac_roman", "cp932", "gb18030",
    "big5", "euc_kr",
)  # fmt: skip
_WESTERN = frozenset(
    "äöüÄÖÜßáàâãåæçéèêëíìîïñóòôõøúùûýÿœÁÀÂÃÅÆÇÉÈÊËÍÌÎÏÑÓÒÔÕØÚÙÛŒšžŠŽ…–—‘’“”„‚€£«»°®™©§·•¡¿´\u00a0"
)
_FOREIGN_RUN = re.compile(r"[^\x00-\x7f]{3}")


@dataclass(frozen=True, slots=True)
class Writing:
    """`encoding`: a codec without byte order mark; `bom`: the mark before the first line; `newline`: the bytes that
    end a line; `note`: a sentence about a guess, or ""."""

    encoding: str
    bom: bytes = b""
    newline: bytes = b"\n"
    note: str = ""

    @property
    def unit(self) -> int:
        """Bytes of a code unit: newlines stand at multiples of it."""
        return 2 if self.encoding.startswith("utf-16") else 1

    @property
    def survives(self) -> str:
        """The error handler that lets bytes which are no text pass through reading and writing unchanged."""
        return "surrogatepass" if self.unit == 2 else "surrogateescape"


def recognise(path: Path, wanted: str | None = None) -> Writing:
    """The writing of a file; `wanted`: an encoding that somebody says it has. Raises OSError, LookupError."""
    with path.open("rb") as file:
        head = file.read(_SAMPLE)
    by_mark = next((Writing(name, mark) for mark, name in _BOMS if head.startswith(mark)), None)
    if wanted is not None:
        writing = Writing(_plain(wanted, head))
        if by_mark is not None and by_mark.encoding == writing.encoding:
            writing = by_mark
    else:
        writing = by_mark or _wide(head) or Writing("utf-8")
    writing = replace(writing, newline=_newline(head, writing))
    if wanted is None and by_mark is None and writing.unit == 1:
        return _by_census(path, writing)
    return writing


def physical_lines(path: Path, writing: Writing) -> Iterator[tuple[bytes, bool]]:
    """Each line with its end, in order; True with those that were longer than 8 MiB and are cut. Raises OSError."""
    newline, unit = writing.newline, writing.unit
    step = len(newline)
    with path.open("rb") as file:
        file.seek(len(writing.bom))
        rest, head = b"", b""  # of the line that is not complete; `head`: of one that is too long
        while chunk := file.read(_CHUNK):
            data = rest + chunk
            begin, search = 0, max(0, len(rest) - step + 1)
            while (found := data.find(newline, search)) >= 0:
                search = found + step
                if unit == 2 and (found - begin) % 2:
                    search = found + 1  # half of one character and half of the next
                    continue
                if head:
                    yield head, True
                    head = b""
                else:
                    yield data[begin:search], False
                begin = search
            rest = data[begin:]
            if head or len(rest) > MAX_LINE_BYTES:
                # Memory stays bounded where lines have no end; an even number of bytes is dropped.
                head = head or rest[:MAX_LINE_BYTES]
                rest = rest[len(rest) - unit - len(rest) % unit :]
        if head:
            yield head, True
        elif rest:
            yield rest, False


def find_separator(lines: Sequence[str]) -> str:
    """The sign that splits these first lines into equally many cells, the more the better; `,` when none does."""
    best, most = ",", 0.0
    for sign in _SEPARATORS:
        try:
            rows = [row for row in csv.reader(lines, delimiter=sign) if row]
        except csv.Error:
            continue
        if rows and len(rows[0]) > 1:
            width = len(rows[0])
            score = (width - 1) * sum(len(row) == width for row in rows) / len(rows)
            if score > most:
                best, most = sign, score
    return best


def _plain(name: str, head: bytes) -> str:
    """The codec's own name; `utf-16` alone goes by the mark, little endian without one."""
    found = codecs.lookup(name).name
    if found == "utf-8-sig":
        return "utf-8"
    if found == "utf-16":
        return "utf-16-be" if head.startswith(codecs.BOM_UTF16_BE) else "utf-16-le"
    if found.startswith("utf-16"):
        return found
    try:
        if "\n,".encode(found) == b"\n," and b"a,b".decode(found) == "a,b":
            b"\xff\n".decode(found, "surrogateescape")
            return found
    except (UnicodeError, LookupError, TypeError):
        pass  # a codec of another kind: utf-32, idna, base64 …
    raise LookupError(name)


def _wide(head: bytes) -> Writing | None:
    """UTF-16 without a mark: the upper bytes of Western signs are zero, and text has no other zeros."""
    if len(head) < 4:
        return None
    even, odd = head[0::2].count(0), head[1::2].count(0)
    half = len(head) // 2
    if odd > half * 0.2 and even < odd * 0.1:
        return Writing("utf-16-le")
    return Writing("utf-16-be") if even > half * 0.2 and odd < even * 0.1 else None


def _newline(head: bytes, writing: Writing) -> bytes:
    newline, carriage = "\n".encode(writing.encoding), "\r".encode(writing.encoding)
    return carriage if newline not in head and carriage in head else newline


def _by_census(path: Path, writing: Writing) -> Writing:
    valid = invalid = kept = 0
    sample: list[bytes] = []
    for line, _ in physical_lines(path, writing):
        if line.isascii():
            continue
        try:
            line.decode("utf-8")
            valid += 1
        except UnicodeDecodeError:
            invalid += 1
            if kept < _SAMPLE:
                sample.append(line[:_SAMPLE])
                kept += len(line)
    if valid >= invalid:
        return writing
    return _legacy(b"".join(sample), writing)


def _legacy(sample: bytes, writing: Writing) -> Writing:
    try:
        text = sample.decode("cp1252")
    except UnicodeDecodeError:
        text = ""
    foreign = [char for char in text if not char.isascii()]
    western = sum(char in _WESTERN for char in foreign)
    runs = len(_FOREIGN_RUN.findall(text)) * 3
    if foreign and western >= 0.97 * len(foreign) and runs < 0.2 * len(foreign):
        return replace(writing, encoding="cp1252", note=_guess("cp1252"))
    best = charset_normalizer.from_bytes(sample, cp_isolation=list(_LEGACY)).best()
    name = codecs.lookup(best.encoding).name if best is not None else _first_that_reads(sample)
    return replace(writing, encoding=name, note=_guess(name))


def _first_that_reads(sample: bytes) -> str:
    for name in _LEGACY:
        try:
            sample.decode(name)
            return name
        except UnicodeDecodeError:
            continue
    return _LEGACY[0]


def _guess(name: str) -> str:
    return f"The file is no UTF-8; it is read as {name}. Where letters look wrong, say --encoding."


def first_texts(path: Path, writing: Writing, most: int = 50) -> list[str]:
    """The first lines as text, for a look at how they are separated."""
    lines = islice(physical_lines(path, writing), most)
    return [line[:_SAMPLE].decode(writing.encoding, "replace") for line, _ in lines]
