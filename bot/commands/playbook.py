"""`baton playbook apply`: the file as the next version, in one transaction, and what that changed.

A running Baton takes the new version over within seconds, and finds new people in Slack. What is not here: what
becomes of leavers and clocks (`bot.services.apply_playbook`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bot.commands.checking import print_findings
from bot.commands.failing import CommandFault
from bot.commands.opening import loaded_playbook, opened_database, opened_runtime, plainly
from bot.commands.programme_telling import print_programme
from bot.commands.wording import counted
from bot.services.apply_playbook import apply_playbook, apply_to_running
from bot.services.work import Work
from bot.settings import Settings, load_settings
from storage import people
from storage.database import Database
from storage.playbooks import PlaybookRow, newest_playbook, version_of


@dataclass(frozen=True, slots=True)
class _Change:
    """What applying did. `moved`: running clocks with new due times; None: they were not to be touched."""

    before: PlaybookRow | None
    version: int
    joined: tuple[str, ...]
    left: tuple[str, ...]
    moved: int | None


def apply(
    file: Annotated[
        Path | None, Parameter(help="The playbook; BATON_PLAYBOOK or playbook.yaml unless given.")
    ] = None,
    /,
    *,
    running: Annotated[
        bool,
        Parameter(
            help="Also give running clocks the new due times.", negative="", show_default=False
        ),
    ] = False,
) -> int:
    """Put a clean file in force; 1 when it has faults, and then nothing changes."""
    with plainly():
        settings = load_settings()
        with opened_database(settings) as database:
            return _apply(settings, database, file or settings.playbook, running)


def _apply(settings: Settings, database: Database, path: Path, running: bool) -> int:
    text, result = loaded_playbook(path)
    print_findings(result)
    if result.agreement is None:
        print(f"{path}: {counted(len(result.faults), 'fault')}. {_in_force(database)}")
        return 1

    def change(work: Work) -> _Change:
        before = newest_playbook(work.conn)
        there = _in_playbook(work)
        if before is not None and before.sha256 == result.sha256:
            work.agreement = replace(work.agreement, version=before.version)
        else:
            apply_playbook(work, text, result.sha256)
        moved = apply_to_running(work) if running else None
        now_there = _in_playbook(work)
        return _Change(
            before,
            work.agreement.version,
            tuple(sorted(now_there - there)),
            tuple(sorted(there - now_there)),
            moved,
        )

    with opened_runtime(settings, database, result.agreement) as runtime:
        done = runtime.write_now(change)
    _print_change(path, done)
    if done.before is None or done.before.version != done.version:
        print_programme(result.agreement)
    _print_start(settings.playbook, path, database, result.sha256)
    return 0


def _print_start(named: Path, applied: Path, database: Database, sha256: str) -> None:
    """Which file counts at the next start, when that is not the one that was applied."""
    if named.resolve() == applied.resolve():
        return
    try:
        other = loaded_playbook(named)[1]
    except CommandFault:
        print(f"  Baton starts with {named}, which cannot be read: set BATON_PLAYBOOK={applied}")
        return
    if other.agreement is None or other.sha256 == sha256:
        return
    with database.read() as conn:
        known = version_of(conn, other.sha256)
    when = "At the next start" if known is None else f"Once {named} changes, at the next start"
    print(f"  {when} Baton takes {named} again: set BATON_PLAYBOOK={applied}")


def _print_change(path: Path, done: _Change) -> None:
    was = done.before.version if done.before is not None else None
    if was == done.version:
        print(f"{path}: is in force already, as version {was}")
    elif was is None:
        print(f"{path}: version {done.version} is in force, the first one")
    else:
        again = " again" if done.version < was else ""
        print(f"{path}: version {done.version} is in force{again}, after version {was}")
    _print_people("joined", done.joined)
    _print_people("left, and their offers go to others", done.left)
    if done.moved is not None:
        print(f"  running clocks that changed: {done.moved}")
    elif was != done.version and was is not None:
        print("  running clocks keep the version they started under (--running changes them)")


def _print_people(what: str, emails: Iterable[str]) -> None:
    listed = ", ".join(emails)
    if listed:
        print(f"  {what}: {listed}")


def _in_playbook(work: Work) -> set[str]:
    return {row.email for row in people.list_people(work.conn) if row.in_playbook}


def _in_force(database: Database) -> str:
    with database.read() as conn:
        newest = newest_playbook(conn)
    return f"Version {newest.version} stays in force." if newest else "No playbook is in force yet."
