"""A file beside a SQLite database that only takes up room: freed when the disk is full, so that what Baton has begun
goes on. And whether there is room at all.

What is not here: when it is freed and made again (`bot.services.keep_room`). PostgreSQL's disk is not ours to keep.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from storage.database import Database, is_full

SIZE = 16 << 20
#: So much is written, and taken back, to see whether there is room again.
_TRIAL = 1 << 20


class Reserve:
    """The file, `SIZE` bytes that are really taken."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def make(self) -> bool:
        """Take the room up unless it is; False when there is not enough of it to leave as much again."""
        try:
            if self._path.exists() and self._path.stat().st_size >= SIZE:
                return True
            disk = os.statvfs(self._path.parent)
            if disk.f_bavail * disk.f_frsize < 2 * SIZE:
                return False
            handle = os.open(self._path, os.O_CREAT | os.O_WRONLY, 0o600)
            try:
                os.posix_fallocate(handle, 0, SIZE)
            finally:
                os.close(handle)
        except OSError:
            self.free()
            return False
        return True

    def free(self) -> bool:
        """Give the room back; False when there was none."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True


def reserve_of(database: Database) -> Reserve | None:
    """That of a SQLite file."""
    name = database.url.database
    if not database.is_sqlite or not name or name == ":memory:" or name.startswith("file:"):
        return None
    return Reserve(Path(f"{name}.reserve"))


def has_room(database: Database) -> bool:
    """Whether a megabyte could be written. Nothing is left of it."""
    if not database.is_sqlite:
        return True  # nothing but a real write would tell
    with suppress(_TakenBack):
        try:
            with database.write() as conn:
                conn.execute(text("CREATE TABLE trial_of_room (body BLOB)"))
                conn.execute(text("INSERT INTO trial_of_room VALUES (zeroblob(:n))"), {"n": _TRIAL})
                raise _TakenBack
        except DBAPIError as error:
            if error.orig is None or not is_full(error.orig):
                raise
            return False
    return True


class _TakenBack(Exception):
    """Ends the trial."""
