"""A full disk: new leads are turned away with 503, so that what is left of the room is for those that are there.

On SQLite a reserve is freed at the first write that finds no room; escalations, clicks and sends go on with it. When
there is room again Baton notices by itself. What is not here: how the room is taken (`storage.reserves`).
"""

from __future__ import annotations

import threading

from bot.logs import get_logger
from storage.database import Database
from storage.reserves import Reserve, has_room

log = get_logger(__name__)

FULL = "The disk of the database is full: no leads are taken until there is room again."
NO_RESERVE = "The disk of the database is nearly full: there is no room for a reserve."


class Room:
    """Whether there is room. Looked at from the loop, told of trouble from any thread."""

    def __init__(self, database: Database, reserve: Reserve | None) -> None:
        self._database = database
        self._reserve = reserve
        self._lock = threading.Lock()
        self._is_full = False
        self._lacks_reserve = False
        database.on_full = self._found_full

    @property
    def is_full(self) -> bool:
        """Whether the last that was heard is that there is none."""
        return self._is_full

    def faults(self) -> list[str]:
        """For `/healthz`, and for senders while it is full."""
        return [FULL] if self._is_full else []

    def warnings(self) -> list[str]:
        """What an operator should know before it is too late."""
        return [NO_RESERVE] if self._lacks_reserve and not self._is_full else []

    def look(self) -> None:
        """Make the reserve, or find out whether there is room again. Blocks: for a thread of the pool."""
        if self._is_full and not has_room(self._database):
            return
        lacks = self._reserve is not None and not self._reserve.make()
        if self._is_full and lacks:
            return  # what has become free is less than the reserve: it is for those that are there
        with self._lock:
            was_full, self._is_full = self._is_full, False
            self._lacks_reserve = lacks
        if was_full:
            log.warning("room_again")

    def _found_full(self) -> None:
        with self._lock:
            if self._is_full:
                return
            self._is_full = True
        freed = self._reserve is not None and self._reserve.free()
        log.error("disk_full", reserve_freed=freed)
