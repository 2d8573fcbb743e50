"""What only shows where several processes share a PostgreSQL: starts at the same moment, connections that break."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text

from bot.clock import Clock
from bot.services import admit_leads as admitting
from bot.services import receive_leads as receiving
from bot.services.receive_leads import Incoming, Message, receive_leads
from bot.services.runtime import Runtime
from bot.services.work import Work
from bot.wiring import open_runtime
from storage import inbox, people, playbooks
from storage.database import Database
from tests.postgres import PostgresServer
from tests.schema import create_schema
from tests.services.desk_kit import JANA, PLAYBOOK

pytestmark = pytest.mark.postgres


@pytest.fixture
def url(postgres_server: PostgresServer, shared_folder: Path) -> Iterator[str]:
    template = postgres_server.template(shared_folder, create_schema)
    with postgres_server.database(template) as fresh:
        yield fresh


def test_two_processes_that_start_at_once_agree_on_the_playbook(url: str) -> None:
    def start(_: int) -> int:
        runtime = open_runtime(Database(url), Clock(), PLAYBOOK)
        version = runtime.agreement.version
        runtime.close()
        return version

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(start, range(4))) == {1}
    database = Database(url)
    with database.read() as conn:
        newest = playbooks.newest_playbook(conn)
    database.dispose()
    assert newest is not None
    assert newest.version == 1


@pytest.fixture
def runtime(url: str) -> Iterator[Runtime]:
    made = open_runtime(Database(url), Clock(), PLAYBOOK)

    def found(work: Work) -> None:
        for row in people.list_people(work.conn):
            people.save_person(
                work.conn, row.id, slack_user_id=f"U{row.id}", slack_channel_id=f"D{row.id}"
            )

    made.write_now(found)
    yield made
    made.close()


def test_a_connection_that_breaks_while_a_lead_is_applied_costs_a_second_try_and_no_lead(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_admit = admitting.admit_leads
    tries = 0

    def breaking(work: Work, arrivals: Any) -> list[int | None]:
        nonlocal tries
        tries += 1
        if tries == 1:
            pid = work.conn.execute(text("SELECT pg_backend_pid()")).scalar_one()
            other = Database(runtime.database.url.render_as_string(hide_password=False))
            with other.write() as conn:
                conn.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
            other.dispose()
        return real_admit(work, arrivals)

    monkeypatch.setattr(receiving, "admit_leads", breaking)
    message = Message("hub", "m-1", "sha", b"{}", (Incoming(0, JANA),))
    received = runtime.write_now(lambda work: receive_leads(work, message))
    assert [r["status"] for r in received.results] == ["accepted"]
    assert tries == 2


def test_lists_of_two_senders_are_applied_one_after_the_other(runtime: Runtime) -> None:
    """Crossing each other in Homes and lists they deadlocked, four at once until they were given up."""
    free = select(func.pg_try_advisory_xact_lock(inbox._TURN))

    def is_free() -> bool:
        with runtime.database.write() as conn:
            return bool(conn.execute(free).scalar_one())

    for many, expected in ((1, True), (2, False)):
        message = Message("hub", f"m-{many}", "sha", b"{}", (Incoming(0, None, "bad"),) * many)
        with runtime.database.write() as conn:
            receive_leads(runtime.make_work(conn), message)
            assert is_free() is expected
    assert is_free()
