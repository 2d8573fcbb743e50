"""What people ask about challenges: `/leaderboard`, `/baton challenge list`, the form. Reads only.

What is not here: changing anything (`run_challenge`), what a reader may see of a board (`present_board`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

from bot.domain.access import Bond, Deed, may
from bot.domain.agreement import Role
from bot.domain.challenge import USUAL_POINTS, Kind, State
from bot.domain.refusal import Refusal
from bot.rendering import escape, times
from bot.rendering.challenge_forms import render_challenge_form
from bot.rendering.challenge_notes import render_challenge_list
from bot.rendering.leaderboard import render_next_up, render_own_board
from bot.rendering.rich import Message, View
from bot.rendering.views_challenge import (
    BoardAnswer,
    ChallengeForm,
    ChallengeList,
    ChallengeRow,
    ChannelChoice,
    NextUp,
)
from bot.rendering.wording_challenge import TOTALS_ONLY
from bot.services.answer_queries import say_refusal
from bot.services.answer_report import as_typed
from bot.services.count_points import standing_of
from bot.services.make_challenge import is_hidden, is_its_maker, may_touch
from bot.services.present_board import answer_view, contest_of, managed_teams, may_name_team
from bot.services.present_forms import no_member
from bot.services.present_parts import reader_of
from bot.services.refuse import manages
from bot.services.work import Member, Work
from storage import challenges, entrants
from storage.challenges import ChallengeRow as Stored

_OVER = (State.FINISHED, State.CANCELLED)
#: So long after the last day `/leaderboard` still shows a challenge.
_REMEMBERED = timedelta(days=14)
_NEWEST = 5
#: Four weeks from Monday to Friday: what the form proposes.
_LENGTH = timedelta(days=25)


def leaderboard_command(work: Work, actor: Member | None) -> Message:
    """`/leaderboard`: one's own place, a manager's teams, team totals for marketing and admins."""
    if actor is None or not actor.active:
        return say_refusal(work, actor, no_member(actor))
    running = challenges.list_challenges(work.conn, [State.RUNNING])
    answers = [found for row in running if (found := _answer(work, row, actor)) is not None]
    if not answers:
        over = (row for row in challenges.list_newest(work.conn, _NEWEST) if _is_recent(work, row))
        answers = [found for row in over if (found := _answer(work, row, actor)) is not None][:1]
    if answers:
        return render_own_board(answers)
    return render_next_up(_next_up(work, actor))


def challenge_list(work: Work, actor: Member | None) -> Message:
    """`/baton challenge list`: what somebody has to do with, newest first."""
    if actor is None or not actor.active:
        return say_refusal(work, actor, no_member(actor))
    seen = visible(work, actor)
    rows = [
        ChallengeRow(
            contest=contest_of(row),
            state=State(row.state),
            from_playbook=row.key.startswith(challenges.PLAYBOOK_KEY),
            may_start=not may_touch(work, actor, row, Deed.MAKE_CHALLENGE),
            may_cancel=not may_touch(work, actor, row, Deed.CANCEL_CHALLENGE),
        )
        for row in seen
    ]
    view = ChallengeList(reader_of(work, actor), tuple(rows), len(rows), may_make(work, actor))
    return render_challenge_list(view)


def visible(work: Work, actor: Member) -> list[Stored]:
    """The challenges that somebody may know of, newest first: a draft and a trial only their maker."""
    live = challenges.list_challenges(work.conn, challenges.LIVE)
    over = challenges.list_newest(work.conn, _NEWEST)
    found = sorted((*live, *over), key=lambda row: (row.begins_at, row.id), reverse=True)
    return [row for row in found if _may_know(work, actor, row)]


def challenge_form(work: Work, actor: Member | None, _what: str = "") -> View | Refusal:
    """The form, preset for the teams of whoever opens it."""
    if actor is None or not actor.active:
        return no_member(actor)
    teams = _teams_for(work, actor)
    if not teams:
        return Refusal("not_allowed", facts=(("who", "managers and marketing"),))
    mine = tuple(team for team in teams if _runs(work, actor, team)) or tuple(teams)
    monday = _free_monday(work, mine)
    channels = channels_for(work, actor)
    several = len(mine) > 1
    return render_challenge_form(
        ChallengeForm(
            teams=tuple(teams),
            chosen=mine,
            begins=monday,
            ends=monday + _LENGTH,
            points=dict(USUAL_POINTS),
            channels=tuple(channels),
            channel=next((one.id for one in channels if one.id), "") if several else "",
            kind=Kind.TEAMS if several else Kind.RACE,
            more=() if any(may_name_team(work, team) for team in mine) else (TOTALS_ONLY,),
        )
    )


def may_make(work: Work, actor: Member) -> bool:
    """Whether somebody may make a challenge for at least one team."""
    return bool(_teams_for(work, actor))


def find_by_name(work: Work, actor: Member, said: str) -> Stored | None:
    """The live challenge of this name, however it is written; of two the one that begins first."""
    wanted = _folded(as_typed(said).strip().strip("“”\"'"))
    fitting = [
        row
        for row in visible(work, actor)
        if row.state not in _OVER and _folded(row.name) == wanted
    ]
    return fitting[-1] if fitting else None  # newest first


def _folded(name: str) -> str:
    """As a name is read in a list: whoever copies it from there finds it."""
    return escape.unbracket(escape.clean(name)).casefold()


# ------------------------------------------------------------------ pieces


def _answer(work: Work, row: Stored, actor: Member) -> BoardAnswer | None:
    """What somebody sees of one challenge; None when it is not their business."""
    if not _concerns(work, row, actor):
        return None
    found = answer_view(work, row, *standing_of(work, row.id), actor)
    if row.state == State.FINISHED:
        over = replace(found.own, days_left=-1) if found.own is not None else None
        return replace(found, own=over, days_left=-1)
    return found


def _concerns(work: Work, row: Stored, actor: Member) -> bool:
    if row.trial:
        return is_its_maker(work, actor, row)
    if entrants.read_entrant(work.conn, row.id, actor.id) is not None:
        return True
    return bool(managed_teams(work, row, actor)) or bool(actor.roles & {Role.MARKETING, Role.ADMIN})


def _may_know(work: Work, actor: Member, row: Stored) -> bool:
    if is_hidden(row):
        return is_its_maker(work, actor, row)
    return _concerns(work, row, actor) or _is_in(work, actor, row.agreed.teams)


def _is_in(work: Work, actor: Member, teams: Sequence[str]) -> bool:
    team = work.agreement.team_of(actor.email)
    return team is not None and team.name in teams


def _is_recent(work: Work, row: Stored) -> bool:
    return row.finished_at is not None and work.now - row.finished_at < _REMEMBERED


def _next_up(work: Work, actor: Member) -> NextUp:
    seen = visible(work, actor)
    ahead = [row for row in seen if row.state == State.SCHEDULED]
    over = [row for row in seen if row.state == State.FINISHED]
    return NextUp(
        reader=reader_of(work, actor),
        upcoming=contest_of(ahead[-1]) if ahead else None,
        last=contest_of(over[0]) if over else None,
        may_make=may_make(work, actor),
    )


def _teams_for(work: Work, actor: Member) -> list[str]:
    """The teams that somebody may make a challenge for."""
    return [
        name
        for name in work.agreement.teams
        if may(actor.roles, _bonds(work, actor, name), Deed.MAKE_CHALLENGE)
    ]


def _bonds(work: Work, actor: Member, team: str) -> frozenset[Bond]:
    managed = {Bond.MANAGER_OF_HOLDER} if manages(work, actor, team) else set()
    return frozenset({Bond.NONE, *managed})


def _runs(work: Work, actor: Member, team: str) -> bool:
    return Role.MANAGER in actor.roles and manages(work, actor, team)


def _free_monday(work: Work, teams: Sequence[str]) -> date:
    """The next Monday on which no other challenge of these teams is under way or planned for later."""
    last = times.today(work.now, work.agreement.timezone)
    for row in challenges.list_challenges(work.conn, (State.SCHEDULED, State.RUNNING)):
        if set(row.agreed.teams) & set(teams) and not row.trial:
            last = max(last, row.agreed.ends)
    return last + timedelta(days=7 - last.weekday())


def channels_for(work: Work, actor: Member) -> list[ChannelChoice]:
    """The channels that the playbook names: Baton is in them, and the doctor looks that it stays so. No other one can
    be chosen."""
    found = [ChannelChoice("", "The team's own channel")]
    named = [
        (work.agreement.reports.channel, "The reports' channel, of both teams"),
        *(
            (work.agreement.teams[name].channel, f"Channel of {name}")
            for name in _teams_for(work, actor)
        ),
        (work.agreement.marketing.channel, "Marketing's channel"),
    ]
    for id_, label in named:
        if id_ and all(id_ != one.id for one in found):
            found.append(ChannelChoice(id_, label))
    return found
