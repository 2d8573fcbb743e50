"""What commands work with, opened from the environment: settings, database, playbook, runtime without Slack.

Everything that may be wrong with them becomes one sentence (`plainly`). What is not here: Slack, sockets (`serving`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from sqlalchemy import exc

from bot.clock import Clock
from bot.commands.failing import CommandFault
from bot.demo_home import demo_database_url, demo_home, demo_is_there
from bot.domain.agreement import Agreement
from bot.domain.retention import Retention
from bot.logs import redact
from bot.playbook.loading import LoadResult, load_playbook
from bot.services.runtime import Runtime
from bot.services.spot_erased import Erased, LedgerLocked
from bot.settings import Settings, SettingsFault
from storage.database import Database, DatabaseUnfit
from storage.playbooks import newest_playbook
from storage.revisions import SchemaMismatch, require_fit


@contextmanager
def plainly() -> Iterator[None]:
    """Faults of the surroundings as `CommandFault`s. Whatever else is raised is a bug and keeps its traceback."""
    try:
        yield
    except SettingsFault as fault:
        raise CommandFault(*fault.sentences) from None
    except (SchemaMismatch, DatabaseUnfit, LedgerLocked) as fault:
        raise CommandFault(str(fault)) from None
    except exc.DatabaseError as error:
        # The class itself: "file is not a database". Other subclasses are about our own statements.
        if type(error) not in (exc.OperationalError, exc.DatabaseError):
            raise
        raise CommandFault(_about_database(str(error.orig))) from None
    except exc.TimeoutError:
        raise CommandFault(_about_database("all its connections are busy")) from None


def database_of(settings: Settings) -> Database:
    """The database that the environment names; nothing is opened yet."""
    try:
        return Database(settings.database_url.get_secret_value())
    except (exc.ArgumentError, ModuleNotFoundError, ValueError):
        # The message of the error may hold the address, and that a password.
        raise CommandFault(
            "DATABASE_URL cannot be used: write sqlite:///baton.db or postgresql://user:password@host/name."
        ) from None


def database_or_demo(settings: Settings) -> tuple[Database, bool]:
    """The database to look at, and whether it is the demo's: without DATABASE_URL and without Slack's token that of a
    demo that was started here. Whoever uses this says which one it is (`named_database` does)."""
    home = demo_home()
    named = "DATABASE_URL" in os.environ
    if settings.slack_mode != "sandbox" or named or not demo_is_there(home):
        return database_of(settings), False
    return Database(demo_database_url(home)), True


def named_database(settings: Settings) -> Database:
    """The same; the demo's is named, so that nobody takes it for theirs."""
    database, demo = database_or_demo(settings)
    if demo:
        print(f"in the demo's database, {demo_home() / 'baton.db'}", file=sys.stderr)
    return database


@contextmanager
def opened_database(settings: Settings) -> Iterator[Database]:
    """The database, with the tables of this Baton in it."""
    database = named_database(settings)
    try:
        database.check()
        require_fit(database)
        yield database
    finally:
        database.dispose()


@contextmanager
def opened_runtime(
    settings: Settings, database: Database, agreement: Agreement
) -> Iterator[Runtime]:
    """A runtime for `write_now` and `read_now`. In the sandbox business time is what its page moved it to."""
    runtime = Runtime(database, Clock(), agreement, movable_clock=settings.slack_mode == "sandbox")
    runtime.tells_crm = bool(settings.webhook_url)
    runtime.retention = Retention.of_days(*settings.keep_days)
    if settings.erasure_key is not None:
        runtime.erased = Erased(settings.erasure_key.get_secret_value())
    try:
        yield runtime
    finally:
        runtime.close()


def loaded_playbook(path: Path) -> tuple[str, LoadResult]:
    """The file's text and what it says, faults included."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise CommandFault(f"{path} cannot be read: {error.strerror or error}.") from None
    except UnicodeDecodeError as error:
        raise CommandFault(f"{path} cannot be read: byte {error.start} is not UTF-8.") from None
    return text, load_playbook(text, name=str(path), today=Clock().business().date())


def agreement_in_force(settings: Settings, database: Database) -> Agreement:
    """The newest stored version; before any was applied, the playbook's file."""
    with database.read() as conn:
        stored = newest_playbook(conn)
    if stored is None:
        result, version = loaded_playbook(settings.playbook)[1], 0
    else:
        name = f"playbook version {stored.version}"
        result = load_playbook(stored.body, name=name, today=Clock().business().date())
        version = stored.version
    if result.agreement is None:
        raise CommandFault(
            *(str(fault) for fault in result.faults),
            "The playbook in force cannot be used by this Baton; run: baton playbook apply",
        )
    return replace(result.agreement, version=version)


def _about_database(trouble: str) -> str:
    first = trouble.strip().splitlines()[0] if trouble.strip() else "it does not answer"
    return f"The database cannot be used: {redact(first)}."
