"""What is said of challenges: the sentences, the same numbers twice, and who is not in it. Hostile text: the matrix of
`test_rendering_hostile`, which draws everything of `rendering_challenges`."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from bot.domain.board_name import named, upper_half
from bot.domain.challenge import Counting, Kind, Place, State
from bot.rendering import challenge_forms, challenge_notes, leaderboard, wording_challenge
from bot.rendering.views_challenge import BoardLine, ChallengeList, NextUp, Records, TeamPeople
from handlers.clicks import DEEDS, FORMS
from tests.unit.rendering_challenges import (
    ANSWER,
    BOARD,
    END,
    FAULTS,
    FLAG,
    FORM,
    OWN,
    PEOPLE,
    READER,
    SHARES,
    SPRING,
    START,
    TEAMS,
    challenges,
    many,
)
from tests.unit.rendering_limits import Shown, buttons, faults, shown, texts, walk


def _charts(message: dict[str, Any]) -> list[dict[str, Any]]:
    return [block for block in message["blocks"] if block["type"] == "data_visualization"]


def test_the_board_says_what_the_team_achieved_first() -> None:
    message = leaderboard.render_leaderboard(BOARD)
    first = message["text"].split("\n")[0]
    assert first == "EMEA answered 94 % in time so far (200 of 212)."
    assert "9 days left" in message["text"]
    assert "On the board: 1 Ann Lee 97 · 3 Cleo Roth 92" in message["text"]
    assert "up most: Ann Lee +4, Cleo Roth +3" in message["text"]
    assert "/leaderboard shows yours" in message["text"]
    assert "4 others have a place that only they see" in message["text"]


def test_the_charts_show_the_numbers_of_the_text() -> None:
    contest = replace(SPRING, teams=("EMEA", "Americas"))
    message = leaderboard.render_leaderboard(replace(BOARD, contest=contest, teams=TEAMS))
    charts = _charts(message)
    assert len(charts) == 2
    bars = {
        point["label"]: point["value"]
        for chart in charts
        for point in chart["chart"]["series"][0]["data"]
    }
    assert bars == {"Ann Lee": 97, "Cleo Roth": 92, "EMEA": 94, "Americas": 88}
    for label, value in bars.items():
        assert f"{label} {value}" in message["text"]
        assert f"{label} {value}" in shown(message)


def test_one_team_is_parted_by_what_it_promised() -> None:
    message = leaderboard.render_leaderboard(replace(BOARD, rules=SHARES))
    people, kept = _charts(message)
    assert "on the board" in people["title"]
    bars = {point["label"]: point["value"] for point in kept["chart"]["series"][0]["data"]}
    assert bars == {"Accepted": 83, "First contact": 80}, "nobody promised that a lead qualifies"
    assert (
        "Kept: accepted in time 83 % (10 of 12), first contact in time 80 % (8 of 10)"
        in message["text"]
    )


def test_a_number_stays_with_a_name_that_is_written_from_the_right() -> None:
    people = (BoardLine(1, "أحمد", 97, up=4), BoardLine(2, "Cleo Roth", 92, up=2))
    said = leaderboard.render_leaderboard(replace(BOARD, people=people))["text"]
    assert "1 أحمد with 97 · 2 Cleo Roth 92" in said
    assert "up most: أحمد by 4, Cleo Roth +2" in said


def test_where_teams_compete_they_stand_first() -> None:
    view = replace(BOARD, contest=replace(SPRING, kind=Kind.TEAMS), teams=TEAMS)
    first, second = _charts(leaderboard.render_leaderboard(view))
    assert "teams" in first["title"]
    assert "on the board" in second["title"]


def test_a_board_without_people_or_leads_is_a_board() -> None:
    small = leaderboard.render_leaderboard(replace(BOARD, people=(), private=3))
    assert "On the board" not in small["text"]
    assert "others" not in small["text"], "of few, how many are private says who"
    empty = leaderboard.render_leaderboard(
        replace(BOARD, teams=(), people=(), kept=0, chances=0, days_left=0)
    )
    assert "the first leads of Spring challenge are on their way" in empty["text"]
    assert "last day" in empty["text"]
    assert _charts(empty) == []


@pytest.mark.parametrize(
    "name",
    [
        "أحمد بن محمد العلي",
        "山田太郎さんの長い名前",
        "<!channel>",
        "A" * 80,
        "Åsa Ødegård-Sørensen",
    ],
)
def test_200_reps_with_any_name_stay_within_the_limits(name: str) -> None:
    for drawn in challenges(name, 200):
        assert faults(drawn) == [], drawn.name
    lines = many(name, 200)
    view = replace(BOARD, teams=lines[:40], people=lines, private=12)
    message = leaderboard.render_leaderboard(view)
    assert faults(Shown("board", "channel", message)) == []
    assert len(_charts(message)) == 2
    for chart in _charts(message):
        labels = chart["chart"]["axis_config"]["categories"]
        assert len(labels) == len(set(labels)) <= 20
        assert max(map(len, labels)) <= 20
    assert "and 190 more" in message["text"]
    assert not set(message["text"]) & {"<", ">"}


def test_nobody_below_nothing_stands_in_public() -> None:
    contest = replace(SPRING, kind=Kind.IMPROVED)
    up = (BoardLine(1, "Ann Lee", 12, 31, 32),)
    message = leaderboard.render_leaderboard(replace(BOARD, contest=contest, people=up))
    assert "1 Ann Lee +12" in message["text"]
    assert "Gained on the time before" in message["text"]
    own = replace(OWN, contest=contest, score=-8, to_next=None)
    said = leaderboard.render_own_board([replace(ANSWER, contest=contest, own=own)])["text"]
    assert "-8" not in said


def test_the_end_names_winners_prizes_and_what_all_did() -> None:
    said = leaderboard.render_challenge_end(END)["text"]
    assert said.startswith("Spring challenge is over: EMEA answered 94 % in time (200 of 212).")
    for words in (
        "Won by Ann Lee with 97 points of 100.",
        "Prize: Dinner for the team",
        "Together: 120 leads answered, 80 contacted in time and 12 qualified.",
        "Best day: 12 March, 18 of 18 kept.",
        "9 working days, by Ann Lee and 2 colleagues.",
    ):
        assert words in said, words


@pytest.mark.parametrize(
    ("winners", "unnamed", "said"),
    [
        (PEOPLE[:1], 2, "Won by Ann Lee and 2 colleagues with 97 points of 100."),
        ((), 1, "The winner stays private, and knows."),
        ((), 2, "The winners stay private, and know."),
        ((), 0, "Nobody has a place: there were too few leads."),
    ],
)
def test_a_winner_may_stay_private(winners: tuple[BoardLine, ...], unnamed: int, said: str) -> None:
    view = replace(END, winners=winners, unnamed=unnamed, people=())
    assert said in leaderboard.render_challenge_end(view)["text"]


def test_a_challenge_without_leads_ends_without_winners() -> None:
    view = replace(END, winners=(), people=(), teams=(), kept=0, chances=0, records=Records())
    said = leaderboard.render_challenge_end(view)["text"]
    assert "No lead came in its time, so nobody won." in said
    assert "too few" not in said


def test_ones_own_place_says_what_it_is_made_of_and_how_to_get_further() -> None:
    message = leaderboard.render_own_board([ANSWER])
    for words in (
        "Spring challenge: you are 4th of 23 with 88 points of 100 (44 of 50).",
        "Made of: accepted in time 10 of 12, first contact in time 8 of 10, 2 qualified",
        "3rd is 3 points of 100 away; most to win: first contact in time, 2 points each.",
        "6 working days in a row with every chance kept · up 2 since the last board · 9 days left",
        "The board does not show your name.",
        "Only you see this.",
    ):
        assert words in message["text"], words
    assert buttons(message) == ["Join the board"]


@pytest.mark.parametrize(
    ("own", "said", "clicks"),
    [
        (replace(OWN, choice="joined", named=True), "The board shows your name.", ["Stay private"]),
        (replace(OWN, choice="joined"), "as soon as you are in its upper half", ["Stay private"]),
        (replace(OWN, may_be_named=False), "totals of your team only", []),
        (replace(OWN, rank=None, missing=2, chances=3), "2 more chances to a place", ["Join the board"]),
        (replace(OWN, rank=None, chances=0), "It comes with your first leads", ["Join the board"]),
        (replace(OWN, left=True), "you do not take part any more", []),
        (replace(OWN, days_left=-1), "over", []),
        (replace(OWN, days_left=-1, choice="joined"), "over", ["Stay private"]),
        (replace(OWN, contest=replace(SPRING, counting=Counting.VOLUME)), "with 44 points", ["Join the board"]),
    ],
)  # fmt: skip
def test_what_a_participant_can_do_next(own: Any, said: str, clicks: list[str]) -> None:
    message = leaderboard.render_own_board([replace(ANSWER, own=own)])
    assert said in message["text"]
    assert buttons(message) == clicks


def test_a_manager_sees_their_team_or_its_total() -> None:
    view = replace(
        ANSWER, own=None, managed=(TeamPeople("EMEA", PEOPLE, 2), TeamPeople("Tiny", None))
    )
    said = leaderboard.render_own_board([view])["text"]
    assert "1 Ann Lee 97 · 3 Cleo Roth 92" in said
    assert "2 reps without a place yet" in said
    assert "Tiny: the team's total only" in said


def test_when_nothing_runs_the_next_one_is_named() -> None:
    ahead = replace(SPRING, begins=date(2026, 4, 1), ends=date(2026, 5, 2))
    message = leaderboard.render_next_up(NextUp(READER, ahead, None, may_make=True))
    assert "Next: Spring challenge, 1 April – 2 May." in message["text"]
    assert buttons(message) == ["New challenge…"]


def test_the_question_at_the_start_and_its_answers() -> None:
    asked = challenge_notes.render_challenge_start(START)
    assert asked["text"].startswith("Spring challenge, 1–31 March: answer in time, as a team.")
    assert "Prize: Dinner for the team." in asked["text"]
    assert "show your name on the board?" in asked["text"]
    assert buttons(asked) == ["Join the board", "Stay private"]
    joined = challenge_notes.render_challenge_start(replace(START, choice="joined"))
    assert buttons(joined) == ["Stay private"]
    small = challenge_notes.render_challenge_start(replace(START, may_be_named=False))
    assert buttons(small) == []
    over = challenge_notes.render_challenge_start(replace(START, state=State.FINISHED))
    assert buttons(over) == []
    assert "is over" in over["text"]


def test_a_flag_goes_to_the_person_first_and_blames_nobody() -> None:
    note = challenge_notes.render_flag_note(FLAG)
    assert "3 activities within a few minutes" in note["text"]
    assert buttons(note) == ["It was so"]
    answered = challenge_notes.render_flag_note(replace(FLAG, answered=True))
    assert buttons(answered) == []
    manager = replace(FLAG, person="Ann Lee", answered=True)
    asked = challenge_notes.render_flag_manager(manager)
    assert buttons(asked) == ["Let it count", "Do not count it"]
    assert "Ann says that it was so." in asked["text"]
    assert "6 points" in asked["text"]
    done = challenge_notes.render_flag_manager(replace(manager, verdict="void", settled_by="Dana"))
    assert buttons(done) == []
    assert "Dana decided: it does not count." in done["text"]


def test_an_empty_list_of_challenges_offers_the_form() -> None:
    message = challenge_notes.render_challenge_list(ChallengeList(READER, (), may_make=True))
    assert message["text"] == "There is no challenge yet."
    assert buttons(message) == ["New challenge…"]


def test_every_button_does_something() -> None:
    drawn = [item for one in challenges("x") for item in walk(one.body)]
    clicked = {item["action_id"] for item in drawn if item.get("type") == "button"}
    assert len(clicked) == 9
    assert clicked <= {str(entry) for entry in (*DEEDS, *FORMS)}


# ------------------------------------------------------------------ the form


def test_a_name_is_all_that_the_form_asks_for() -> None:
    view = challenge_forms.render_challenge_form(FORM)
    empty = [
        block["block_id"]
        for block in view["blocks"]
        if block["type"] == "input" and not block["optional"]
        and not any(key.startswith("initial_") for key in block["element"])
    ]  # fmt: skip
    assert empty == ["name"]


def test_what_is_wrong_is_said_at_its_field() -> None:
    view = challenge_forms.render_challenge_form(FORM)
    inputs = {block["block_id"] for block in view["blocks"] if block["type"] == "input"}
    found = challenge_forms.challenge_errors(FAULTS)
    assert set(found) <= inputs
    assert found["ends"] == "It ends before it begins. It lasts too long."
    assert found["points_qualified"] == "Write a whole number."
    assert found["options"] == "Too few.", "a field that the form does not have"


# ------------------------------------------------------------------ who is named


def _place(rank: int | None, person: int, score: int = 50) -> Place:
    return Place(rank, person, "emea", 5, 10, 10, 5, score)


@pytest.mark.parametrize(
    ("ranks", "upper"),
    [
        ([], []),
        ([1], [1]),
        ([1, 2], [1]),
        ([1, 2, 3], [1]),
        ([1, 2, 3, 4], [1, 2]),
        ([1, 2, 2, 4], [1]),  # whoever is level with the lower half is not named
        ([1, 1, 3, 4, 5], [1, 2]),
        ([1, 2, None, None, None], [1]),
    ],
)
def test_only_the_upper_half_is_ever_named(ranks: list[int | None], upper: list[int]) -> None:
    places = [_place(rank, person) for person, rank in enumerate(ranks, 1)]
    assert sorted(place.person_id or 0 for place in upper_half(reversed(places))) == upper


def test_nobody_is_named_who_did_not_join_or_has_nothing() -> None:
    places = [_place(1, 1), _place(2, 2), _place(3, 3, 0), *(_place(n, n) for n in range(4, 9))]
    found = named(places, lambda place: place.person_id != 1)
    assert [place.person_id for place in found] == [2, 4]


# ------------------------------------------------------------------ words


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("EMEA",), "EMEA"),
        (("emea",), "Team emea"),
        (("emea", "americas"), "Teams emea and americas"),
        (("EMEA", "APAC", "Americas"), "EMEA, APAC and Americas"),
        (("a", "b", "c", "d"), "4 teams"),
        (("X" * 80, "Y" * 80, "Z" * 80), "3 teams"),
    ],
)
def test_teams_in_a_sentence(names: tuple[str, ...], said: str) -> None:
    assert wording_challenge.teams(names) == said


@pytest.mark.parametrize(
    ("rank", "said"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (11, "11th"), (112, "112th"), (21, "21st")],
)
def test_places_in_words(rank: int, said: str) -> None:
    assert wording_challenge.place(rank) == said


def test_no_shouting_and_no_pictures() -> None:
    for message in (
        leaderboard.render_leaderboard(BOARD), leaderboard.render_challenge_end(END),
        leaderboard.render_own_board([ANSWER]), challenge_notes.render_challenge_start(START),
        challenge_notes.render_flag_note(FLAG), challenge_forms.render_challenge_form(FORM),
    ):  # fmt: skip
        said = texts(message) + "".join(str(i.get("text")) for i in walk(message))
        assert "!" not in said
        assert all(ord(letter) < 0x2190 for letter in said), said
