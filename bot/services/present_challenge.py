"""Messages of challenges as they go out: the board and the end in a channel, the question at the start, flags.

Rendered from the state at the moment of sending; only reads. What is not here: what each reader may see of a board
(`present_board`), when these are decided (`run_challenge`, `watch_gaming`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bot.domain.challenge import State
from bot.domain.gaming import voids_in
from bot.rendering.challenge_notes import (
    render_challenge_start,
    render_flag_manager,
    render_flag_note,
)
from bot.rendering.leaderboard import (
    render_board_cancelled,
    render_challenge_end,
    render_leaderboard,
)
from bot.rendering.notices import render_erased
from bot.rendering.views_challenge import FlagNote, StartNote
from bot.rendering.wording import who_short
from bot.services.count_points import standing_of
from bot.services.deliver_types import Drop, Rendered, RenderRow
from bot.services.present_board import (
    board_view,
    contest_of,
    end_view,
    may_name_team,
    names_unless_private,
    reader_in,
)
from bot.services.present_parts import face_of, reader_of
from bot.services.work import Work
from storage import awards, challenges, entrants, flags, leads
from storage.cards import CardRow
from storage.challenges import ChallengeRow
from storage.deliveries import OutboxRow
from storage.flags import FlagRow


def leaderboard(work: Work, row: OutboxRow, card: CardRow | None) -> Rendered | Drop:
    """The template `leaderboard`: one post for a challenge and day, edited through the day."""
    named = _named(row, card)
    found = _challenge(work, named)
    if found is None:
        return Drop("no_challenge")
    if found.state == State.CANCELLED:
        if card is None:
            return Drop("cancelled")
        body = render_board_cancelled(contest_of(found), reader_in(work, found))
        return Rendered(body, closed=True)
    if found.trial and row.lane.startswith("ch:"):
        return Drop("trial")  # nobody but its maker sees it
    board, shares = standing_of(work, found.id, str(named.get("period") or ""))
    # Never closed: also when all is over somebody may want to stay private.
    return Rendered(render_leaderboard(board_view(work, found, board, shares)))


def challenge_end(work: Work, row: OutboxRow, card: CardRow | None) -> Rendered | Drop:
    """The template `challenge_end`: what all achieved, who won."""
    found = _challenge(work, _named(row, card))
    if found is None or found.state != State.FINISHED:
        return Drop("not_finished")
    if found.trial and row.lane.startswith("ch:"):
        return Drop("trial")
    board, shares = standing_of(work, found.id)
    return Rendered(render_challenge_end(end_view(work, found, board, shares)))


def challenge_start(work: Work, row: OutboxRow, card: CardRow | None) -> Rendered | Drop:
    """The template `challenge_start`: whether the board may name this participant."""
    found = _challenge(work, _named(row, card))
    person = work.roster.by_id.get(row.person_id) if row.person_id is not None else None
    if found is None or person is None:
        return Drop("no_challenge")
    entrant = entrants.read_entrant(work.conn, found.id, person.id)
    if entrant is None or (card is None and entrant.left_at is not None):
        return Drop("not_taking_part")
    state = State(found.state)
    if card is None and (found.trial or state not in (State.SCHEDULED, State.RUNNING)):
        return Drop("over")
    view = StartNote(
        contest=contest_of(found),
        reader=reader_of(work, person),
        state=state,
        choice=entrant.choice,
        may_be_named=may_name_team(work, entrant.team),
        named_unless=names_unless_private(work, entrant.team),
        points=found.agreed.points,
    )
    closed = state not in (State.SCHEDULED, State.RUNNING)
    return Rendered(render_challenge_start(view), closed=closed)


def flag_note(work: Work, row: OutboxRow, card: CardRow | None) -> Rendered | Drop:
    """The template `flag_note`: what looked odd, to the person it is about."""
    found = _flag(work, row, card)
    if found is None:
        return _flag_gone(card)
    flag, challenge = found
    if card is None and flag.verdict:
        return Drop("settled")
    view = _flag_view(work, row, card, flag, challenge)
    return Rendered(render_flag_note(view), closed=bool(flag.verdict))


def flag_manager(work: Work, row: OutboxRow, card: CardRow | None) -> Rendered | Drop:
    """The template `flag_manager`: the same, with what the person said and the two decisions."""
    found = _flag(work, row, card)
    if found is None:
        return _flag_gone(card)
    flag, challenge = found
    if card is None and flag.verdict:
        return Drop("settled")
    view = _flag_view(work, row, card, flag, challenge, work.roster.name_of(flag.person_id))
    return Rendered(render_flag_manager(view), closed=bool(flag.verdict))


BUILDERS: Mapping[str, RenderRow] = {
    "leaderboard": leaderboard,
    "challenge_start": challenge_start,
    "challenge_end": challenge_end,
    "flag_note": flag_note,
    "flag_manager": flag_manager,
}

# ------------------------------------------------------------------ pieces


def _named(row: OutboxRow, card: CardRow | None) -> Mapping[str, Any]:
    """What a row is about: an edit may carry nothing itself, its card does."""
    return {**(card.data if card is not None else {}), **row.data}


def _challenge(work: Work, named: Mapping[str, Any]) -> ChallengeRow | None:
    return challenges.read_challenge(work.conn, int(named.get("challenge") or 0))


def _flag(work: Work, row: OutboxRow, card: CardRow | None) -> tuple[FlagRow, ChallengeRow] | None:
    flag = flags.read_flag(work.conn, int(_named(row, card).get("flag") or 0))
    if flag is None:
        return None
    found = challenges.read_challenge(work.conn, flag.challenge_id)
    return (flag, found) if found is not None else None


def _flag_gone(card: CardRow | None) -> Rendered | Drop:
    """Flags go after a year; a note that stands is edited after that only because a lead in it was erased."""
    return Rendered(render_erased(), closed=True) if card is not None else Drop("no_flag")


def _flag_view(
    work: Work,
    row: OutboxRow,
    card: CardRow | None,
    flag: FlagRow,
    challenge: ChallengeRow,
    person: str = "",
) -> FlagNote:
    ids = _named(row, card).get("lead_ids") or ()
    concerned = leads.list_by_ids(work.conn, [int(each) for each in ids])
    voids = {(rule.value, about) for rule, about in voids_in(flag.data)}
    worth = sum(
        award.points
        for award in awards.list_awards(work.conn, challenge.id)
        if (award.rule, award.about) in voids and award.person_id == flag.person_id
    )
    return FlagNote(
        id=flag.id,
        contest=contest_of(challenge),
        reader=reader_of(work, work.roster.by_id.get(row.person_id or 0)),
        what=flag.kind,
        count=int(flag.data.get("n") or len(concerned)),
        of=int(flag.data.get("of") or 0),
        at=_instant(flag.data.get("from")),
        leads=tuple(who_short(face_of(lead)) for lead in concerned),
        points=worth,
        person=person,
        answered=flag.answered_at is not None,
        verdict=flag.verdict,
        settled_by=work.roster.name_of(flag.settled_by) if flag.settled_by is not None else "",
    )


def _instant(text: object) -> datetime | None:
    """An instant as a flag keeps it; None for anything else."""
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
