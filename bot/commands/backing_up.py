"""`baton backup`: the whole database into one new file, while Baton runs. What is not here: how (`back_up`)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bot.clock import Clock
from bot.commands.failing import CommandFault
from bot.commands.opening import named_database, plainly
from bot.commands.wording import counted
from bot.services.back_up import back_up, fit_folder, name_of
from bot.settings import load_settings
from storage.archives import BackupFault
from storage.backups import Copied


def backup(
    file: Annotated[
        Path | None,
        Parameter(
            name="FILE",
            help="A file that is not there yet; without it one in BATON_BACKUPS, else in this folder.",
        ),
    ] = None,
    /,
) -> int:
    """Copy, check, print what there is. The file holds personal data: only you may read it."""
    with plainly():
        settings = load_settings()
        clock = Clock()
        database = named_database(settings)
        try:
            if file is None:
                folder = settings.backups or Path()
                if settings.backups is not None:
                    fit_folder(folder)
                file = folder / name_of(database, clock.real())
            copied = back_up(database, file, clock)
        except BackupFault as fault:
            raise CommandFault(str(fault)) from None
        finally:
            database.dispose()
    print(told(copied))
    return 0


def told(copied: Copied) -> str:
    """One line about a backup."""
    return (
        f"{copied.path}: {counted(copied.rows, 'row')} at revision {copied.revision}, "
        f"{copied.size / 1e6:.1f} MB, {copied.seconds:.1f} s"
    )
