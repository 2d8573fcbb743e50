"""The agreement a process works under: from the file, or the last good version that is stored.

What is not here: compiling (`bot.playbook`), storing (`apply_playbook`), who else works under it (`wiring`).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy.exc import IntegrityError

from bot.clock import Clock
from bot.domain.agreement import Agreement
from bot.playbook.loading import Fault, load_playbook
from bot.services.apply_playbook import apply_playbook, version_in_force
from bot.services.runtime import Runtime
from bot.services.work import Work
from storage import playbooks
from storage.database import Database

log = logging.getLogger(__name__)


class PlaybookFaulty(Exception):
    """No usable playbook: `faults` names every fault with its line."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(str(f) for f in faults))
        self.faults = tuple(faults)


def agreement_from_text(text: str, clock: Clock) -> tuple[Agreement, str]:
    """The compiled playbook and the text's hash. Raises `PlaybookFaulty`."""
    result = load_playbook(text, today=clock.business().date())
    if result.agreement is None:
        raise PlaybookFaulty(result.faults)
    return result.agreement, result.sha256


def bring_in_force(runtime: Runtime, text: str) -> Agreement:
    """Compile `text` and make it the version in force unless it is already."""
    agreement, sha256 = agreement_from_text(text, runtime.clock)

    def apply(work: Work) -> Agreement:
        version = version_in_force(work.conn, sha256)
        if version is not None:
            return replace(agreement, version=version)
        work.agreement = agreement
        return apply_playbook(work, text, sha256)

    runtime.agreement = agreement
    try:
        runtime.agreement = runtime.write_now(apply)
    except IntegrityError:  # another process put it in force at the same moment: now it is
        runtime.agreement = runtime.write_now(apply)
    return runtime.agreement


def stored_agreement(database: Database, clock: Clock) -> Agreement | None:
    """The last good version as stored, when there is one that still compiles."""
    with database.read() as conn:
        newest = playbooks.newest_playbook(conn)
    if newest is None:
        return None
    result = load_playbook(newest.body, today=clock.business().date())
    if result.agreement is None:
        log.error(
            "the stored playbook does not compile any more", extra={"version": newest.version}
        )
        return None
    return replace(result.agreement, version=newest.version)


def _older_version(database: Database, sha256: str) -> int | None:
    """The version that this text is, when another one is in force."""
    with database.read() as conn:
        if version_in_force(conn, sha256) is not None:
            return None
        return playbooks.version_of(conn, sha256)


def open_runtime(
    database: Database, clock: Clock, playbook_text: str | None, *, movable_clock: bool = False
) -> Runtime:
    """A runtime with an agreement in force. A faulty file leaves the last good version; none at all: PlaybookFaulty.

    A file that was in force before leaves it, too: somebody put a newer version in force, and a start is no reason
    to go back. `baton playbook apply` does.
    """
    stored = stored_agreement(database, clock)
    older: int | None = None
    faults: PlaybookFaulty | None = None
    first: Agreement | None = stored
    if playbook_text is not None:
        try:
            first, sha256 = agreement_from_text(playbook_text, clock)
            older = _older_version(database, sha256) if stored is not None else None
        except PlaybookFaulty as faulty:
            faults = faulty
    if first is None:
        raise faults or PlaybookFaulty(())
    runtime = Runtime(database, clock, stored or first, movable_clock=movable_clock)
    if older is not None:
        log.warning(
            "the playbook's file is version %d, version %d stays in force: set BATON_PLAYBOOK to the file that was "
            "applied, or go back by: baton playbook apply",
            older,
            runtime.agreement.version,
        )
    elif playbook_text is not None and faults is None:
        bring_in_force(runtime, playbook_text)
    elif faults is not None:
        log.error("the playbook has faults; the last good version stays in force")
    return runtime
