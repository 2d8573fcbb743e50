"""What Baton stands on: Python, time zones, the disk, the database and its tables.

Each check gives findings and never raises for what may be wrong with an installation. What is not here: what is in the
tables (`examine_running`), the playbook (`examine_agreement`).
"""

from __future__ import annotations

import os
import platform
import shutil
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import exc

from bot.clock import Clock
from bot.services.examine_findings import Finding, broken, fault, note, ok, told, warn
from storage import examining, revisions, search_index
from storage.database import Database

#: Free space below which SQLite will soon not be able to write.
LITTLE_SPACE = 200 * 1024 * 1024
NO_SPACE = 20 * 1024 * 1024
#: A clock further off than this is worth a word; signatures allow five minutes.
CLOCK_APART = timedelta(seconds=2)
#: Zones without which no playbook works.
_ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kolkata")


def examine_software() -> list[Finding]:
    """Python, the system, time zone data."""
    topic = "software"
    found = [
        ok(topic, f"Python {platform.python_version()} on {platform.system()} {platform.release()}")
    ]
    for zone in _ZONES:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, OSError, ValueError):
            return [
                fault(
                    "time zones",
                    f"The time zone {zone} is unknown here.",
                    "Install the system's tzdata, or the Python package tzdata, as the lock file says.",
                )
            ]
    return found


def examine_database(database: Database, clock: Clock, *, demo: bool = False) -> list[Finding]:
    """Reachable, with our tables in it, and writable. The first fault ends it: the rest would only follow from it.

    `demo`: no Slack is set, so who wants a database starts the demo.
    """
    if database.is_sqlite:
        found = _file(database, demo)
        if broken(found):
            return found
    else:
        found = []
    try:
        server = examining.read_server(database)
    except (exc.DBAPIError, exc.TimeoutError) as error:
        return [*found, _trouble(database, error)]
    kind = "SQLite" if database.is_sqlite else "PostgreSQL"
    found.append(ok("database", f"{kind} {server.version} at {shown(database)}"))
    if server.synchronous_commit == "off":
        found.append(
            fault(
                "database",
                "PostgreSQL runs with synchronous_commit=off: acknowledged leads could be lost.",
                "Turn it on, for the server or for Baton's user.",
            )
        )
    if server.at is not None and abs(server.at - clock.real()) > CLOCK_APART:
        apart = abs((server.at - clock.real()).total_seconds())
        found.append(
            warn(
                "clock",
                f"The database server's clock and ours are {apart:.0f} s apart.",
                "Let both machines take their time from NTP.",
            )
        )
    tables = examine_tables(database, demo=demo)
    found += tables
    if not broken(tables):
        found += _writable(database)
        found += _search(database)
    return found


def examine_tables(database: Database, *, demo: bool = False) -> list[Finding]:
    """The tables are those of this Baton."""
    topic = "tables"
    try:
        at = revisions.current(database)
    except (exc.DBAPIError, exc.TimeoutError) as error:
        return [_trouble(database, error)]
    if at == revisions.HEAD:
        return [ok(topic, f"at revision {at}, as this Baton needs")]
    if at is not None and at > revisions.HEAD and not revisions.misfit(database):
        return [
            ok(topic, f"at revision {told(at, 32)}, which this Baton ({revisions.HEAD}) may use")
        ]
    if at is None:
        return [
            fault(
                topic,
                f"{shown(database)} has no tables of Baton.",
                "Start the demo: make run"
                if demo
                else "Run: baton migrate (a SQLite file gets them at the first `baton run`, too).",
            )
        ]
    if at < revisions.HEAD:
        return [
            fault(
                topic,
                f"The tables are at revision {at}, this Baton needs {revisions.HEAD}.",
                "Stop Baton, make a backup, run: baton migrate",
            )
        ]
    return [
        fault(
            topic,
            f"The tables are at revision {told(at, 32)}, this Baton knows only {revisions.HEAD}: "
            "a newer Baton was here.",
            "Run the newer version, or go back to the backup made before it.",
        )
    ]


