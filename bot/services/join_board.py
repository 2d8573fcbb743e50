"""Whether boards may name somebody: they say so themselves, and change it whenever they like.

What is not here: who is named in the end (`bot.domain.people_figures`), the question (`run_challenge`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bot.domain.access import Bond, Deed, may
from bot.domain.board_name import upper_half
from bot.domain.challenge import State
from bot.domain.refusal import Refusal
from bot.services.count_points import period_at, places_of
from bot.services.post_challenge import board_key, end_key, redraw, start_key, write
from bot.services.work import Member, Work
from storage import awards, challenges, entrants
from storage.challenges import ChallengeRow

JOINED, PRIVATE = "joined", "private"


@dataclass(frozen=True, slots=True)
class Chosen:
    """It was done. `said`: joined or private."""

    challenge_id: int
    said: str


def join_board(
    work: Work, actor: Member | None, challenge_id: int, choice: str
) -> Chosen | Refusal:
    """`choice`: joined or private. Today's board is drawn again at once, and so is the end. Whoever wants to stay
    private leaves the boards of former days, too: they stand in the same channel."""
    row = challenges.lock_challenge(work.conn, challenge_id)
    if row is None:
        return Refusal("no_challenge")
    if actor is None or actor.person is None:
        return Refusal("not_in_playbook")
    if not actor.active:
        return Refusal("deactivated")
    entrant = entrants.read_entrant(work.conn, row.id, actor.id)
    if entrant is None or entrant.left_at is not None:
        return Refusal("not_taking_part")
    if not may(actor.roles, frozenset({Bond.HOLDER}), Deed.JOIN_BOARD) or choice not in (
        JOINED,
        PRIVATE,
    ):
        return Refusal("not_allowed")
    if row.state == State.CANCELLED or (row.state == State.FINISHED and choice == JOINED):
        return Refusal("challenge_over")
    if entrants.choose(work.conn, row.id, actor.id, choice, work.now):
        write(work, row.id, choice, actor)
        redraw(work, start_key(row.id, actor.id))
        for period in _periods(work, row, actor.id if choice == PRIVATE else None):
            redraw(work, board_key(row.id, period))
        redraw(work, end_key(row.id))
    return Chosen(row.id, choice)


def _periods(work: Work, row: ChallengeRow, leaving: int | None) -> list[str]:
    """The days whose boards change: today, and those on which a board may have named whoever leaves it."""
    today = period_at(row, work.now)
    if leaving is None:
        return [today]
    boards = awards.list_boards(work.conn, row.id)
    naming = {each.period for each in boards if _may_name(each.places, leaving)}
    return sorted({today, *naming})


def _may_name(kept: list[Any], person_id: int) -> bool:
    return any(place.person_id == person_id for place in upper_half(places_of(kept)))
