"""Who sees figures of single people of a team, in the report and on boards alike: the one place where that is decided.

A manager and who stands above them, as far as the team's agreement goes. Deputies and the signer act in a manager's
place, and see no figures for that. What is not here: the rules (`bot.domain.people_figures`), who settles or makes
something (`refuse`, `make_challenge`), names on boards (`present_board`).
"""

from __future__ import annotations

from bot.domain.access import Bond, Deed, may
from bot.domain.agreement import Role, Team
from bot.domain.people_figures import may_manager_see
from bot.services.work import Member, Work


def count_reps(work: Work, team: Team) -> int:
    """How many reps a team has, without closed accounts: of few, each figure says something about each."""
    members = (work.roster.by_email.get(email) for email in team.members)
    return sum(1 for member in members if member is not None and Role.REP in member.roles)


def asks_for_people(actor: Member, team: Team) -> bool:
    """Whether figures of this team's people are somebody's business at all; leavers and deactivated people's never."""
    bond = Bond.MANAGER_OF_HOLDER if actor.email in (team.manager, team.above) else Bond.OTHER
    return may(actor.roles, frozenset({bond}), Deed.SEE_PEOPLE_FIGURES)


def agreed_to_show(work: Work, team: Team) -> bool:
    """Whether the team agreed that its manager sees them, and is not too small for it."""
    return may_manager_see(team.people_figures, count_reps(work, team))
