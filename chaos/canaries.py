"""Looking for words in all that a database keeps: every byte of SQLite's files, every column of PostgreSQL's tables.

Stands outside the program: plain drivers, no table is known by name. What is not here: which words (`erasing`, tests).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import make_url

#: The file, what is not in it yet, and how the two are shared.
_ENDINGS = ("", "-wal", "-shm", "-journal")


def find_words(url: str, words: Collection[str]) -> list[str]:
    """Where one of these words stands: `leads: word`; [] when nowhere. Case does not matter for ASCII."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _in_files(Path(str(parsed.database)), words)
    plain = parsed.set(drivername="postgresql").render_as_string(hide_password=False)
    return _in_tables(plain, words)


def _in_files(path: Path, words: Collection[str]) -> list[str]:
    found: list[str] = []
    for ending in _ENDINGS:
        file = path.with_name(path.name + ending)
        if file.exists():
            found += words_in(file.read_bytes(), words, file.name)
    return found


def words_in(data: bytes, words: Collection[str], where: str) -> list[str]:
    """The words that stand in these bytes, as UTF-8 or as JSON writes them."""
    folded = data.lower()
    return [f"{where}: {word}" for word in words if word.lower().encode() in folded]


def _in_tables(url: str, words: Collection[str]) -> list[str]:
    found: list[str] = []
    with psycopg.connect(url) as conn:
        names = conn.execute(
            "SELECT table_name FROM information_schema.tables "
            "WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'"
        ).fetchall()
        for (name,) in names:
            table = sql.Identifier(name)
            query = sql.SQL("SELECT (t.*)::text FROM {} AS t").format(table)
            for (row,) in conn.execute(query):
                found += words_in(_readable(row), words, name)
    return sorted(set(found))


def _readable(row: str) -> bytes:
    r"""A row as text with its binary columns (`\\x…`) as the bytes that they are."""
    parts = [row.encode()]
    for piece in row.split('"'):
        digits = piece.lstrip("\\").removeprefix("x")
        if piece.startswith("\\") and len(digits) > 1:
            try:
                parts.append(bytes.fromhex(digits))
            except ValueError:
                continue
    return b"\n".join(parts)


def integrity_of(path: Path) -> str:
    """What SQLite says of a file: `ok`."""
    with sqlite3.connect(path) as conn:
        return str(conn.execute("PRAGMA integrity_check").fetchone()[0])
