"""`baton restore`: put a backup in the place of the database. What is not here: how (`restore_backup`).

Nobody else may work on the database: on SQLite the worker's lock says so, on PostgreSQL the heartbeats.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from sqlalchemy import Connection, exc

from bot.clock import Clock
from bot.commands.failing import CommandFault
from bot.commands.opening import loaded_playbook, named_database, plainly
from bot.commands.wording import counted
from bot.domain.agreement import Agreement
from bot.playbook.loading import load_playbook
from bot.services.erase_person import reapply_erasures
from bot.services.restore_backup import Restored, restore_backup
from bot.services.spot_erased import LedgerLocked
from bot.services.work import Work
from bot.serving import CannotServe, worker_lock
from bot.settings import Settings, load_settings
from storage import erasures, examining
from storage.archives import BackupFault
from storage.database import Database
from storage.erasures import LedgerRow
from storage.ledger_files import NAME as LEDGER
from storage.ledger_files import ledger_file, read_ledger_file
from storage.playbooks import newest_playbook
from storage.vacuuming import vacuum

#: Processes write every five seconds that they live.
QUIET_FOR = timedelta(minutes=1)


def restore(
    file: Annotated[Path, Parameter(name="FILE", help="As `baton backup` wrote it.")],
    /,
    *,
    replace_: Annotated[
        bool,
        Parameter(
            name="--replace",
            help="There is a database: put the backup in its place, keep it beside.",
            negative="",
            show_default=False,
        ),
    ] = False,
) -> int:
    """Check the file, put it in place, bring it to this Baton's tables. Sends nothing that was to be sent then."""
    began = time.monotonic()
    left = ""
    with plainly(), ExitStack() as stack:
        settings = load_settings()
        clock = Clock()
        database = named_database(settings)
        stack.callback(database.dispose)
        stack.enter_context(alone_on(database, clock))
        try:
            done = restore_backup(
                database, file, clock, replace=replace_, ledger=_ledger_beside(settings, database, file),
                erase_again=lambda conn, now, real: _erase_again(settings, conn, now, real),
            )  # fmt: skip
        except (BackupFault, LedgerLocked) as fault:
            raise CommandFault(str(fault)) from None
        if done.erased:
            left = vacuum(database)
    _tell(done, time.monotonic() - began)
    if done.erased and left:
        print(left)
    return 0


@contextmanager
def alone_on(database: Database, clock: Clock) -> Iterator[None]:
    """Only when no Baton works on the database; on SQLite none can begin meanwhile. Raises `CommandFault`."""
    if database.is_sqlite:
        try:
            with worker_lock(database):
                yield
        except CannotServe as fault:
            raise CommandFault(str(fault)) from None
        return
    try:
        with database.read() as conn:
            beats = examining.list_beats(conn)
    except exc.ProgrammingError:  # no tables, or those of another time
        beats = []
    living = [worker for worker, at in beats if abs(clock.real() - at) < QUIET_FOR]
    if living:
        raise CommandFault(
            f"{counted(len(living), 'Baton')} ran on this database within the last minute ({living[0]}): "
            "stop all of them, wait a minute."
        )
    yield


def _ledger_beside(settings: Settings, database: Database, file: Path) -> list[LedgerRow]:
    """Who was erased, as the files say: in the folder of the backups, and where this backup lies."""
    places = {ledger_file(settings.backups, database), file.absolute().parent / LEDGER}
    return [row for place in places if place is not None for row in read_ledger_file(place)]


def _erase_again(settings: Settings, conn: Connection, now: datetime, real: datetime) -> int:
    if erasures.is_empty(conn):
        return 0
    key = settings.erasure_key.get_secret_value() if settings.erasure_key is not None else ""
    work = Work(
        conn, now, real, _agreement_in(settings, conn, now), tells_crm=bool(settings.webhook_url)
    )
    return reapply_erasures(work, key)


def _agreement_in(settings: Settings, conn: Connection, now: datetime) -> Agreement:
    """The one that was in force then; does it not compile any more, that of the playbook's file."""
    stored = newest_playbook(conn)
    if stored is not None:
        compiled = load_playbook(stored.body, today=now.date()).agreement
        if compiled is not None:
            return replace(compiled, version=stored.version)
    loaded = loaded_playbook(settings.playbook)[1]
    if loaded.agreement is None:
        raise CommandFault(*(str(fault) for fault in loaded.faults), "Nothing was restored.")
    return loaded.agreement


def _tell(done: Restored, seconds: float) -> None:
    print(
        f"restored {counted(done.backup.rows, 'row')} (revision {done.backup.revision}) in {seconds:.1f} s"
    )
    if done.kept:
        print(f"the former database is kept: {done.kept}")
    if done.erased:
        print(f"{counted(done.erased, 'lead')} erased since the backup, erased again")
    if not done.ledger_read:
        print("the former database could not be asked who was erased: see docs/backup.md")
    print(f"{counted(done.redrawn, 'card')} will be brought up to date in Slack")
    if done.held:
        print(
            f"{counted(done.held, 'message')} had not been sent when the backup was made, and will not be by "
            "itself; see: baton held list"
        )
