"""The workspace's memory on disk: one small SQLite file, written through at every change.

A file that was killed in the middle of work is complete up to the last change: SQLite's WAL survives the
end of the process (only the end of the machine could cost the newest changes, `synchronous=OFF`). Without a
path nothing is kept. What is not here: ephemeral messages and open modals, which Slack forgets too.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sandbox.model import Channel, Message, View

_TABLES = """
CREATE TABLE IF NOT EXISTS messages (channel TEXT, ts TEXT, body TEXT, PRIMARY KEY (channel, ts));
CREATE TABLE IF NOT EXISTS channels (id TEXT PRIMARY KEY, body TEXT);
CREATE TABLE IF NOT EXISTS homes (user_id TEXT PRIMARY KEY, body TEXT);
CREATE TABLE IF NOT EXISTS read_marks (user_id TEXT, channel TEXT, ts TEXT, PRIMARY KEY (user_id, channel));
CREATE TABLE IF NOT EXISTS deactivated (user_id TEXT PRIMARY KEY);
"""


class Store:
    """Where the state is kept. `path` None: nowhere, and nothing is found."""

    def __init__(self, path: Path | None) -> None:
        # In memory when there is no path, so that every method has one way to go.
        self._db = sqlite3.connect(
            path or ":memory:", isolation_level=None, check_same_thread=False
        )
        self._keeps = path is not None
        self._closed = False
        if self._keeps:
            self._db.execute("PRAGMA busy_timeout=5000")
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=OFF")
            # What was edited away must not lie about in the file: Baton promises that to erased people.
            self._db.execute("PRAGMA secure_delete=ON")
        self._db.executescript(_TABLES)

    def close(self) -> None:
        """Close the file. A second close does nothing."""
        if self._keeps and not self._closed:
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._closed = True
        self._db.close()

    def _write(self, sql: str, *values: Any) -> None:
        if self._keeps:
            self._db.execute(sql, values)

    def _rows(self, sql: str) -> Iterator[tuple[Any, ...]]:
        yield from self._db.execute(sql).fetchall()

    def save_message(self, message: Message) -> None:
        """Write a message as it is now."""
        self._write(
            "INSERT OR REPLACE INTO messages VALUES (?, ?, ?)",
            message.channel,
            message.ts,
            json.dumps(asdict(message)),
        )

    def messages(self) -> Iterator[Message]:
        """All messages, oldest first."""
        for (body,) in self._rows("SELECT body FROM messages ORDER BY ts"):
            values = json.loads(body)
            yield Message(**{**values, "blocks": tuple(values["blocks"])})

    def save_channel(self, channel: Channel) -> None:
        """Write a conversation as it is now."""
        self._write(
            "INSERT OR REPLACE INTO channels VALUES (?, ?)", channel.id, json.dumps(asdict(channel))
        )

    def channels(self) -> Iterator[Channel]:
        """Conversations that were opened or changed after the start."""
        for (body,) in self._rows("SELECT body FROM channels"):
            values = json.loads(body)
            yield Channel(**{**values, "members": tuple(values["members"])})

    def save_home(self, view: View) -> None:
        """Write a Home tab."""
        self._write(
            "INSERT OR REPLACE INTO homes VALUES (?, ?)", view.user_id, json.dumps(asdict(view))
        )

    def homes(self) -> Iterator[View]:
        """All Home tabs."""
        for (body,) in self._rows("SELECT body FROM homes"):
            yield View(**json.loads(body))

    def save_read_mark(self, user_id: str, channel: str, ts: str) -> None:
        """Write how far somebody has read."""
        self._write("INSERT OR REPLACE INTO read_marks VALUES (?, ?, ?)", user_id, channel, ts)

    def read_marks(self) -> dict[tuple[str, str], str]:
        """How far everybody has read: (user, channel) -> ts."""
        return {
            (u, c): ts for u, c, ts in self._rows("SELECT user_id, channel, ts FROM read_marks")
        }

    def save_deactivated(self, user_id: str, deactivated: bool) -> None:
        """Write an account's status."""
        if deactivated:
            self._write("INSERT OR IGNORE INTO deactivated VALUES (?)", user_id)
        else:
            self._write("DELETE FROM deactivated WHERE user_id = ?", user_id)

    def deactivated(self) -> set[str]:
        """Whose accounts were deactivated after the start."""
        return {user_id for (user_id,) in self._rows("SELECT user_id FROM deactivated")}
