"""Backing up: by hand into a file, and once a night into the folder that BATON_BACKUPS names, whoever of many workers.

The folder is for Baton alone (0700): backups hold personal data. What is not here: copying (`storage.backups`),
when somebody asks (`keep_house`), putting a backup back (`restore_backup`).
"""

from __future__ import annotations

import re
import stat
from collections.abc import Callable
from datetime import date, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

from bot.clock import Clock
from bot.logs import get_logger
from storage import backups
from storage.archives import BackupFault
from storage.backups import Copied, copy_database, suffix_of
from storage.database import Database

log = get_logger(__name__)

#: Two weeks of nights; a fault that nobody saw for longer is in every one of them anyway.
KEEP = 14
#: In the company's own time, when few leads come in. A Baton that was down then makes it as soon as it runs.
NIGHT = time(2, 30)
_OURS = re.compile(r"baton-\d{8}T\d{6}Z\.(db|zip)")
#: What is left of a backup whose process was killed: personal data that nobody would ever look for.
_CUT_OFF = re.compile(r"\.baton-\d{8}T\d{6}Z\.(db|zip)\.\d+\.part(-journal)?")


def name_of(database: Database, at: datetime) -> str:
    """What a backup made now is called."""
    return f"baton-{at:%Y%m%dT%H%M%SZ}{suffix_of(database)}"


def fit_folder(folder: Path) -> None:
    """Make the folder unless it is there. Raises `BackupFault` when others may look into it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = folder.stat().st_mode
    except OSError as error:
        raise BackupFault(f"{folder} cannot be used: {error.strerror or error}.") from None
    if stat.S_IMODE(mode) & 0o077:
        raise BackupFault(
            f"Others may look into {folder}, and backups hold personal data; run: chmod 700 {folder}"
        )


def back_up(database: Database, path: Path, clock: Clock) -> Copied:
    """Copy everything into the new file `path` while Baton runs. Raises `BackupFault`."""
    return copy_database(database, path, made_at=clock.real())


class Nightly:
    """The backup of each night. Blocks while it is made: for a thread of its own."""

    def __init__(
        self, database: Database, clock: Clock, folder: Path, zone: Callable[[], str]
    ) -> None:
        self._database = database
        self._clock = clock
        self._folder = folder
        self._zone = zone
        self._done: date | None = None
        #: For health: why there is no backup of this night; "" when there is, or may still be.
        self.trouble = ""

    def make_if_due(self) -> Copied | None:
        """Make tonight's, unless it is too early, made, or somebody is at it."""
        real = self._clock.real()
        here = real.astimezone(ZoneInfo(self._zone()))
        day = here.date()
        if here.time() < NIGHT or self._done == day:
            return None
        with self._database.read() as conn:
            if backups.is_made(conn, day):
                self._done, self.trouble = day, ""
                return None
        with self._database.write() as conn:
            attempt = backups.claim_night(conn, day, real=real)
        if attempt is None:
            return None
        copied: Copied | None = None
        try:
            fit_folder(self._folder)
            self._forget_cut_off(real)
            copied = back_up(
                self._database, self._folder / name_of(self._database, real), self._clock
            )
        except BackupFault as fault:
            self.trouble = f"There is no backup of {day}: {fault}"
            log.error("backup_failed", attempt=attempt, why=str(fault))
        finally:
            with self._database.write() as conn:
                backups.settle_night(
                    conn, day, attempt, made=copied is not None, real=self._clock.real()
                )
        if copied is not None:
            self._done, self.trouble = day, ""
            log.info(
                "backup_made", file=copied.path.name, bytes=copied.size, rows=copied.rows,
                seconds=round(copied.seconds, 1),
            )  # fmt: skip
            self._forget_old()
        return copied

    def _forget_old(self) -> None:
        ours = sorted(p for p in self._folder.iterdir() if _OURS.fullmatch(p.name))
        for old in ours[:-KEEP]:
            _unlink(old)

    def _forget_cut_off(self, real: datetime) -> None:
        dead = real - backups.LEASE
        for part in self._folder.iterdir():
            if _CUT_OFF.fullmatch(part.name) and part.stat().st_mtime < dead.timestamp():
                _unlink(part)


def _unlink(old: Path) -> None:
    try:
        old.unlink()
    except OSError as error:
        log.warning("old_backup_stays", file=old.name, why=error.strerror)
