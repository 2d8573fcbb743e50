"""`baton check`: every fault of a playbook at once, and what was understood.

What is not here: putting it in force (`playbook`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bot.commands.opening import loaded_playbook, plainly
from bot.commands.programme_telling import print_programme
from bot.commands.wording import counted, printable
from bot.playbook.loading import LoadResult
from bot.settings import load_settings


def check(
    file: Annotated[
        Path | None, Parameter(help="The playbook; BATON_PLAYBOOK or playbook.yaml unless given.")
    ] = None,
    /,
) -> int:
    """Print faults and warnings as `file:line: place: what is wrong`; 1 when there is any fault."""
    with plainly():
        path = file or load_settings().playbook
    result = loaded_playbook(path)[1]
    print_findings(result)
    if result.agreement is None:
        print(f"{path}: {counted(len(result.faults), 'fault')}")
        return 1
    agreement, challenges = result.agreement, result.agreement.challenges
    holds = ", ".join(
        [
            counted(len(agreement.people), "person", "people"),
            counted(len(agreement.teams), "team"),
            counted(len(agreement.slas), "SLA"),
            *([counted(len(challenges), "challenge")] if challenges else ()),
        ]
    )
    verdict = counted(len(result.warnings), "warning") if result.warnings else "fine"
    print(f"{path}: {holds}: {verdict}")
    print_programme(agreement)
    return 0


def print_findings(result: LoadResult) -> None:
    """All faults, then all warnings, a line each."""
    for fault in result.faults:
        print(printable(str(fault)))
    for warning in result.warnings:
        place = f"{warning.where}: " if warning.where else ""
        print(printable(f"{warning.name}:{warning.line}: warning: {place}{warning.message}"))
