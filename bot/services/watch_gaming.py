"""What looks like gaming: the person is shown it first and may say that it was real, then their manager settles it.

Nothing of it is public, and nothing is taken from anybody before a manager said so. In a hidden trial run flags are
noted and nobody is told. What is not here: what looks like it (`bot.domain.gaming`), the notes' words.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.domain.access import Bond, Deed, may
from bot.domain.business_time import NoOpenTime
from bot.domain.challenge import State
from bot.domain.gaming import flags_of
from bot.domain.occasion import Planned
from bot.domain.refusal import Refusal
from bot.services.count_points import FINE, VOID, Gathered, recount
from bot.services.escalate import Receiver, receiver_of
from bot.services.post_challenge import (
    end_key,
    manager_key,
    person_key,
    post_to,
    redraw,
    write,
)
from bot.services.refuse import manages
from bot.services.work import Member, Work
from storage import challenges, entrants, flags
from storage.challenges import ChallengeRow
from storage.flags import FlagRow
from storage.occasions import OccasionRow

FLAG = "flag"
#: So long the person may answer before the manager hears of it anyway.
ANSWER_WITHIN_DAYS = 2


@dataclass(frozen=True, slots=True)
class Settled:
    """It was done. `said`: a code for a short confirmation."""

    flag_id: int
    said: str


def watch(work: Work, row: ChallengeRow, gathered: Gathered) -> int:
    """Note what is new in what a recount looked at, and show it to whom it is about; how many flags were new."""
    known = {
        (flag.person_id, flag.kind, flag.about): flag
        for flag in flags.list_flags(work.conn, row.id)
    }
    new = 0
    for found in flags_of(gathered.terms, gathered.feats, gathered.entered, gathered.given):
        data = json.loads(json.dumps(found.data))  # as it is read back
        before = known.get((found.person, found.kind.value, found.about))
        if before is not None:
            if before.settled_at is None and before.data != data:
                flags.save_evidence(work.conn, before.id, data)
            continue
        flag = flags.insert_flag(
            work.conn,
            challenge_id=row.id,
            person_id=found.person,
            kind=found.kind.value,
            about=found.about,
            found_at=work.now,
            data=data,
        )
        if flag is None:
            continue
        new += 1
        write(work, row.id, "flagged", None, flag=flag.id, what=flag.kind)
        who = work.roster.by_id.get(found.person)
        if row.trial or who is None:
            continue
        if who.reachable and found.person not in gathered.left:
            _tell_person(work, row, flag, who)
        else:
            hand_on(work, row, flag)
    return new


def plan_flags(work: Work) -> Iterable[Planned]:
    """When flags go to the manager that the person has not answered by then."""
    for flag in flags.list_untold(work.conn):
        yield Planned(FLAG, flag.id, "unanswered", max(_answer_due(work, flag), work.now))


def hand_on_unanswered(work: Work, occasion: OccasionRow) -> bool:
    """Nobody answered for two working days: the manager hears of it."""
    found = _flag(work, occasion.subject_id)
    return not isinstance(found, Refusal) and hand_on(work, *found)


def hand_on(work: Work, row: ChallengeRow, flag: FlagRow) -> bool:
    """It is the manager's turn. Never the person's own, who may be a manager too; nobody at all: it stays open."""
    to = manager_of(work, flag)
    if to is None or row.trial or flags.tell_manager(work.conn, flag.id, work.now) is None:
        return False
    post_to(work, "flag_manager", manager_key(flag.id), to, _named(row, flag))
    write(work, row.id, "flag_handed_on", None, flag=flag.id, to=to.id)
    return True


def answer_flag(work: Work, actor: Member | None, flag_id: int) -> Settled | Refusal:
    """The person says that it was real: the manager hears of it at once, with that."""
    found = _flag(work, flag_id)
    if isinstance(found, Refusal):
        return found
    row, flag = found
    refusal = _may(actor, Deed.ANSWER_FLAG, holds=actor is not None and actor.id == flag.person_id)
    if refusal is not None or actor is None:
        return refusal or Refusal("not_in_playbook")
    answered = flags.answer_flag(work.conn, flag.id, actor.id, work.now)
    if answered is None:
        return Refusal("already_done")
    write(work, row.id, "flag_answered", actor, flag=flag.id)
    if not hand_on(work, row, answered):
        redraw(work, manager_key(flag.id))
    redraw(work, person_key(flag.id))
    return Settled(flag.id, "answered")


def settle_flag(work: Work, actor: Member | None, flag_id: int, verdict: str) -> Settled | Refusal:
    """The manager of the team lets it count (`fine`) or leaves it out (`void`); points are counted anew at once."""
    found = _flag(work, flag_id)
    if isinstance(found, Refusal):
        return found
    row, flag = found
    team = team_of(work, flag)
    own = actor is not None and actor.id == flag.person_id
    refusal = _may(
        actor,
        Deed.SETTLE_FLAG,
        manages_it=actor is not None and not own and manages(work, actor, team),
    )
    if refusal is not None or actor is None:
        return refusal or Refusal("not_in_playbook")
    if verdict not in (FINE, VOID):
        return Refusal("not_allowed")
    if flags.settle_flag(work.conn, flag.id, verdict, actor.id, work.now) is None:
        return Refusal("already_done")
    write(work, row.id, "flag_settled", actor, flag=flag.id, verdict=verdict)
    recount(work, row)
    if row.state == State.FINISHED:
        redraw(work, end_key(row.id))
    redraw(work, person_key(flag.id))
    redraw(work, manager_key(flag.id))
    return Settled(flag.id, verdict)


def team_of(work: Work, flag: FlagRow) -> str:
    """The team that the person takes part in."""
    entrant = entrants.read_entrant(work.conn, flag.challenge_id, flag.person_id)
    return entrant.team if entrant is not None else ""


def manager_of(work: Work, flag: FlagRow) -> Member | None:
    """Who settles it: as an escalation about that person would go, but never to a channel."""
    receiver: Receiver = receiver_of(
        work, "manager", team=team_of(work, flag), about=flag.person_id, marketing=False
    )
    return receiver.member


def _tell_person(work: Work, row: ChallengeRow, flag: FlagRow, who: Member) -> None:
    flags.tell_person(work.conn, flag.id, work.now)
    post_to(work, "flag_note", person_key(flag.id), who, _named(row, flag))


def _named(row: ChallengeRow, flag: FlagRow) -> dict[str, Any]:
    """What a note is about. It names these leads and no others, so that an erased one is found in it."""
    ids = [int(each) for each in flag.data.get("leads", ())]
    return {"challenge": row.id, "flag": flag.id, "lead_ids": ids}


def _answer_due(work: Work, flag: FlagRow) -> datetime:
    who = work.roster.by_id.get(flag.person_id)
    told_at = flag.told_person_at or flag.found_at
    try:
        return who.calendar.add_working_days(told_at, ANSWER_WITHIN_DAYS) if who else told_at
    except NoOpenTime:
        return told_at


def _flag(work: Work, flag_id: int) -> tuple[ChallengeRow, FlagRow] | Refusal:
    """A flag and its challenge, locked: points may be counted anew."""
    flag = flags.read_flag(work.conn, flag_id)
    row = challenges.lock_challenge(work.conn, flag.challenge_id) if flag is not None else None
    if flag is None or row is None:
        return Refusal("flag_gone")
    if row.state == State.CANCELLED:
        return Refusal("challenge_over")
    return row, flag


def _may(
    actor: Member | None, deed: Deed, *, holds: bool = False, manages_it: bool = False
) -> Refusal | None:
    if actor is None or actor.person is None:
        return Refusal("not_in_playbook")
    if not actor.active:
        return Refusal("deactivated")
    bonds = {Bond.OTHER}
    if holds:
        bonds.add(Bond.HOLDER)
    if manages_it:
        bonds.add(Bond.MANAGER_OF_HOLDER)
    return None if may(actor.roles, frozenset(bonds), deed) else Refusal("not_allowed")


#: For `fire_occasions`.
HANDLERS = {FLAG: hand_on_unanswered}