def shown(database: Database) -> str:
    """The database as it can be named without its password."""
    url = database.url
    if database.is_sqlite:
        return told(url.database or ":memory:")
    port = f":{url.port}" if url.port else ""
    return told(f"{url.host or 'the local socket'}{port}/{url.database or ''}")


def _file(database: Database, demo: bool) -> list[Finding]:
    """A SQLite file: there, and room on its disk. Looking must not make it."""
    name = database.url.database or ""
    if not name or name == ":memory:" or name.startswith("file:"):
        return (
            [note("database", "SQLite without a plain file: its disk is not looked at")]
            if name != ":memory:"
            else []
        )
    path = Path(name)
    if not path.parent.is_dir():
        return [
            fault(
                "database",
                f"The folder of the database file {told(path)} does not exist.",
                "Make the folder, or mend DATABASE_URL.",
            )
        ]
    if not path.exists():
        return [
            fault(
                "database",
                f"There is no database file {told(path)} yet.",
                "Start the demo: make run"
                if demo
                else "Run: baton migrate (or `baton run`, which makes it); or mend DATABASE_URL.",
            )
        ]
    if not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK):
        return [_read_only(database)]
    free = shutil.disk_usage(path.parent).free
    if free < LITTLE_SPACE:
        made = fault if free < NO_SPACE else warn
        return [
            made(
                "disk",
                f"Only {free // 1024 // 1024} MiB are free where {told(path)} lies.",
                "Make room: without it no lead can be stored.",
            )
        ]
    return []


def _writable(database: Database) -> list[Finding]:
    try:
        examining.try_writing(database)
    except (exc.DBAPIError, exc.TimeoutError) as error:
        return [_trouble(database, error)]
    return []


def _search(database: Database) -> list[Finding]:
    state = search_index.search_index_state(database)
    return [warn("search", *_halves(state))] if state else []


def _halves(sentence: str) -> tuple[str, str]:
    """What is wrong, and what to do, of a sentence that ends with "; run: …"."""
    what, _, do = sentence.partition("; run: ")
    return f"{what.rstrip('.')}.", f"Run: {do}" if do else ""


def _read_only(database: Database) -> Finding:
    who = f"user {os.geteuid()}" if hasattr(os, "geteuid") else "this user"
    if not database.is_sqlite:
        return fault(
            "database",
            f"{shown(database)} cannot be written by the user of DATABASE_URL.",
            "Point DATABASE_URL at the primary server, and grant its user the rights.",
        )
    return fault(
        "database",
        f"{shown(database)} cannot be written by {who}.",
        "Give Baton's user the file and its folder (SQLite writes -wal and -shm files beside it).",
    )


def _trouble(database: Database, error: Exception) -> Finding:
    """What the database says, as a finding."""
    said = str(getattr(error, "orig", error)).lower()
    if "readonly" in said or "read-only" in said or "permission denied" in said:
        return _read_only(database)
    if "disk is full" in said or "no space" in said:
        return fault(
            "disk", "The disk of the database is full.", "Make room: no lead can be stored."
        )
    if "locked" in said:
        return fault(
            "database",
            "Another program keeps the database locked for more than 10 s: no lead can be stored.",
            "Look which one it is (a sqlite3 shell, a copying tool), and end it.",
        )
    return _unreachable(database, error)


def _unreachable(database: Database, error: Exception) -> Finding:
    said = str(getattr(error, "orig", error)).strip()
    first = told(said.splitlines()[0] if said else "no answer", 110)
    if database.is_sqlite:
        return fault(
            "database",
            f"{shown(database)} cannot be opened: {first}.",
            "Is it a SQLite file, and may this user read it? Else restore the last backup.",
        )
    return fault(
        "database",
        f"PostgreSQL at {shown(database)} cannot be used: {first}.",
        "Start the server, or mend DATABASE_URL (address, user, password).",
    )
