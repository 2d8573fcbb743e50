"""Who sees what of a board: the channel, each rep, managers, marketing; small teams, leavers, hidden trial runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from bot.domain.agreement import Person, Role
from bot.domain.challenge import Board, Kind, Place, Rule
from bot.domain.people_figures import PeopleFigures
from bot.domain.refusal import Refusal
from bot.rendering.views_challenge import BoardAnswer, BoardView, EndView
from bot.services import ask_challenge, propose_challenge
from bot.services.present_board import answer_view, board_view, end_view, home_line
from bot.services.propose_challenge import Filled, Told
from bot.services.work import Work
from storage import challenges, entrants, people
from storage.challenges import ChallengeRow
from tests.services.challenge_kit import TERMS, Arena

SHARES = {1: {Rule.ACCEPT: (9, 10), Rule.FIRST_TOUCH: (4, 5)}}


@pytest.fixture
def arena(database_url: str) -> Iterator[Arena]:
    made = Arena(database_url)
    yield made
    made.database.dispose()


def grow(arena: Arena, reps: int, figures: PeopleFigures = PeopleFigures.TEAM) -> None:
    """Team emea gets so many reps: rep1, rep2 …; rep1 has the best score."""
    emails = [f"rep{n}@acme.example" for n in range(1, reps + 1)]
    known = {
        email: Person(email, f"Rep {n}", frozenset({Role.REP}), team="emea")
        for n, email in enumerate(emails, 1)
    }
    others = {
        email: replace(person, team="") if person.team == "emea" else person
        for email, person in arena.agreement.people.items()
    }
    team = replace(arena.agreement.teams["emea"], members=tuple(emails), people_figures=figures)
    arena.agreement = replace(
        arena.agreement,
        people={**others, **known},
        teams={**arena.agreement.teams, "emea": team},
    )
    with arena.database.write() as conn:
        for email in emails:
            people.ensure_person(conn, email, email)
        for row in people.list_people(conn):
            people.save_person(conn, row.id, slack_user_id=f"U{row.id}", slack_channel_id="D1")


def running(arena: Arena) -> int:
    """A challenge of emea that began today."""
    return arena.make(teams=("emea",), channel="C0EMEA01", begins=date(2026, 11, 23))


def says(arena: Arena, challenge_id: int, choice: str, *reps: int) -> None:
    with arena.work() as work:
        for n in reps:
            member = work.roster.by_email[f"rep{n}@acme.example"]
            entrants.choose(work.conn, challenge_id, member.id, choice, work.now)


def board_of(work: Work, row: ChallengeRow, kind: Kind = Kind.RACE) -> Board:
    """rep1 is first, and so on, all with a place."""
    reps = sorted(
        (m for m in work.roster.by_id.values() if m.email.startswith("rep")),
        key=lambda m: int(m.email[3:].partition("@")[0]),
    )
    places = [
        Place(n, m.id, "emea", 100 - n, 100, 10, 9, 100 - n, up=n) for n, m in enumerate(reps, 1)
    ]
    team = Place(1, None, "emea", 500, 800, 80, 72, 62)
    terms = replace(row.agreed, kind=kind)
    return Board(row.id, terms, "2026-11-24", 3, tuple(places), (team,), 72, 80)


def _row(work: Work, challenge_id: int) -> ChallengeRow:
    row = challenges.read_challenge(work.conn, challenge_id)
    assert row is not None
    return row


def posted(arena: Arena, challenge_id: int) -> BoardView:
    with arena.work() as work:
        row = _row(work, challenge_id)
        return board_view(work, row, board_of(work, row), SHARES)


def ended(arena: Arena, challenge_id: int, kind: Kind = Kind.RACE) -> EndView:
    with arena.work() as work:
        row = _row(work, challenge_id)
        return end_view(work, row, board_of(work, row, kind), {})


def asked(arena: Arena, challenge_id: int, who: str) -> BoardAnswer:
    with arena.work() as work:
        row = _row(work, challenge_id)
        return answer_view(work, row, board_of(work, row), SHARES, arena.member(work, who))


def names(view: BoardView | EndView) -> list[str]:
    return [line.name for line in view.people]


def test_the_board_names_the_upper_half_of_those_who_joined(arena: Arena) -> None:
    grow(arena, 8)
    made = running(arena)
    assert names(posted(arena, made)) == [], "nobody was asked yet"
    says(arena, made, "joined", 2, 3, 7, 8)
    says(arena, made, "private", 1)
    view = posted(arena, made)
    assert names(view) == ["Rep 2", "Rep 3"], "7 and 8 joined, and stand in the lower half"
    assert view.private == 6
    assert (view.kept, view.chances, view.answered) == (13, 15, True), (
        "answers, not all that counts"
    )


@pytest.mark.parametrize(
    ("reps", "figures", "said", "named"),
    [
        (5, PeopleFigures.TEAM, "joined", []),
        (8, PeopleFigures.SELF, "joined", []),
        (6, PeopleFigures.TEAM, "joined", ["Rep 1"]),
        (4, PeopleFigures.NAMED, "joined", ["Rep 1", "Rep 2"]),
        (4, PeopleFigures.NAMED, "private", ["Rep 2"]),
    ],
)
def test_the_agreement_and_the_size_of_the_team_decide(
    arena: Arena, reps: int, figures: PeopleFigures, said: str, named: list[str]
) -> None:
    grow(arena, reps, figures)
    made = running(arena)
    says(arena, made, said, 1)
    assert names(posted(arena, made)) == named


def test_who_left_is_not_named(arena: Arena) -> None:
    grow(arena, 8)
    made = running(arena)
    says(arena, made, "joined", 1, 2)
    with arena.work() as work:
        gone = arena.member(work, "rep1").id
        entrants.save_entrant(work.conn, made, gone, left_at=work.now)
    assert names(posted(arena, made)) == ["Rep 2"]
    assert asked(arena, made, "rep1").own is not None


def test_a_winner_who_stays_private_is_counted_only(arena: Arena) -> None:
    grow(arena, 8)
    made = running(arena)
    says(arena, made, "joined", 2)
    view = ended(arena, made)
    assert (view.winners, view.unnamed) == ((), 1)
    says(arena, made, "joined", 1)
    assert [line.name for line in ended(arena, made).winners] == ["Rep 1"]
    teams = ended(arena, made, Kind.TEAMS)
    assert [line.name for line in teams.winners] == ["emea"]


def test_each_rep_sees_their_own_place_and_nobody_elses(arena: Arena) -> None:
    grow(arena, 8)
    made = running(arena)
    own = asked(arena, made, "rep5").own
    assert own is not None
    assert (own.rank, own.of, own.score, own.to_next) == (5, 8, 95, 1)
    assert asked(arena, made, "rep5").managed == ()
    assert asked(arena, made, "eve").own is None


def test_of_few_nobody_hears_how_far_the_next_one_is(arena: Arena) -> None:
    grow(arena, 4)
    own = asked(arena, running(arena), "rep3").own
    assert own is not None
    assert own.rank == 3
    assert own.to_next is None


@pytest.mark.parametrize(
    ("reps", "figures", "seen"),
    [
        (8, PeopleFigures.TEAM, 8),
        (5, PeopleFigures.TEAM, None),
        (8, PeopleFigures.SELF, None),
        (3, PeopleFigures.NAMED, 3),
    ],
)
def test_a_manager_sees_what_the_agreement_allows(
    arena: Arena, reps: int, figures: PeopleFigures, seen: int | None
) -> None:
    grow(arena, reps, figures)
    made = running(arena)
    for who in ("dana", "vera"):
        (team,) = asked(arena, made, who).managed
        assert (len(team.people) if team.people is not None else None) == seen
    for who in ("will", "olga", "rep1"):
        assert asked(arena, made, who).managed == (), who


def _leaderboard(arena: Arena, who: str) -> str:
    return str(arena.do(lambda w, m: ask_challenge.leaderboard_command(w, m), who)["text"])


def test_a_trial_run_is_its_makers_alone(arena: Arena) -> None:
    grow(arena, 8)
    arena.make("dana", teams=("emea",), channel="", trial=True)
    assert "Trial run" in _leaderboard(arena, "dana")
    for who in ("rep1", "vera", "olga", "ada"):
        assert "No challenge runs for you" in _leaderboard(arena, who), who
    with arena.work() as work:
        assert home_line(work, arena.member(work, "rep1")) == ""


def test_a_draft_is_listed_to_its_maker_alone(arena: Arena) -> None:
    arena.make("dana", draft=True, teams=("emea",), channel="C0EMEA01")
    told = {
        who: arena.do(lambda w, m: ask_challenge.challenge_list(w, m), who)["text"]
        for who in ("dana", "vera", "ann")
    }
    assert "draft" in told["dana"]
    assert "There is no challenge yet." in told["vera"]
    assert "There is no challenge yet." in told["ann"]


# ------------------------------------------------------------------ the form

FILLED = Filled(
    name="  Winter \n challenge ", begins=date(2026, 12, 1), ends=date(2026, 12, 18),
    teams=("emea",), kind="race", counting="rate",
    points={Rule.ACCEPT: "1", Rule.FIRST_TOUCH: "2", Rule.FOLLOW_UP: "", Rule.QUALIFIED: "0"},
    minimum="", prizes="Dinner\n\n  A day off ", channel="", post_at="09:30",
    post_days=("4", "0"),
)  # fmt: skip


def propose(arena: Arena, who: str, **changes: Any) -> Told:
    return arena.do(propose_challenge.propose, who, replace(FILLED, **changes))


def test_what_was_filled_in_is_what_is_agreed(arena: Arena) -> None:
    told = propose(arena, "dana")
    assert not isinstance(told, Refusal), told
    assert told.said == "scheduled"
    with arena.work() as work:
        (row,) = challenges.list_challenges(work.conn, ["scheduled"])
    terms = row.agreed
    assert terms.name == "Winter challenge"
    assert terms.points == {Rule.ACCEPT: 1, Rule.FIRST_TOUCH: 2}
    assert (terms.minimum, terms.post_at, terms.post_days) == (1, 570, (0, 4))
    assert terms.prizes == ("Dinner", "A day off")
    assert (terms.zone, terms.channel, terms.hand_raiser) == ("Europe/Berlin", "", 1)


BAD: tuple[tuple[dict[str, Any], str], ...] = (
    ({"minimum": "many"}, "minimum"),
    ({"minimum": "²"}, "minimum"),
    ({"points": {Rule.ACCEPT: "-1"}}, "points_accept"),
    ({"points": {Rule.ACCEPT: ""}}, "points"),
    ({"begins": None}, "begins"),
    ({"ends": date(2026, 11, 1)}, "ends"),
    ({"name": ""}, "name"),
    ({"prizes": "x" * 5000}, "prizes"),
    ({"teams": ()}, "teams"),
    ({"kind": "teams"}, "teams"),
)


def test_what_cannot_be_is_said_with_its_field(arena: Arena) -> None:
    for changes, field in BAD:
        told = propose(arena, "olga", **changes)
        assert isinstance(told, Refusal), changes
        assert field in {fault.field for fault in propose_challenge.faults_in(told)}, changes
    with arena.work() as work:
        assert challenges.list_challenges(work.conn, challenges.LIVE) == []


def test_who_may_not_gets_neither_form_nor_challenge(arena: Arena) -> None:
    for who in ("ann", "sam"):
        form = arena.do(ask_challenge.challenge_form, who)
        assert isinstance(form, Refusal), who
        told = propose(arena, who)
        assert isinstance(told, Refusal), who
        assert propose_challenge.faults_in(told) == []
    for who in ("dana", "olga", "ada", "vera"):
        assert not isinstance(arena.do(ask_challenge.challenge_form, who), Refusal), who


def test_the_form_proposes_a_month_in_which_nothing_else_is(arena: Arena) -> None:
    arena.make("dana", teams=("emea",), channel="C0EMEA01", ends=TERMS.ends + timedelta(days=7))
    form = arena.do(ask_challenge.challenge_form, "dana")
    assert not isinstance(form, Refusal)
    first = next(block for block in form["blocks"] if block.get("block_id") == "begins")
    assert first["element"]["initial_date"] == "2026-12-07"


def test_a_challenge_is_cancelled_by_its_name_however_it_is_written(arena: Arena) -> None:
    arena.make("dana", teams=("emea",), channel="C0EMEA01", draft=True, name="Spring  challenge")
    for name, who in (("Summer", "dana"), ("spring challenge", "will")):
        told = arena.do(propose_challenge.cancel_named, who, name)
        assert isinstance(told, Refusal)
        assert told.code == "no_challenge"
    told = arena.do(propose_challenge.cancel_named, "dana", "“SPRING challenge”")
    assert not isinstance(told, Refusal)
    assert told.said == "cancelled"
