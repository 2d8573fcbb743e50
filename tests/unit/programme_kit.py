"""A challenge to damage, and the small playbook that it stands in. What is not here: the tests."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from bot.domain.challenge import Terms
from bot.playbook.loading import LoadResult, load_playbook
from tests.unit.playbook_kit import SMALL, TODAY, with_changes

FIRST = SMALL.count("\n") + 2  # the line of the first challenge, behind `challenges:`

SPRING: Mapping[str, str] = {
    "name": "Spring challenge",
    "from": "2027-03-01",
    "to": "2027-03-31",
    "teams": "[emea]",
    "kind": "improved",
    "points": "{accept: 1, first_touch: 2}",
}
NAMED = ("channel: C0EMEA01", "channel: C0EMEA01, people_figures: named")


def spring(**changed: str | None) -> str:
    """The spring challenge as one item of the list; None takes a key out."""
    keys = {key.rstrip("_"): value for key, value in changed.items()}
    kept = {key: value for key, value in {**SPRING, **keys}.items() if value is not None}
    first, *rest = [f"{key}: {value}" for key, value in kept.items()]
    return "\n".join([f"  - {first}", *(f"    {line}" for line in rest)]) + "\n"


def held(*challenges: str, today: date = TODAY) -> LoadResult:
    """The small playbook, its one big team named on boards, with these challenges."""
    text = with_changes(NAMED) + "challenges:\n" + "".join(challenges)
    return load_playbook(text, today=today)


def agreed(result: LoadResult) -> tuple[Terms, ...]:
    assert result.agreement is not None, [str(fault) for fault in result.faults]
    return result.agreement.challenges


def told(result: LoadResult) -> list[tuple[str, str]]:
    assert result.agreement is None
    return [(fault.where, fault.message) for fault in result.faults]
