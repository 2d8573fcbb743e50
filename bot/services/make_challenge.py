"""Making a challenge by hand, starting it sooner, cancelling it: admins, marketing, managers of all teams concerned.

Terms are checked against the other challenges under way; every fault comes back with its field. What is not here:
challenges of the playbook (`agree_challenges`), its life from then on (`run_challenge`).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from bot.domain.access import Bond, Deed, may
from bot.domain.agreement import Role
from bot.domain.challenge import State, Terms, TermsFault
from bot.domain.challenge_faults import faults_of
from bot.domain.refusal import Refusal
from bot.services.plan_challenges import span_of
from bot.services.post_challenge import write
from bot.services.refuse import manages
from bot.services.run_challenge import cancel, start
from bot.services.work import Member, Work
from storage import challenges
from storage.challenges import ChallengeRow


@dataclass(frozen=True, slots=True)
class Made:
    """It was done. `said`: drafted, scheduled, started or cancelled."""

    challenge_id: int
    said: str


#: What comes of it; faults of the terms, for a form, as a tuple.
Answer = Made | Refusal | tuple[TermsFault, ...]


def make_challenge(work: Work, actor: Member | None, terms: Terms, draft: bool = False) -> Answer:
    """Write a new one down; one whose first day is today begins at once. A draft may have no other fault either: it
    is what its maker alone sees until it is started."""
    refusal = may_change(work, actor, terms, Deed.MAKE_CHALLENGE)
    if refusal is not None or actor is None:
        return refusal or Refusal("not_in_playbook")
    challenges.take_turn(work.conn)
    faults = _not_past(work, terms) + find_faults(work, terms)
    if faults:
        return faults
    state = State.DRAFT if draft else State.SCHEDULED
    row = write_down(work, f"slack:{uuid.uuid4().hex}", terms, state, actor)
    if draft:
        return Made(row.id, "drafted")
    return _begun(work, row)


def start_now(work: Work, actor: Member | None, challenge_id: int) -> Answer:
    """Today becomes the first day of a draft, or of one that waits for its own."""
    found = _changeable(work, actor, challenge_id, Deed.MAKE_CHALLENGE)
    if isinstance(found, Refusal):
        return found
    if found.state not in (State.DRAFT, State.SCHEDULED):
        return Refusal("challenge_started" if found.state == State.RUNNING else "challenge_over")
    terms = replace(found.agreed, begins=_today(work, found.agreed))
    return _agree(work, found, terms)


def schedule_challenge(work: Work, actor: Member | None, challenge_id: int) -> Answer:
    """A draft is agreed on: it begins on the day that it names."""
    found = _changeable(work, actor, challenge_id, Deed.MAKE_CHALLENGE)
    if isinstance(found, Refusal):
        return found
    if found.state != State.DRAFT:
        return Refusal("already_done")
    return _not_past(work, found.agreed) or _agree(work, found, found.agreed)


def cancel_challenge(work: Work, actor: Member | None, challenge_id: int) -> Answer:
    """It does not take place, or stops here: nothing is counted or posted any more."""
    found = _changeable(work, actor, challenge_id, Deed.CANCEL_CHALLENGE)
    if isinstance(found, Refusal):
        return found
    if cancel(work, found, "by_hand", actor) is None:
        return Refusal("challenge_over")
    return Made(found.id, "cancelled")


def may_change(
    work: Work, actor: Member | None, terms: Terms, deed: Deed = Deed.MAKE_CHALLENGE
) -> Refusal | None:
    """None when `actor` may make or cancel a challenge of these teams. Of no team: whoever manages any."""
    if actor is None or actor.person is None:
        return Refusal("not_in_playbook")
    if not actor.active:
        return Refusal("deactivated")
    known = [team for team in terms.teams if team in work.agreement.teams]
    concerned = known if terms.teams else list(work.agreement.teams)
    theirs = [manages(work, actor, team) for team in concerned]
    all_of_them = bool(theirs) and (all(theirs) if terms.teams else any(theirs))
    bonds = {Bond.NONE, *({Bond.MANAGER_OF_HOLDER} if all_of_them else ())}
    return None if may(actor.roles, frozenset(bonds), deed) else Refusal("not_allowed")


def find_faults(work: Work, terms: Terms, but: int | None = None) -> tuple[TermsFault, ...]:
    """Every reason why it cannot be. `but`: the challenge that these terms are of, which does not overlap itself."""
    # A draft is its maker's alone: it hinders nobody, and nobody reads of it. Whether it fits is asked when it starts.
    agreed = challenges.list_challenges(work.conn, (State.SCHEDULED, State.RUNNING))
    others = [row.agreed for row in agreed if row.id != but]
    return tuple(
        faults_of(
            terms,
            teams=_sizes(work),
            zones=_zones(),
            others=others,
            today=_today(work, terms),
            channels={team.name: team.channel for team in work.agreement.teams.values()},
        )
    )


def _not_past(work: Work, terms: Terms) -> tuple[TermsFault, ...]:
    """Whoever chose a first day that is over would choose among results that are known. (A playbook may name one: it
    begins when it is applied, and both sides have signed it.)"""
    if terms.begins >= _today(work, terms) or terms.ends < terms.begins:
        return ()
    said = f"It begins on {terms.begins.isoformat()}, which is over: choose today or a later day."
    return (TermsFault("begins", said),)


def write_down(
    work: Work, key: str, terms: Terms, state: State, actor: Member | None
) -> ChallengeRow:
    """The row of a new challenge, and its first entry."""
    begins_at, ends_at = span_of(terms)
    challenge_id = challenges.insert_challenge(
        work.conn,
        key=key,
        name=terms.name,
        state=state.value,
        trial=terms.trial,
        terms=terms.as_json(),
        playbook_version=work.agreement.version,
        begins_at=begins_at,
        ends_at=ends_at,
        made_by=actor.id if actor is not None else None,
        made_at=work.now,
        started_at=None,
        finished_at=None,
        counted_at=None,
        result={},
    )
    write(work, challenge_id, "made", actor, state=state.value)
    row = challenges.read_challenge(work.conn, challenge_id)
    if row is None:
        raise LookupError(f"challenge {challenge_id} was written a moment ago")
    return row


def new_terms(terms: Terms) -> dict[str, object]:
    """The columns that follow from terms."""
    begins_at, ends_at = span_of(terms)
    return {
        "name": terms.name,
        "trial": terms.trial,
        "terms": terms.as_json(),
        "begins_at": begins_at,
        "ends_at": ends_at,
    }


def _agree(work: Work, row: ChallengeRow, terms: Terms) -> Answer:
    faults = find_faults(work, terms, row.id)
    if faults:
        return faults
    agreed = challenges.change_state(
        work.conn, row.id, [row.state], State.SCHEDULED.value, **new_terms(terms)
    )
    if agreed is None:
        return Refusal("already_done")
    return _begun(work, agreed)


def _begun(work: Work, row: ChallengeRow) -> Made | Refusal:
    """One whose first day has come begins at once: there is no later moment that would begin it."""
    work.wake = True
    if row.begins_at > work.now:
        return Made(row.id, "scheduled")
    started = start(work, row)
    if started is None:
        return Refusal("nobody_takes_part")
    return Made(row.id, "trial" if row.trial else "started")


def _changeable(
    work: Work, actor: Member | None, challenge_id: int, deed: Deed
) -> ChallengeRow | Refusal:
    if deed is Deed.MAKE_CHALLENGE:
        challenges.take_turn(work.conn)
    row = challenges.lock_challenge(work.conn, challenge_id)
    if row is None:
        return Refusal("no_challenge")
    refusal = may_touch(work, actor, row, deed)
    return refusal if refusal is not None else row


def may_touch(work: Work, actor: Member | None, row: ChallengeRow, deed: Deed) -> Refusal | None:
    """The same of one that is there. What its maker alone sees, nobody else touches, and the maker may always take
    back; to start it takes the right to make one, which somebody may have lost since."""
    refusal = may_change(work, actor, row.agreed, deed)
    if actor is None or not actor.active or not is_hidden(row):
        return refusal
    if not is_its_maker(work, actor, row):
        return refusal or Refusal("no_challenge")
    return None if deed is Deed.CANCEL_CHALLENGE else refusal


def is_hidden(row: ChallengeRow) -> bool:
    """A draft and a trial run: nobody but its maker sees it."""
    return row.trial or row.state == State.DRAFT


def is_its_maker(work: Work, actor: Member, row: ChallengeRow) -> bool:
    """Marketing's signer for one of the playbook."""
    if row.made_by is None:
        return actor.email == work.agreement.signer_marketing
    return row.made_by == actor.id


def _today(work: Work, terms: Terms) -> date:
    zone = terms.zone if terms.zone in _zones() else work.agreement.timezone
    return work.now.astimezone(ZoneInfo(zone)).date()


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _sizes(work: Work) -> dict[str, int]:
    """How many could take part, by team."""
    found = dict.fromkeys(work.agreement.teams, 0)
    for member in work.roster.by_id.values():
        if Role.REP in member.roles and member.person is not None and member.person.team in found:
            found[member.person.team] += 1
    return found
