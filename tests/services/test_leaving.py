"""A Baton that is asked to go hands over what it has claimed, and leaves nothing waiting for a lease; one whose disk is
full, or whose tables are another's, says so and stops.

With processes and signals, under load: `chaos.terms`, `chaos.disk`, `chaos.migrations`.
"""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
import uvicorn
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError
from uvicorn.lifespan.off import LifespanOff

from bot.services import keep_house
from bot.services.deliver_types import Drop, Rendered
from bot.services.keep_house import Housekeeping
from bot.services.keep_room import FULL, Room
from bot.services.runtime import Runtime, ShutDown
from bot.services.work import Work
from bot.serving import _Server
from storage.cards import CardRow
from storage.deliveries import OutboxRow
from storage.reserves import SIZE, Reserve
from tests.services.deliver_kit import NO_AGREEMENT, Office


async def test_what_is_claimed_goes_back_at_once_and_what_hangs_is_in_doubt(office: Office) -> None:
    planning = threading.Event()

    def render(work: Work, row: OutboxRow, card: CardRow | None) -> Rendered | Drop:
        if row.card_key == "slow":
            planning.wait(10)
        return office.render(work, row, card)

    leaving = office.another(render=render, worker="leaving")
    office.slack.gate = asyncio.Event()  # Slack hangs
    office.decide("hangs")
    running = asyncio.create_task(leaving.run())
    while len(office.slack.calls) < 1:
        await asyncio.sleep(0.01)
    office.decide("slow", office.ben)
    leaving.wake()
    while office.row("slow").state != "sending":
        await asyncio.sleep(0.01)

    stopping = asyncio.create_task(leaving.stop(grace=0.3))
    await asyncio.sleep(0.05)
    planning.set()
    await stopping
    await running

    assert (office.row("slow").state, office.row("hangs").state) == ("pending", "doubt")
    assert [channel for _, channel, _ in office.slack.calls] == ["Dann"]
    office.slack.gate = None
    await office.deliverer.drain()  # another worker takes over
    assert office.row("slow").state == "sent"


async def test_a_full_disk_frees_the_reserve_and_room_is_noticed(
    office: Office, tmp_path: Path
) -> None:
    reserve, pages = Reserve(tmp_path / "reserve"), [1 << 30]
    room = Room(office.database, reserve)
    room.look()
    assert (tmp_path / "reserve").stat().st_blocks * 512 >= SIZE

    @event.listens_for(office.database.engine, "begin")
    def _limit(conn: object) -> None:
        conn.exec_driver_sql(f"PRAGMA max_page_count = {pages[0]}")  # type: ignore[attr-defined]

    pages[0] = 1
    too_much = text("CREATE TABLE more AS SELECT zeroblob(1000000) AS body")
    with pytest.raises(OperationalError, match="full"), office.database.write() as conn:
        conn.execute(too_much)

    assert room.faults() == [FULL]
    assert not (tmp_path / "reserve").exists()
    room.look()
    assert room.faults() == [FULL]
    pages[0] = 1 << 30
    room.look()
    assert (room.faults(), (tmp_path / "reserve").exists()) == ([], True)


async def test_tables_that_are_anothers_end_the_work(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keep_house, "ROOM_EVERY", 0.01)
    monkeypatch.setattr(keep_house, "LOOK_EVERY", 0.01)
    left = asyncio.Event()

    async def leave() -> None:
        left.set()

    runtime = Runtime(office.database, office.clock, NO_AGREEMENT)
    house = Housekeeping(runtime, room=None, nightly=None, leave=leave)
    keeping = asyncio.create_task(house.run())
    await asyncio.sleep(0.05)
    assert house.faults() == []
    with office.database.write() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        conn.execute(text("UPDATE admitted SET oldest = '9999'"))

    await asyncio.wait_for(left.wait(), 5)

    keeping.cancel()
    assert "a newer Baton has migrated it" in house.faults()[0]
    with pytest.raises(ShutDown, match="newer Baton"):
        await runtime.write(lambda work: None)
    runtime.close()


class _Idle:
    """A connection on which nobody asks anything."""

    def __init__(self, server: _Server) -> None:
        self._all = server.server_state.connections

    def shutdown(self) -> None:
        """As uvicorn's protocols do it."""
        self._all.discard(self)


async def test_a_connection_of_the_last_moment_keeps_nobody_from_leaving() -> None:
    async def app(*_: object) -> None:
        """Never asked."""

    server = _Server(uvicorn.Config(app, lifespan="off", timeout_graceful_shutdown=3), None)
    server.servers, server.lifespan = [], LifespanOff(server.config)
    late: set[object] = server.server_state.connections  # type: ignore[assignment]
    asyncio.get_running_loop().call_later(0.05, late.add, _Idle(server))
    async with asyncio.timeout(1.0):
        await server.shutdown()
    assert not late
