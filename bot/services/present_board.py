"""From a board to what one reader may see of it: the channel, a participant, a manager, the end.

The one place where names are kept off a board. Reads only. What is not here: counting (`run_challenge`), which
messages there are (`present_challenge`, `ask_challenge`), wording.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from bot.domain.agreement import Role
from bot.domain.board_name import named
from bot.domain.challenge import Board, Kind, Place, Rule, State
from bot.domain.people_figures import FEWEST, PeopleFigures, may_board_name
from bot.rendering.views import Reader
from bot.rendering.views_challenge import (
    BoardAnswer,
    BoardLine,
    BoardView,
    Contest,
    EndView,
    OwnPlace,
    Records,
    RuleShare,
    TeamPeople,
)
from bot.rendering.wording_challenge import BEST_DAY, home_sentence
from bot.services.count_points import Shares
from bot.services.present_parts import local_day
from bot.services.refuse import manages
from bot.services.see_figures import agreed_to_show, asks_for_people, count_reps
from bot.services.work import Member, Work
from storage import challenges, entrants
from storage.challenges import ChallengeRow
from storage.entrants import EntrantRow

#: Rules that are answers to a lead.
_ANSWERS = (Rule.ACCEPT, Rule.FIRST_TOUCH)


def contest_of(row: ChallengeRow) -> Contest:
    """What a challenge is, for whoever reads about it."""
    terms = row.agreed
    return Contest(
        id=row.id,
        name=row.name,
        kind=terms.kind,
        counting=terms.counting,
        begins=terms.begins,
        ends=terms.ends,
        teams=terms.teams,
        prizes=terms.prizes,
        trial=row.trial,
    )


def reader_in(work: Work, row: ChallengeRow) -> Reader:
    """A channel reads in the zone that the challenge's days are meant in."""
    return Reader(row.agreed.zone, work.now)


def may_name_team(work: Work, team_name: str) -> bool:
    """Whether somebody of this team can be on a board at all."""
    team = work.agreement.teams.get(team_name)
    return team is not None and may_board_name(
        team.people_figures, count_reps(work, team), "joined"
    )


def names_unless_private(work: Work, team_name: str) -> bool:
    """Whether this team agreed that boards name everybody who does not say no."""
    team = work.agreement.teams.get(team_name)
    return team is not None and team.people_figures is PeopleFigures.NAMED


def board_view(work: Work, row: ChallengeRow, board: Board, shares: Shares) -> BoardView:
    """The post in the channel."""
    kept, chances, answered = _together(board, shares)
    shown = _named(work, board, _choices(work, row))
    return BoardView(
        contest=contest_of(row),
        reader=reader_in(work, row),
        teams=_teams(board),
        people=tuple(_line(work, place) for place in shown),
        kept=kept,
        chances=chances,
        days_left=board.days_left,
        answered=answered,
        rules=_of_all(board, shares),
        private=len(_placed(board)) - len(shown),
        best=_best(board),
    )


def end_view(work: Work, row: ChallengeRow, board: Board, shares: Shares) -> EndView:
    """The last post: of the first places, those who may be named."""
    kept, chances, answered = _together(board, shares)
    shown = _named(work, board, _choices(work, row))
    teams = _teams(board)
    if board.terms.kind is Kind.TEAMS:
        winners = [line for line in teams if line.rank == 1]
        unnamed = 0
    else:
        first = [place for place in _placed(board) if place.rank == 1 and place.score > 0]
        winners = [_line(work, place) for place in shown if place.rank == 1]
        unnamed = len(first) - len(winners)
    return EndView(
        contest=contest_of(row),
        reader=reader_in(work, row),
        winners=tuple(winners),
        unnamed=unnamed,
        teams=teams,
        people=tuple(_line(work, place) for place in shown),
        kept=kept,
        chances=chances,
        answered=answered,
        rules=_of_all(board, shares),
        records=_records(work, board, shown),
    )


