"""The life of a challenge: draft, scheduled, running, finished, or cancelled. Each step is one conditional UPDATE.

It begins on its first day, asks everybody who takes part whether boards may name them, posts one board a day, which is
edited through the day, and ends with one post. A hidden trial run goes the same way, but only its maker sees it. What
is not here: making one (`make_challenge`, `agree_challenges`), counting (`count_points`), flags (`watch_gaming`).
"""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

from bot.domain.agreement import Role
from bot.domain.challenge import Board, State, Terms
from bot.services.count_points import is_fresh, places_json, recount
from bot.services.plan_challenges import ASK, BEGIN, BOARD, COUNT, COUNT_EVERY, END, to_ask
from bot.services.post_challenge import (
    board_key,
    end_key,
    note,
    post_board_or_end,
    post_to,
    redraw,
    start_key,
    write,
)
from bot.services.watch_gaming import watch
from bot.services.work import Member, Work
from storage import awards, challenges, chances, entrants, outbox
from storage.challenges import ChallengeRow
from storage.entrants import EntrantRow
from storage.occasions import OccasionRow

#: A CRM that reported within so long before the start reports: only touches that it knows count then.
REPORTED_WITHIN = timedelta(days=30)


# ------------------------------------------------------------------ beginning


def begin(work: Work, occasion: OccasionRow) -> bool:
    """The first day has come."""
    row = challenges.lock_challenge(work.conn, occasion.subject_id)
    if row is None or row.state != State.SCHEDULED:
        return False
    if work.now >= row.ends_at:  # Baton was down all the time
        cancel(work, row, "missed", None)
        note(work, row, "missed")
        return False
    return start(work, row) is not None


def start(work: Work, row: ChallengeRow) -> ChallengeRow | None:
    """From scheduled to running: whoever is a rep of its teams today takes part, in that team to the end. None when
    somebody else started it, or when nobody can take part: then it is cancelled."""
    terms = row.agreed
    taking_part = reps_of(work, terms)
    if not taking_part:
        cancel(work, row, "nobody", None)
        note(work, row, "nobody")
        return None
    verified = chances.reported_between(work.conn, work.now - REPORTED_WITHIN, work.now)
    running = challenges.change_state(
        work.conn,
        row.id,
        [State.SCHEDULED.value],
        State.RUNNING.value,
        started_at=work.now,
        playbook_version=work.agreement.version,
        terms={**terms.as_json(), "verified": verified},
    )
    if running is None:
        return None
    entrants.insert_entrants(
        work.conn,
        row.id,
        [(member.id, member.person.team) for member in taking_part if member.person is not None],
    )
    for person_id in to_ask(work, running):
        _ask(work, running, work.roster.by_id[person_id])
    write(work, row.id, "started", None, entrants=len(taking_part), verified=verified)
    work.wake = True
    return running


def reps_of(work: Work, terms: Terms) -> list[Member]:
    """Reps who are in one of its teams now, by id. Leavers and deactivated people have no role."""
    return [
        member
        for _, member in sorted(work.roster.by_id.items())
        if Role.REP in member.roles
        and member.person is not None
        and member.person.team in terms.teams
    ]


def ask(work: Work, occasion: OccasionRow) -> bool:
    """Somebody whom Slack did not know on the first day is asked now."""
    row = challenges.lock_challenge(work.conn, occasion.subject_id)
    person_id = int(occasion.period)
    if row is None or row.state != State.RUNNING or person_id not in to_ask(work, row):
        return False
    _ask(work, row, work.roster.by_id[person_id])
    return True


def _ask(work: Work, row: ChallengeRow, member: Member) -> None:
    """Whether boards may name them: at their opening, once."""
    entrants.save_entrant(work.conn, row.id, member.id, asked_at=work.now)
    post_to(work, "challenge_start", start_key(row.id, member.id), member, {"challenge": row.id})


# ------------------------------------------------------------------ while it runs


