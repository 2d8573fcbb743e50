"""No room on the disk says nothing about a lead or a timer: nobody is blamed, and all of it is tried again.

SQLite itself finds no room, in the middle of a savepoint. What is not here: random moments (`chaos.disk`).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, select
from sqlalchemy.exc import DBAPIError

from bot.services import fire_timers, receive_leads
from bot.services.fire_timers import fire_due
from bot.services.receive_leads import Incoming, Message
from bot.services.work import Work
from storage.database import is_full
from storage.models import Inbox, Timers
from storage.rows import table_of
from tests.services.desk_kit import JANA, Desk

_inbox, _timers = table_of(Inbox), table_of(Timers)


@pytest.fixture
def desk(sqlite_template: Path, tmp_path: Path) -> Iterator[Desk]:
    path = tmp_path / "baton.db"
    shutil.copyfile(sqlite_template, path)
    desk = Desk(f"sqlite:///{path}")
    event.listen(desk.database.engine, "begin", there_is_room)
    yield desk
    desk.database.dispose()


def there_is_room(conn: Connection) -> None:
    conn.exec_driver_sql("PRAGMA max_page_count = 1073741824")


def full_before(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> None:
    """When it comes to this function, the file may not grow any more, and has to."""
    real: Callable[..., Any] = getattr(module, name)

    def without_room(work: Any, *args: Any) -> Any:
        conn: Connection = (work if isinstance(work, Work) else work.work).conn
        conn.exec_driver_sql("PRAGMA max_page_count = 1")  # as many as there are
        conn.exec_driver_sql("CREATE TABLE more (body BLOB)")
        conn.exec_driver_sql("INSERT INTO more VALUES (zeroblob(1000000))")
        return real(work, *args)

    monkeypatch.setattr(module, name, without_room)


def sent(desk: Desk, title: str) -> list[str]:
    """Three leads in one message; what became of each."""
    facts = (replace(JANA, external_id=f"x{n}", email="", title=title) for n in range(3))
    items = tuple(Incoming(place, each) for place, each in enumerate(facts))
    with desk.work() as work:
        message = Message("hub", title, title, b"[]", items)
        return [str(each["status"]) for each in receive_leads.receive_leads(work, message).results]


@pytest.mark.parametrize("at", ["admit_leads", "_apply_facts"])
def test_leads_without_room_are_not_acknowledged(
    at: str, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were told that the database refused a value of theirs, and only a copy of the body was kept."""
    if at == "_apply_facts":  # known people go one by one
        assert sent(desk, "VP") == ["accepted"] * 3
        desk.now += timedelta(minutes=1)
    with monkeypatch.context() as full:
        full_before(full, receive_leads, at)
        with pytest.raises(DBAPIError) as failed:
            sent(desk, "CEO")
    assert failed.value.orig is not None
    assert is_full(failed.value.orig)

    with desk.work() as work:
        kept = select(_inbox.c.state).where(_inbox.c.msg_id == "CEO")
        assert work.conn.execute(kept).all() == []
    assert set(sent(desk, "CEO")) == {"updated" if at == "_apply_facts" else "accepted"}


def test_timers_without_room_are_not_counted_as_failing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five ticks on a full disk parked every timer that was due."""
    lead = desk.arrives()
    desk.now += timedelta(minutes=15)
    with monkeypatch.context() as full:
        full_before(full, fire_timers, "_fire_clocks")
        for _ in range(5):
            with pytest.raises(DBAPIError), desk.work() as work:
                fire_due(work)

    with desk.work() as work:
        rows = work.conn.execute(select(_timers.c.state, _timers.c.attempts)).all()
        assert {tuple(row) for row in rows} == {("armed", 0)}
        assert fire_due(work) > 0
    assert desk.lead(lead).status == "offered"
