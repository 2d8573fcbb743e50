"""A PostgreSQL that is away: whoever asks is told soon, the transaction may be tried again, one at a time asks.

What is not here: the same under load, with restarts (`chaos.databases`).
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from storage.database import Database, is_passing
from tests.postgres import PostgresServer


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Somebody takes calls and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        yield int(door.getsockname()[1])


def failure_of(database: Database) -> tuple[DBAPIError, float]:
    began = time.monotonic()
    with pytest.raises(DBAPIError) as caught, database.write():
        pass
    return caught.value, time.monotonic() - began


def test_a_refused_connection_is_nobodys_fault() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    database = Database(f"postgresql://nobody@127.0.0.1:{port}/none")
    error, _ = failure_of(database)
    assert is_passing(error)


def test_while_one_waits_for_a_silent_server_the_others_are_told_at_once(silent_port: int) -> None:
    database = Database(f"postgresql://nobody@127.0.0.1:{silent_port}/none")
    error, took = failure_of(database)
    assert is_passing(error)
    assert 1 < took < 5
    asking = threading.Thread(target=failure_of, args=(database,))
    asking.start()
    while not database.engine.pool.checkedout() and asking.is_alive():  # type: ignore[attr-defined]
        time.sleep(0.01)
    time.sleep(0.1)
    times = [failure_of(database) for _ in range(20)]
    assert asking.is_alive()
    asking.join(10)
    assert all(is_passing(each) for each, _ in times)
    assert max(took for _, took in times) < 1


@pytest.mark.postgres
def test_a_process_that_stands_still_loses_its_locks(postgres_server: PostgresServer) -> None:
    database = Database(postgres_server.url.render_as_string(hide_password=False))
    with database.read() as conn:
        assert conn.execute(text("SHOW idle_in_transaction_session_timeout")).scalar_one() == "15s"
    database.dispose()