def post_board(work: Work, occasion: OccasionRow) -> bool:
    """The day's post. One that comes a day late is not posted: the next is nearer."""
    row = challenges.lock_challenge(work.conn, occasion.subject_id)
    if row is None or row.state != State.RUNNING:
        return False
    today = work.now.astimezone(ZoneInfo(row.agreed.zone)).date().isoformat()
    if occasion.period != today:
        return False
    _, board = look_again(work, row)
    if not board.chances:
        return False  # nothing to show yet
    return post_board_or_end(
        work, row, "leaderboard", board_key(row.id, occasion.period), occasion.period
    )


def count_again(work: Work, occasion: OccasionRow) -> bool:
    """Later on the same day: the post is edited when its numbers are others."""
    row = challenges.lock_challenge(work.conn, occasion.subject_id)
    if row is None or row.state != State.RUNNING or work.now - occasion.due_at >= COUNT_EVERY:
        return False
    day = occasion.period.partition("T")[0]
    key = board_key(row.id, day)
    if is_fresh(work, row) and outbox.is_known(work.conn, key):
        return False
    changed, board = look_again(work, row, day)
    if not board.chances or not changed:
        return False
    if outbox.is_known(work.conn, key):
        redraw(work, key)
        return True
    return post_board_or_end(work, row, "leaderboard", key, day)


def look_again(work: Work, row: ChallengeRow, day: str = "") -> tuple[bool, Board]:
    """Count anew, note flags, keep the board of the day; whether that shows anything new, and the board."""
    for entrant in entrants.list_entrants(work.conn, row.id):
        _look_after(work, row, entrant)
    gathered, counted = recount(work, row, day)
    if row.state == State.RUNNING:
        watch(work, row, gathered)
    board = counted.board
    kept = places_json([*board.people, *board.teams])
    return awards.save_board(work.conn, row.id, board.period, work.now, kept), board


def _look_after(work: Work, row: ChallengeRow, entrant: EntrantRow) -> None:
    """Who is not in the playbook any more, or deactivated, has no place; who comes back has it again."""
    member = work.roster.by_id.get(entrant.person_id)
    if member is None or not member.active:
        if entrant.left_at is None:
            entrants.save_entrant(work.conn, row.id, entrant.person_id, left_at=work.now)
            outbox.hold_back(work.conn, [start_key(row.id, entrant.person_id)], "left")
    elif entrant.left_at is not None:
        entrants.save_entrant(work.conn, row.id, entrant.person_id, left_at=None)


# ------------------------------------------------------------------ the end


def finish(work: Work, occasion: OccasionRow) -> bool:
    """The result is kept and told, once."""
    row = challenges.lock_challenge(work.conn, occasion.subject_id)
    if row is None or row.state != State.RUNNING or work.now < row.ends_at:
        return False
    _, board = look_again(work, row)
    done = challenges.change_state(
        work.conn, row.id, [State.RUNNING.value], State.FINISHED.value, finished_at=work.now
    )
    if done is None:
        return False
    write(work, row.id, "finished", None, kept=board.kept, chances=board.chances)
    for entrant in entrants.list_entrants(work.conn, row.id):
        redraw(work, start_key(row.id, entrant.person_id))
    return post_board_or_end(work, done, "challenge_end", end_key(row.id), board.period)


def cancel(work: Work, row: ChallengeRow, why: str, actor: Member | None) -> ChallengeRow | None:
    """From any state before the end; what was posted says so. None: it was over. `why`: by_hand, dropped (from the
    playbook), nobody (could take part), missed (Baton was down)."""
    sources = (State.DRAFT.value, State.SCHEDULED.value, State.RUNNING.value)
    done = challenges.change_state(
        work.conn,
        row.id,
        sources,
        State.CANCELLED.value,
        finished_at=work.now,
        result={**row.result, "why": why},
    )
    if done is None:
        return None
    write(work, row.id, "cancelled", actor, why=why)
    for entrant in entrants.list_entrants(work.conn, row.id):
        key = start_key(row.id, entrant.person_id)
        outbox.hold_back(work.conn, [key], "challenge cancelled")
        redraw(work, key)
    for board in awards.list_boards(work.conn, row.id):  # nobody can leave them any more
        redraw(work, board_key(row.id, board.period))
    work.wake = True
    return done


#: For `fire_occasions`.
HANDLERS = {BEGIN: begin, ASK: ask, BOARD: post_board, COUNT: count_again, END: finish}
