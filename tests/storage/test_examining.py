"""The doctor's look at both databases: sound ones, read-only ones, a server with another clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bot.clock import Clock
from bot.services.examine_findings import Level
from bot.services.examine_ground import examine_database
from bot.services.examine_running import examine_running
from storage.database import Database


def lines(database_url: str, clock: Clock) -> list[tuple[Level, str]]:
    database = Database(database_url)
    try:
        return [(f.level, f.line) for f in examine_database(database, clock)]
    finally:
        database.dispose()


def test_a_sound_database_and_nothing_running(database_url: str) -> None:
    assert {level for level, _ in lines(database_url, Clock())} == {Level.OK}
    database = Database(database_url)
    found = examine_running(database, Clock(), demo=True)
    database.dispose()
    assert [(f.level, f.topic) for f in found] == [
        (Level.WARN, "running"),
        (Level.OK, "timers"),
        (Level.NOTE, "watchdog"),
        (Level.OK, "messages"),
        (Level.OK, "quarantine"),
    ]


def test_one_that_may_not_be_written(database_url: str) -> None:
    if database_url.startswith("sqlite"):
        path = database_url.removeprefix("sqlite:///")
        read_only = f"sqlite:///file:{path}?mode=ro&uri=true"
    else:
        mark = "&" if "?" in database_url else "?"
        read_only = f"{database_url}{mark}options=-c%20default_transaction_read_only%3Don"
    found = lines(read_only, Clock())
    assert [line for level, line in found if level is Level.FAULT]
    assert "cannot be written by" in found[-1][1] or "cannot be written by" in found[0][1]


def test_a_server_whose_clock_is_another(database_url: str) -> None:
    ahead = Clock(lambda: datetime.now(UTC) + timedelta(seconds=90))
    warnings = [line for level, line in lines(database_url, ahead) if level is Level.WARN]
    of_its_own = not database_url.startswith("sqlite")
    assert bool(warnings) == of_its_own
    assert all("are 90 s apart" in line for line in warnings)
