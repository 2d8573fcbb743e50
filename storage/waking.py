"""Processes on one PostgreSQL wake each other: `Bell` rings after a commit, `Ear` hears it (NOTIFY and LISTEN).

A ring is lost without harm: everybody looks by themselves at least once a second. That is why it goes over a line of
its own, after the commit and not inside it (a NOTIFY within a transaction makes all such commits of the server queue
up), at most once in `EVERY`, and without waiting for the disk. What is not here: who is woken (`bot.joining`).
"""

from __future__ import annotations

import logging
import selectors
import socket
import threading
from collections.abc import Callable
from typing import Any

import psycopg
from sqlalchemy import URL

log = logging.getLogger(__name__)

CHANNEL = "baton_wake"
#: Seconds: commits within this time share one ring; the pause after a line was lost; a dead line is noticed after
#: 10 + 3 * 5 seconds.
EVERY = 0.02
AGAIN_AFTER = 1.0
_ALIVE: dict[str, Any] = {
    "connect_timeout": 3,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


def _connect(url: URL, name: str) -> psycopg.Connection[Any]:
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    # Nothing is written here that has to survive, so nobody waits for the disk.
    return psycopg.connect(
        plain,
        autocommit=True,
        application_name=name,
        options="-c synchronous_commit=off",
        **_ALIVE,
    )


class Bell:
    """Tells the other processes that there is something to do. `name`: ours, so that nobody wakes themselves."""

    def __init__(self, url: URL, name: str) -> None:
        self._url, self._name = url, name
        self._asked = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        #: How often it was rung, and asked to: the difference shared a ring with another commit.
        self.rung = 0
        self.asked = 0

    def start(self) -> None:
        """Begin, also again after a stop; the line is opened by the first ring."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="bell", daemon=True)
        self._thread.start()

    def ring(self) -> None:
        """Soon, once. From any thread; never waits, never fails."""
        self.asked += 1
        self._asked.set()

    def stop(self) -> None:
        """End the thread and its line."""
        self._stopping.set()
        self._asked.set()
        if self._thread is not None:
            self._thread.join(5)
            self._thread = None

    def _run(self) -> None:
        line: psycopg.Connection[Any] | None = None
        while True:
            self._asked.wait()
            if self._stopping.is_set():
                break
            self._asked.clear()
            try:
                if line is None:
                    line = _connect(self._url, "baton bell")
                line.execute("SELECT pg_notify(%s, %s)", (CHANNEL, self._name))
                self.rung += 1
                self._stopping.wait(EVERY)
            except psycopg.Error as error:
                # Whatever we had to tell, the others find at their next look.
                log.warning("the other processes could not be woken: %s", type(error).__name__)
                _close(line)
                line = None
                self._stopping.wait(AGAIN_AFTER)
        _close(line)


class Ear:
    """Calls `on_ring` when another process rang, and whenever the line was opened anew: a ring may have been missed."""

    def __init__(self, url: URL, name: str, on_ring: Callable[[], None]) -> None:
        self._url, self._name, self._on_ring = url, name, on_ring
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        #: How often others rang, and how often the line was opened.
        self.heard = 0
        self.opened = 0

    def start(self) -> None:
        """Begin to listen; also again, after a stop."""
        self._stopping.clear()
        self._hang_up, self._hung_up = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="ear", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and its line, at once."""
        self._stopping.set()
        if self._thread is None:
            return
        self._hang_up.close()
        self._thread.join(5)
        self._hung_up.close()
        self._thread = None

    def _run(self) -> None:
        lost = False
        while not self._stopping.is_set():
            line: psycopg.Connection[Any] | None = None
            try:
                line = _connect(self._url, "baton ear")
                line.execute(f"LISTEN {CHANNEL}")
                self.opened += 1
                if lost:
                    log.info("woken by the other processes again")
                lost = False
                self._on_ring()
                self._listen(line)
            except psycopg.Error as error:
                if not lost and not self._stopping.is_set():
                    log.warning(
                        "the other processes cannot wake this one: it looks once a second (%s)",
                        type(error).__name__,
                    )
                lost = True
            finally:
                _close(line)
            self._stopping.wait(AGAIN_AFTER)

    def _listen(self, line: psycopg.Connection[Any]) -> None:
        """Until the line is lost (psycopg.Error) or we are stopped."""
        with selectors.DefaultSelector() as selector:
            selector.register(line.fileno(), selectors.EVENT_READ)
            selector.register(self._hung_up, selectors.EVENT_READ)
            while not self._stopping.is_set():
                selector.select()
                if self._stopping.is_set():
                    return
                others = [n for n in line.notifies(timeout=0) if n.payload != self._name]
                self.heard += len(others)
                if others:
                    self._on_ring()


def _close(line: psycopg.Connection[Any] | None) -> None:
    if line is not None:
        line.close()