def answer_view(
    work: Work, row: ChallengeRow, board: Board, shares: Shares, actor: Member
) -> BoardAnswer:
    """What one person sees of a challenge: their own place, the teams, and of teams they manage what is allowed."""
    reader = Reader(actor.zone, work.now)
    return BoardAnswer(
        contest=contest_of(row),
        reader=reader,
        teams=_teams(board),
        days_left=board.days_left,
        own=own_place(work, row, board, shares, actor),
        managed=tuple(
            _managed(work, board, name)
            for name in managed_teams(work, row, actor)
            if asks_for_people(actor, work.agreement.teams[name])
        ),
    )


def managed_teams(work: Work, row: ChallengeRow, actor: Member) -> list[str]:
    """The teams of a challenge that somebody answers for; leavers and deactivated people for none."""
    if not actor.active or Role.MANAGER not in actor.roles:
        return []
    agreed = (name for name in row.agreed.teams if name in work.agreement.teams)
    return [name for name in agreed if manages(work, actor, name)]


def own_place(
    work: Work, row: ChallengeRow, board: Board, shares: Shares, actor: Member
) -> OwnPlace | None:
    """Where a participant stands; None for everybody else."""
    entrant = entrants.read_entrant(work.conn, row.id, actor.id)
    if entrant is None:
        return None
    mine = next((place for place in board.people if place.person_id == actor.id), None)
    if mine is None:
        mine = Place(None, actor.id, entrant.team, 0, 0, 0, 0, 0)
    placed = _placed(board)
    shown = _named(work, board, _choices(work, row))
    return OwnPlace(
        contest=contest_of(row),
        reader=Reader(actor.zone, work.now),
        rank=mine.rank,
        of=len(placed),
        score=mine.score,
        points=mine.points,
        most=mine.most,
        kept=mine.kept,
        chances=mine.chances,
        missing=max(0, board.terms.minimum - mine.chances),
        shares=_own_shares(board, shares.get(actor.id, {})),
        streak=mine.streak,
        up=mine.up,
        to_next=_to_next(placed, mine),
        days_left=board.days_left,
        choice=entrant.choice,
        named=any(place.person_id == actor.id for place in shown),
        may_be_named=may_name_team(work, entrant.team),
        named_unless=names_unless_private(work, entrant.team),
        left=entrant.left_at is not None,
    )


def home_line(work: Work, actor: Member) -> str:
    """One line for Home: the running challenge that somebody takes part in, as it was counted last; "" for none.

    Home is drawn too often to count anew."""
    for row in challenges.list_challenges(work.conn, [State.RUNNING]):
        entrant = entrants.read_entrant(work.conn, row.id, actor.id)
        if row.trial or entrant is None or entrant.left_at is not None:
            continue
        placed = [each for each in row.result.get("people", ()) if each.get("rank") is not None]
        mine = next((each["rank"] for each in placed if each.get("person") == actor.id), None)
        left = (row.agreed.ends - local_day(work.now, row.agreed.zone)).days
        return home_sentence(contest_of(row), mine, len(placed), max(0, left))
    return ""


# ------------------------------------------------------------------ who is named


def _choices(work: Work, row: ChallengeRow) -> Mapping[int, EntrantRow]:
    return {entrant.person_id: entrant for entrant in entrants.list_entrants(work.conn, row.id)}


def _named(work: Work, board: Board, entered: Mapping[int, EntrantRow]) -> list[Place]:
    """The upper half, of whom each and their team allow it, and the one that they have moved to; nobody who left."""
    sizes = {team.name: count_reps(work, team) for team in work.agreement.teams.values()}

    def may_name(place: Place) -> bool:
        entrant = entered.get(place.person_id or 0)
        team = work.agreement.teams.get(place.team)
        if entrant is None or team is None or entrant.left_at is not None:
            return False
        now_in = work.agreement.teams.get(_team_now(work, place), team)
        return all(
            may_board_name(each.people_figures, sizes[each.name], entrant.choice)
            for each in (team, now_in)
        )

    return named(board.people, may_name)


def _managed(work: Work, board: Board, team_name: str) -> TeamPeople:
    if not agreed_to_show(work, work.agreement.teams[team_name]):
        return TeamPeople(team_name, None)
    # Whoever has moved is another manager's now.
    theirs = [
        place
        for place in board.people
        if place.team == team_name and _team_now(work, place) in (team_name, "")
    ]
    placed = [place for place in _by_rank(theirs) if place.rank is not None]
    return TeamPeople(
        team_name, tuple(_line(work, place) for place in placed), len(theirs) - len(placed)
    )


