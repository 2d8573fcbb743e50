"""Who may do and see what: one table, one function. Source: design sections 2 and 5, D3-D6.

A person's rights come from roles and bonds: what the playbook says they are, and how they stand to
the lead (or, for absences, to the colleague) in question. Rights are the union over both sets. What
is not here: whether the lead's status allows it (`funnel`), who holds which lead (services).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from bot.domain.agreement import Role


class Bond(StrEnum):
    """How a person stands to a lead, or to the colleague an absence is about."""

    HOLDER = "holder"  # it is offered to them, or they own it; they are that colleague themselves
    MANAGER_OF_HOLDER = "manager_of_holder"  # manager or above of the holder's or the lead's team
    OTHER = "other"  # anybody else
    NONE = "none"  # there is no lead in question


class Deed(StrEnum):
    """Everything a person can try, and every group of fields that not everybody sees."""

    # the rep's
    ACCEPT = "accept"
    PASS_ON = "pass_on"  # noqa: S105
    REJECT = "reject"
    GIVE_BACK = "give_back"
    UNDO = "undo"
    RECYCLE = "recycle"
    LOG_TOUCH = "log_touch"
    UNDO_LOG = "undo_log"
    QUALIFY = "qualify"
    CLOSE = "close"
    # the manager's
    TAKE = "take"
    REASSIGN = "reassign"
    NUDGE = "nudge"
    EXTEND = "extend"
    EXCUSE = "excuse"
    # marketing's
    REVIEW_TAKE = "review_take"
    REVIEW_OFFER = "review_offer"
    REVIEW_NURTURE = "review_nurture"
    REVIEW_DISQUALIFY = "review_disqualify"
    REOFFER = "reoffer"
    # looking at a lead
    SEE_STATUS = "see_status"  # status, owner, due time, company
    SEE_CONTACT = "see_contact"  # phone, e-mail, what the lead said
    SEE_WHY = "see_why"
    SEE_FORMER_HOLDERS = "see_former_holders"  # who had it before, who rejected it
    SEE_UNAVAILABLE = "see_unavailable"  # who was absent, full or excluded, by name
    # looking at lists
    SEE_QUEUE = "see_queue"
    SEE_TEAM = "see_team"
    SEE_REVIEW_LIST = "see_review_list"
    SEE_HELP = "see_help"
    SEE_REPORT = "see_report"  # totals of every team
    SEE_PEOPLE_FIGURES = "see_people_figures"  # of one person, as far as the team's agreement goes
    # about oneself and colleagues
    SET_OWN_ABSENCE = "set_own_absence"
    SAY_ABSENCE_FOR_OTHER = "say_absence_for_other"
    TRY_SAMPLE = "try_sample"
    # challenges: the holder is who takes part, or who a flag is about
    MAKE_CHALLENGE = "make_challenge"
    CANCEL_CHALLENGE = "cancel_challenge"
    JOIN_BOARD = "join_board"
    ANSWER_FLAG = "answer_flag"
    SETTLE_FLAG = "settle_flag"


Rights = frozenset[tuple[Role, Bond]]

_ABOUT = (Bond.HOLDER, Bond.MANAGER_OF_HOLDER, Bond.OTHER)  # any bond, but there is a lead


def _pairs(roles: tuple[Role, ...], *bonds: Bond) -> Rights:
    return frozenset((role, bond) for role in roles for bond in bonds)


_ALL = tuple(Role)
#: A manager who takes a lead works on it like a rep.
_OWN = _pairs((Role.REP, Role.MANAGER), Bond.HOLDER)
_TEAM = _pairs((Role.MANAGER,), Bond.MANAGER_OF_HOLDER)
_MARKETING = _pairs((Role.MARKETING,), *_ABOUT)
_ANY_LEAD = _pairs(_ALL, *_ABOUT)
_EVERYBODY = _pairs(_ALL, Bond.NONE)
_RUNNING_IT = _pairs((Role.MARKETING, Role.ADMIN), Bond.NONE)

ACCESS: Mapping[Deed, Rights] = {
    Deed.ACCEPT: _OWN,
    Deed.PASS_ON: _OWN,
    Deed.REJECT: _OWN,
    Deed.GIVE_BACK: _OWN,
    Deed.UNDO: _OWN,
    Deed.RECYCLE: _OWN | _TEAM,
    Deed.LOG_TOUCH: _OWN,
    Deed.UNDO_LOG: _OWN,
    Deed.QUALIFY: _OWN,
    Deed.CLOSE: _OWN,
    Deed.TAKE: _TEAM,
    Deed.REASSIGN: _TEAM,
    Deed.NUDGE: _TEAM,
    Deed.EXTEND: _TEAM,
    Deed.EXCUSE: _TEAM,
    Deed.REVIEW_TAKE: _MARKETING,
    Deed.REVIEW_OFFER: _MARKETING,
    Deed.REVIEW_NURTURE: _MARKETING,
    Deed.REVIEW_DISQUALIFY: _MARKETING,
    Deed.REOFFER: _MARKETING,
    Deed.SEE_STATUS: _ANY_LEAD,
    Deed.SEE_CONTACT: _OWN | _TEAM | _pairs((Role.MARKETING, Role.SCRUB, Role.ADMIN), *_ABOUT),
    Deed.SEE_WHY: _ANY_LEAD,
    Deed.SEE_FORMER_HOLDERS: _OWN | _TEAM | _pairs((Role.MARKETING, Role.ADMIN), *_ABOUT),
    Deed.SEE_UNAVAILABLE: _TEAM,
    Deed.SEE_QUEUE: _EVERYBODY,
    Deed.SEE_TEAM: _pairs((Role.MANAGER,), Bond.NONE),
    Deed.SEE_REVIEW_LIST: _pairs((Role.MARKETING,), Bond.NONE),
    Deed.SEE_HELP: _EVERYBODY,
    Deed.SEE_REPORT: _EVERYBODY,
    Deed.SEE_PEOPLE_FIGURES: _pairs(_ALL, Bond.HOLDER) | _TEAM,
    Deed.SET_OWN_ABSENCE: _EVERYBODY,
    Deed.SAY_ABSENCE_FOR_OTHER: _TEAM | _MARKETING,
    Deed.TRY_SAMPLE: _EVERYBODY,
    Deed.MAKE_CHALLENGE: _TEAM | _RUNNING_IT,  # a manager: of all teams concerned
    Deed.CANCEL_CHALLENGE: _TEAM | _RUNNING_IT,
    Deed.JOIN_BOARD: _pairs(_ALL, Bond.HOLDER),
    Deed.ANSWER_FLAG: _pairs(_ALL, Bond.HOLDER),
    Deed.SETTLE_FLAG: _TEAM,
}


def may(roles: frozenset[Role], bonds: frozenset[Bond], deed: Deed) -> bool:
    """Whether somebody with `roles`, who stands to the lead by `bonds`, may do or see `deed`.

    Deactivated people, guests, bots, people of another workspace and people who are not in the
    playbook have no roles, and so no rights. KeyError for a deed without a row: that is a bug.
    """
    rights = ACCESS[deed]
    return any((role, bond) in rights for role in roles for bond in bonds)
