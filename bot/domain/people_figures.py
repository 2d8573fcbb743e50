"""Who may see figures about a person, and who may be named on a board. Source: issue "fair, lawful"; per team.

Below `FEWEST` reps a total already says something about each of them: nobody is shown more than the team's total.
What is not here: the figures.
"""

from __future__ import annotations

from enum import StrEnum

#: So many reps has a team at least of which single people are shown to others.
FEWEST = 6


class PeopleFigures(StrEnum):
    """What the team's agreement allows. SELF: the rep sees their own, everybody else the team's total. TEAM (the
    default): the rep sees their own, the manager those of the team, boards name who joined. NAMED: boards and the
    team's report name everybody who did not choose to stay private; also in a small team."""

    SELF = "self"
    TEAM = "team"
    NAMED = "named"


def may_manager_see(rule: PeopleFigures, reps: int) -> bool:
    """Whether a manager sees the figures of single people of a team of `reps`."""
    return rule is PeopleFigures.NAMED or (rule is PeopleFigures.TEAM and reps >= FEWEST)


def may_board_name(rule: PeopleFigures, reps: int, choice: str) -> bool:
    """Whether a board, or a report in a channel, may name somebody. `choice`: joined, private, or "" (not said)."""
    if rule is PeopleFigures.NAMED:
        return choice != "private"
    return rule is PeopleFigures.TEAM and reps >= FEWEST and choice == "joined"
