"""The erasure ledger beside the backups: hashes only, a line each, so that a restore on an empty machine knows it too.

Lines are only added, each write is on the disk before it returns, nobody else may read the file. What is not here: the
ledger in the database (`erasures`), what a restore does with it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from storage.database import Database
from storage.erasures import LedgerRow

NAME = "erasures.ledger"


def ledger_file(backups: Path | None, database: Database) -> Path | None:
    """Where it stands: in the folder of the backups, else beside the SQLite file; None: there is no such place."""
    if backups is not None:
        return backups / NAME
    name = database.url.database or ""
    if not database.is_sqlite or not name or name == ":memory:" or name.startswith("file:"):
        return None
    return Path(name).absolute().parent / NAME


def read_ledger_file(path: Path) -> list[LedgerRow]:
    """Its lines; [] when it is not there. A line that was cut off while it was written is left out."""
    try:
        text = path.read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return []
    return [row for line in text.splitlines() if (row := _row(line)) is not None]


def write_ledger_file(path: Path, rows: Iterable[LedgerRow]) -> int:
    """Add what it does not hold yet, later times included; how many lines."""
    known = {(row.kind, row.hash, row.erased_at) for row in read_ledger_file(path)}
    new = [row for row in rows if (row.kind, row.hash, row.erased_at) not in known]
    if not new:
        return 0
    # As a backup would make it, which refuses a folder that others may look into.
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # A line that was cut off must not swallow the next one.
    text = "\n" + "".join(f"{row.kind} {row.hash} {row.erased_at.isoformat()}\n" for row in new)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        data = text.encode("ascii")
        while data:
            data = data[os.write(handle, data) :]
        os.fsync(handle)
    finally:
        os.close(handle)
    return len(new)


def _row(line: str) -> LedgerRow | None:
    kind, _, rest = line.strip().partition(" ")
    hashed, _, at = rest.partition(" ")
    try:
        erased_at = datetime.fromisoformat(at)
    except ValueError:
        return None
    whole = len(hashed) == 64 and erased_at.tzinfo is not None
    return LedgerRow(kind, hashed, erased_at) if whole else None
