"""Putting a backup back. Nothing that was still to be sent then is sent again, and who was erased since stays erased.

The tables are those of another moment: messages are held (`storage.held`), cards are brought up to date by edits, and
overdue steps fire at the first tick as after any downtime. What is not here: that nobody else works on the database
(the command sees to it), copying (`storage.restoring`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, exc, inspect

from bot.clock import Clock
from storage import erasures, held, journal, playbooks
from storage.archives import BackupFault
from storage.database import Database
from storage.erasures import LedgerRow
from storage.models_running import Erasures
from storage.restoring import Backup, examine_backup, is_empty, put_back
from storage.rows import table_of

#: Erases again whoever the restored ledger names, in the transaction of the restore, at this business and real time;
#: how many leads.
EraseAgain = Callable[[Connection, datetime, datetime], int]


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did. `kept`: where the former database is, "" when there was none. `ledger_read`: whether the
    former database could still be asked who was erased."""

    backup: Backup
    held: int
    redrawn: int
    erased: int
    kept: str
    ledger_read: bool


def restore_backup(
    database: Database,
    path: Path,
    clock: Clock,
    *,
    replace: bool,
    ledger: Sequence[LedgerRow],
    erase_again: EraseAgain,
) -> Restored:
    """Check the backup, put it in place, settle what it left open. Raises `BackupFault`; then nothing was changed.

    `ledger`: who was erased as far as files beside the backups know; the database that is replaced is asked, too.
    """
    found = examine_backup(database, path)
    if not replace and not is_empty(database):
        raise BackupFault(
            "The database holds leads already. To put the backup in their place: baton restore FILE --replace "
            "(what is there now is kept beside it)."
        )
    known, ledger_read = _former_ledger(database)
    real = clock.real()

    def finish(conn: Connection) -> tuple[int, int, int]:
        now = real + timedelta(seconds=playbooks.read_offset(conn))
        unsent = held.hold_unsettled(conn, real=real)
        erasures.add_to_ledger(conn, [*known, *ledger])
        gone = erase_again(conn, now, real)
        redrawn = held.redraw_all(conn, now=now, real=real)
        journal.insert_entry(
            conn, subject_kind="system", subject_id=0, at=now, kind="restored",
            data={"revision": found.revision, "held": unsent, "erased": gone},
        )  # fmt: skip
        return unsent, redrawn, gone

    aside = f"before_{real:%Y%m%dT%H%M%S}".lower()
    (unsent, redrawn, gone), kept = put_back(database, found, aside=aside, finish=finish)
    return Restored(found, unsent, redrawn, gone, kept, ledger_read)


def _former_ledger(database: Database) -> tuple[list[LedgerRow], bool]:
    """Who was erased from the database that goes; and whether it could be asked."""
    name = database.url.database
    if database.is_sqlite and name and not Path(name).exists():
        return [], True
    try:
        with database.read() as conn:
            if not inspect(conn).has_table(table_of(Erasures).name):
                return [], True
            return erasures.list_ledger(conn), True
    except exc.DatabaseError:
        if not database.is_sqlite:
            raise
        return [], False  # damaged: that may be why there is a restore at all
