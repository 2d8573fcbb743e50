"""The playbook as `baton doctor` looks at it: the file, and whether it is what is in force.

What is not here: the people and channels it names (`examine_members`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import exc

from bot.clock import Clock
from bot.domain.agreement import Agreement
from bot.playbook.loading import load_playbook
from bot.services.examine_findings import Finding, Level, fault, ok, plain, skip, told, warn
from storage import playbooks
from storage.database import Database
from storage.playbooks import PlaybookRow

_TOPIC = "playbook"
_FAULTS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Examined:
    """The findings, and the agreement that counts now: the version in force, else the clean file."""

    findings: list[Finding]
    agreement: Agreement | None


def examine_playbook(path: Path, database: Database | None, clock: Clock) -> Examined:
    """File and version in force. `database` None: it cannot be asked."""
    found, from_file, sha256 = _file(path, clock)
    if database is None:
        return Examined([*found, skip(_TOPIC, "what is in force needs the database")], from_file)
    try:
        with database.read() as conn:
            stored = playbooks.newest_playbook(conn)
            older = playbooks.version_of(conn, sha256)
    except (exc.DBAPIError, exc.TimeoutError):
        return Examined([*found, skip(_TOPIC, "what is in force needs the database")], from_file)
    if stored is None:
        return Examined([*found, *_nothing_in_force(path, from_file)], from_file)
    in_force = _compiled(stored, clock, sha256, from_file)
    if in_force is None:
        found.append(
            fault(
                _TOPIC,
                f"Version {stored.version}, which is in force, does not fit this Baton any more.",
                "Mend the file (baton check names its faults), then run: baton playbook apply",
            )
        )
    elif sha256 and sha256 != stored.sha256 and older is not None:
        found.append(
            warn(
                _TOPIC,
                f"In force is version {stored.version}, which is not {told(path)} (that is version {older}).",
                "Set BATON_PLAYBOOK to the file you applied, or go back to this one: baton playbook apply",
            )
        )
    elif sha256 and sha256 != stored.sha256:
        found.append(
            warn(
                _TOPIC,
                f"{told(path)} is not what is in force (version {stored.version}, applied "
                f"{stored.applied_at:%Y-%m-%d %H:%M}Z).",
                "To put the file in force, run: baton playbook apply",
            )
        )
    else:
        found.append(ok(_TOPIC, f"version {stored.version} is in force"))
    return Examined(found, in_force or from_file)


def _file(path: Path, clock: Clock) -> tuple[list[Finding], Agreement | None, str]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        why = error.strerror or type(error).__name__
        return (
            [
                fault(
                    _TOPIC,
                    f"{told(path)} cannot be read: {why}.",
                    "Start from playbook.yaml of Baton, and name yours in BATON_PLAYBOOK.",
                )
            ],
            None,
            "",
        )
    except UnicodeDecodeError as error:
        return (
            [
                fault(
                    _TOPIC,
                    f"{told(path)} cannot be read: byte {error.start} is not UTF-8.",
                    "Save it as UTF-8.",
                )
            ],
            None,
            "",
        )
    result = load_playbook(text, name=str(path), today=clock.business().date())
    found = [
        fault(_TOPIC, plain(str(each), 400), "Mend it, then run: baton check")
        for each in result.faults[:_FAULTS_SHOWN]
    ]
    more = len(result.faults) - _FAULTS_SHOWN
    if more > 0:
        found.append(fault(_TOPIC, f"{more} more faults.", "All of them: baton check"))
    warnings = len(result.warnings)
    if warnings:
        count = "1 warning" if warnings == 1 else f"{warnings} warnings"
        found.append(
            Finding(Level.NOTE, _TOPIC, f"{told(path)} has {count}.", "Read them: baton check")
        )
    return found, result.agreement, "" if result.agreement is None else result.sha256


def _nothing_in_force(path: Path, from_file: Agreement | None) -> list[Finding]:
    if from_file is None:
        return [
            fault(
                _TOPIC,
                "No playbook is in force.",
                "Mend the file, then run: baton playbook apply",
            )
        ]
    return [
        fault(
            _TOPIC,
            f"No playbook is in force yet; {told(path)} is clean.",
            "Run: baton playbook apply (`baton run` does it by itself)",
        )
    ]


def _compiled(
    stored: PlaybookRow, clock: Clock, sha256: str, from_file: Agreement | None
) -> Agreement | None:
    """The stored version; the file's, when that says the same."""
    if from_file is not None and sha256 == stored.sha256:
        return replace(from_file, version=stored.version)
    result = load_playbook(
        stored.body, name=f"version {stored.version}", today=clock.business().date()
    )
    if result.agreement is None:
        return None
    return replace(result.agreement, version=stored.version)
