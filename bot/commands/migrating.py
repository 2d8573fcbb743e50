"""`baton migrate`: bring the tables up to date, or back. What is not here: the steps (`storage/migrations`)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bot.clock import Clock
from bot.commands.backing_up import told
from bot.commands.failing import CommandFault
from bot.commands.opening import named_database, plainly
from bot.commands.restoring import alone_on
from bot.services.back_up import back_up, name_of
from bot.settings import load_settings
from storage import revisions, schema
from storage.archives import BackupFault
from storage.database import Database


def migrate(
    *,
    back: Annotated[
        str | None,
        Parameter(
            help="The revision to take the tables back to; makes a backup first.",
            show_default=False,
        ),
    ] = None,
    yes: Annotated[
        bool, Parameter(help="With --back: really.", negative="", show_default=False)
    ] = False,
) -> int:
    """Take the steps that are missing; safe to run again, and by several at once."""
    if yes and back is None:
        raise CommandFault("--yes goes with --back REVISION")
    with plainly():
        settings = load_settings()
        database = named_database(settings)
        try:
            database.check()
            if back is not None:
                return _go_back(database, settings.backups or Path(), back, yes=yes)
            taken = schema.migrate(database)
            at = revisions.current(database)
        finally:
            database.dispose()
    if taken:
        print(f"migrated: {', '.join(taken)}")
    else:
        print(f"at revision {at}, nothing to do")
    return 0


def _go_back(database: Database, folder: Path, revision: str, *, yes: bool) -> int:
    at = revisions.current(database)
    if revision not in schema.known_revisions() or at is None or not revision < at <= schema.HEAD:
        raise CommandFault(f"The tables are at revision {at}: there is no way back to {revision}.")
    if not yes:
        print(
            f"Back from {at} to {revision} drops what the steps in between added, with all that stands there now.\n"
            f"Only a Baton of revision {revision} runs on it then. Stop Baton; a backup is made first.\n"
            f"If you mean it: baton migrate --back {revision} --yes"
        )
        return 1
    clock = Clock()
    with alone_on(database, clock):
        try:
            copied = back_up(database, folder / name_of(database, clock.real()), clock)
        except BackupFault as fault:
            raise CommandFault(str(fault)) from None
        print(told(copied))
        taken = schema.downgrade(database, revision)
    print(f"taken back: {', '.join(taken)}")
    return 0
