"""A wall clock that jumps is not believed at once; whoever is asked for the time decides; people are told.

What is not here: the same over hours and many seeds at full size (`chaos.jumps`).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus
from pathlib import Path

import pytest

from bot.clock import Clock, SteadyTime
from bot.services.keep_time import Timekeeper
from bot.services.keep_watch import Presence
from chaos.experiment import SQLITE, Ground
from chaos.jumps import World, jumping_clock
from handlers.doors import IntakeDoor, Refused
from handlers.signatures import SenderKeys
from storage import playbooks
from storage.database import Database

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HOUR, YEARS = timedelta(hours=1), timedelta(days=3650)


@pytest.fixture
def world() -> World:
    return World(NOON)


@pytest.fixture
def time(world: World) -> SteadyTime:
    return SteadyTime(world.wall, lambda: world.count)


@pytest.fixture
def keeper(time: SteadyTime) -> Timekeeper:
    return Timekeeper(Clock(time), Presence("host:7"))


def test_small_steps_are_followed_and_only_big_ones_are_told(
    world: World, time: SteadyTime
) -> None:
    for by, told in ((4, 0), (-20, 0), (45, 1), (-240, 2)):
        world.off = timedelta(seconds=by) + world.off
        world.go_on(1)
        assert time() == world.wall()
        assert len(time.jumps) == told


@pytest.mark.parametrize("by", [HOUR, -HOUR])
def test_a_jump_that_nobody_confirms_is_followed_after_a_minute(
    world: World, time: SteadyTime, by: timedelta
) -> None:
    world.off = by
    world.go_on(1)
    assert time() == world.true
    world.go_on(58)
    assert time() == world.true
    world.go_on(2)
    assert time() == world.wall() == world.true + by
    assert [jump.by for jump in time.jumps] == [by]


def test_ten_years_are_not_believed_for_silence(world: World, time: SteadyTime) -> None:
    world.off = YEARS
    time()
    world.go_on(86_400)
    assert time() == world.true
    time.heard(world.wall())  # so it was the clock before that was wrong
    assert time() == world.wall()


def test_slack_says_who_is_right(world: World, time: SteadyTime, keeper: Timekeeper) -> None:
    world.off = HOUR
    for _ in range(100):  # as long as Slack says that it is not so
        world.go_on(10)
        assert keeper.look() in (True, False)
        assert keeper.doubts
        keeper.heard_from_slack(format_datetime(world.true, usegmt=True))
    assert time() == world.true
    assert keeper.faults() == ["The clock of host:7 jumped by 60 minutes and is not believed yet."]

    world.off = timedelta(0)
    world.go_on(1)
    keeper.look()
    assert not keeper.doubts
    assert keeper.faults() == []

    world.sleep(timedelta(hours=62))  # a weekend
    assert time() < world.true
    keeper.heard_from_slack(format_datetime(world.true, usegmt=True))
    assert time() == world.true
    assert keeper.faults() == []


def test_who_signed_by_the_clock_that_is_doubted_is_asked_to_come_again(
    world: World, time: SteadyTime
) -> None:
    door = IntakeDoor(SenderKeys(), Clock(time), 1000)

    def knock(at: datetime) -> HTTPStatus:
        signed = {
            b"webhook-id": [b"m1"],
            b"webhook-timestamp": [str(int(at.timestamp())).encode()],
            b"webhook-signature": [b"v1,AAAA"],
        }
        with pytest.raises(Refused) as refused:
            door.knock(signed)
        return refused.value.status

    assert knock(world.true + HOUR) is HTTPStatus.UNAUTHORIZED
    world.sleep(
        HOUR
    )  # a machine that was paused: its clock is right again, and nobody has said so yet
    time()
    assert knock(world.true) is HTTPStatus.SERVICE_UNAVAILABLE
    assert knock(world.true - HOUR / 2) is HTTPStatus.UNAUTHORIZED


def test_a_process_off_the_database_servers_clock_is_named(
    world: World, keeper: Timekeeper, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:  # fmt: skip
    database = Database("sqlite://")
    keeper.measure(database)  # SQLite has no clock of its own
    assert keeper.faults() == []
    for off, sentence in (
        (-3.0, "The clock of host:7 is 3.0 seconds ahead of the database server's: set both by NTP."),
        (2.5, "The clock of host:7 is 2.5 seconds behind the database server's: set both by NTP."),
        (1.9, ""),
    ):  # fmt: skip
        monkeypatch.setattr(
            playbooks, "server_time", lambda _, off=off: NOON + timedelta(seconds=off)
        )
        caplog.clear()
        keeper.measure(database)
        assert keeper.faults() == ([sentence] if sentence else [])
        assert not sentence or off > 0 or sentence in caplog.text
    database.dispose()


@pytest.fixture
def ground(sqlite_template: Path, tmp_path: Path) -> Ground:
    path = tmp_path / "baton.db"
    path.write_bytes(sqlite_template.read_bytes())
    return Ground(SQLITE, f"sqlite:///{path}", tmp_path, 3, 3)


def test_lives_with_jumping_clocks_lose_double_and_storm_nothing(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chaos.jumps.TROUBLED", timedelta(minutes=45))
    monkeypatch.setattr("chaos.jumps.KINDS", ("+10 y", "flaps", "asleep"))
    monkeypatch.setattr("chaos.jumps.LEADS", 1)
    verdict = jumping_clock(ground)
    assert verdict.faults == []
    assert verdict.figures["jumps noticed"] > 0
    assert verdict.figures["steps"] > 0