def _team_now(work: Work, place: Place) -> str:
    """The team that somebody is in today, "" for none: places stand in the one in which they began."""
    member = work.roster.by_id.get(place.person_id or 0)
    return member.person.team if member is not None and member.person is not None else ""


# ------------------------------------------------------------------ pieces


def _together(board: Board, shares: Shares) -> tuple[int, int, bool]:
    """(kept, of, whether these are answers only): what everybody can do, and what the customer notices."""
    kept = chances = 0
    for mine in shares.values():
        for rule in _ANSWERS:
            done, judged = mine.get(rule, (0, 0))
            kept, chances = kept + done, chances + judged
    return (kept, chances, True) if chances else (board.kept, board.chances, False)


def _of_all(board: Board, shares: Shares) -> tuple[RuleShare, ...]:
    """What all kept of each rule."""
    together: dict[Rule, tuple[int, int]] = {}
    for mine in shares.values():
        for rule, (kept, judged) in mine.items():
            before = together.get(rule, (0, 0))
            together[rule] = (before[0] + kept, before[1] + judged)
    return _own_shares(board, together)


def _own_shares(board: Board, mine: Mapping[Rule, tuple[int, int]]) -> tuple[RuleShare, ...]:
    return tuple(
        RuleShare(rule, *mine.get(rule, (0, 0)), points)
        for rule, points in board.terms.points.items()
        if points
    )


def _placed(board: Board) -> list[Place]:
    return [place for place in _by_rank(board.people) if place.rank is not None]


def _by_rank(places: Iterable[Place]) -> list[Place]:
    return sorted(places, key=lambda place: (place.rank is None, place.rank or 0))


def _teams(board: Board) -> tuple[BoardLine, ...]:
    """Teams with a place. One that lost against its own past is not shown: no minus in public."""
    return tuple(
        BoardLine(place.rank, place.team, place.score, place.kept, place.chances, place.up)
        for place in _by_rank(board.teams)
        if place.rank is not None and place.chances and place.score >= 0
    )


def _line(work: Work, place: Place) -> BoardLine:
    return BoardLine(
        rank=place.rank or 0,
        name=work.roster.name_of(place.person_id),
        score=place.score,
        kept=place.kept,
        chances=place.chances,
        up=place.up,
    )


def _to_next(placed: Sequence[Place], mine: Place) -> int | None:
    """What is missing to the place before. Of few the distance would say what a colleague has."""
    if mine.rank is None or mine.rank == 1 or len(placed) < FEWEST:
        return None
    above = [place.score for place in placed if place.rank is not None and place.rank < mine.rank]
    return max(min(above) - mine.score, 0) if above else None


def _best(board: Board) -> str:
    """What is worth a word beside the figure: today is the best day since the start."""
    day = board.records.get("day")
    begun = board.terms.begins.isoformat()
    if isinstance(day, Mapping) and begun < board.period == day.get("day"):
        return BEST_DAY
    return ""


def _records(work: Work, board: Board, shown: Sequence[Place]) -> Records:
    """What there is to be proud of; with the names of those whom the board names anyway."""
    found = board.records
    day, streak = found.get("day"), found.get("streak")
    named_ids = {place.person_id for place in shown}
    holders = list(streak["persons"]) if isinstance(streak, Mapping) else []
    names = [work.roster.name_of(person) for person in holders if person in named_ids]
    return Records(
        leads=int(found.get("leads") or 0),
        touched=int(found.get("touched") or 0),
        qualified=int(found.get("qualified") or 0),
        best_day=date.fromisoformat(day["day"]) if isinstance(day, Mapping) else None,
        best_kept=int(day["kept"]) if isinstance(day, Mapping) else 0,
        best_chances=int(day["chances"]) if isinstance(day, Mapping) else 0,
        streak=int(streak["days"]) if isinstance(streak, Mapping) else 0,
        streak_names=tuple(names),
        streak_others=len(holders) - len(names),
    )
