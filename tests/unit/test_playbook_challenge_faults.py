"""Each thing that can be wrong with a challenge of the playbook, told with its line and place; all of them at once."""

from __future__ import annotations

from datetime import date

import pytest

from bot.playbook.loading import load_playbook
from tests.unit.playbook_kit import SMALL, TODAY, with_changes
from tests.unit.programme_kit import FIRST, NAMED, agreed, held, spring, told

#: What is changed, where in the challenge that is told, and how.
_CASES: list[tuple[dict[str, str | None], str, str]] = [
    # keys
    ({"name": None}, "", "`name` is missing"),
    ({"to": None}, "", "`to` is missing"),
    ({"points": None}, "", "`points` is missing"),
    ({"teams": ""}, ".teams", "`teams` is missing"),
    ({"prize": "a"}, ".prize", "did you mean `prizes`?"),
    ({"points": "{acept: 1, first_touch: 1}"}, ".points.acept", "did you mean `accept`?"),
    ({"weigh": "{score: {at_least: 80}}"}, ".weigh.score", "`times` is missing"),
    ({"kind": "relay"}, ".kind", "there are race, teams, improved"),
    ({"kind": "on"}, ".kind", "`on` is unknown"),
    ({"count": "valume"}, ".count", "did you mean `volume`?"),
    ({"trial": "maybe"}, ".trial", "write on or off"),
    # days
    ({"from": "01.03.2027"}, ".from", "is not a date; write it like 2026-03-01"),
    ({"from": "2027-3-1"}, ".from", "is not a date"),
    ({"to": "20270331"}, ".to", "is not a date"),
    ({"to": "2027-02-30"}, ".to", "there is no day `2027-02-30`"),
    ({"to": "9999-12-31"}, ".to", "is not in this century"),
    ({"to": "2027-02-28"}, ".to", "before it begins"),
    ({"to": "2026-03-31"}, ".to", "before it begins"),  # a slip of the year: past, but not over
    ({"to": "2028-03-31"}, ".to", "a year (366) is the longest"),
    # who
    ({"teams": "[emea, emae]"}, ".teams[2]", "there is no team `emae` (did you mean `emea`?)"),
    ({"teams": "nobody"}, ".teams[1]", "there are emea, west"),
    ({"teams": "[emea, emea]"}, ".teams[2]", "stands here twice"),
    ({"teams": "[]"}, ".teams", "needs a team"),
    ({"teams": "[west]", "kind": "race"}, ".teams", "nobody to race"),
    ({"kind": "teams"}, ".teams", "needs two teams"),
    # what for
    ({"points": "{}"}, ".points", "say what gives points"),
    ({"points": "{accept: 0}"}, ".points", "say what gives points"),
    ({"points": "{accept: -1, first_touch: 1}"}, ".points.accept", "0 is the least"),
    ({"points": "{accept: 1.5, first_touch: 1}"}, ".points.accept", "not a whole number"),
    ({"points": "{qualified: 5}"}, ".points", "no rate of it"),
    ({"points": "5"}, ".points", "must be a group"),
    ({"minimum": "0"}, ".minimum", "is 1 chance or more"),
    ({"minimum": "900"}, ".minimum", "nobody would have a place"),
    ({"most_a_day": "1"}, ".most_a_day", "one thing gives 2 points"),
    ({"weigh": "{hand_raiser: 50}"}, ".weigh.hand_raiser", "counts 1 to 10 times"),
    ({"weigh": "{score: {at_least: 80, times: 11}}"}, ".weigh.score.times", "1 to 10"),
    # prizes, posts
    ({"prizes": f"[{'x' * 5000}]"}, ".prizes", "prize 1 is 5,000 characters long"),
    ({"prizes": "[a, b, c, d, e, f]"}, ".prizes", "5 are the most"),
    ({"channel": "'#emea'"}, ".channel", "is not a channel id"),
    ({"channel": "#emea"}, ".channel", "# begins a comment"),
    ({"teams": "[emea, west]", "trial": "no"}, ".channel", "several channels"),
    ({"post": "mon-fri 25:00"}, ".post", "`25:00` is not a time of the day"),
    ({"post": "mon-fry 16:00"}, ".post", "`mon-fry` is not a day"),
    ({"post": "mon-fri"}, ".post", "says no time; write `mon-fri 16:00`"),
]  # fmt: skip


@pytest.fixture(scope="module")
def told_of_each() -> list[list[tuple[str, str]]]:
    """One file with a challenge for each case, read once; trial runs, which may overlap."""
    texts = []
    for number, (changed, _, _) in enumerate(_CASES, 1):
        texts.append(spring(**({"name": f"No. {number}", "trial": "yes"} | changed)))
    found: list[list[tuple[str, str]]] = []
    faults = told(held(*texts))
    for number in range(1, len(_CASES) + 1):
        places = (f"challenges.No. {number}", f"challenges[{number}]")
        found.append(
            [
                (where.removeprefix(place), message)
                for where, message in faults
                for place in places
                if where == place or where.startswith(f"{place}.")
            ]
        )
    assert len(faults) == sum(map(len, found))
    return found


@pytest.mark.parametrize("number", range(len(_CASES)), ids=lambda n: f"{_CASES[n][0]}"[:60])
def test_a_challenge_that_cannot_be_is_told_where_it_is(
    number: int, told_of_each: list[list[tuple[str, str]]]
) -> None:
    _, where, message = _CASES[number]
    said = told_of_each[number]
    assert [place for place, _ in said] == [where], said  # what follows from it is not told
    assert message in said[0][1]


def test_all_that_is_wrong_with_a_challenge_is_told_at_once_each_at_its_line() -> None:
    result = held(
        spring(
            name='""', from_="2027-04-01", teams="[emae, west]", kind="rase", points="{accept: -1}",
            prizes=f"[{'x' * 5000}]", channel="emea", post="mon-fri 25:00", colour="red",
        )
    )  # fmt: skip
    places = {fault.where.rpartition(".")[2]: fault.line - FIRST for fault in result.faults}
    assert places == {
        "name": 0, "to": 2, "teams[1]": 3, "kind": 4, "accept": 5, "prizes": 6, "channel": 7, "post": 8,
        "colour": 9,
    }  # fmt: skip
    several = held(spring(name=None, points=None, to=None))
    assert sorted(fault.message for fault in several.faults) == [
        "`name` is missing", "`points` is missing", "`to` is missing",
    ]  # fmt: skip


def test_two_prizes_that_are_too_long_are_two_faults() -> None:
    prizes = f"[{'x' * 151}, tea, {'y' * 200}]"
    assert [message.partition(" is")[0] for _, message in told(held(spring(prizes=prizes)))] == [
        "prize 1",
        "prize 3",
    ]


def test_a_team_is_in_one_challenge_at_a_time_unless_one_is_a_trial() -> None:
    late = {"name": "Late spring", "from_": "2027-03-31", "to": "2027-04-15"}
    [(where, message)] = told(held(spring(), spring(**late)))
    assert where == "challenges.Late spring.from"
    assert "“Spring challenge” from 2027-03-01 to 2027-03-31" in message
    assert len(agreed(held(spring(), spring(**late, trial="yes")))) == 2
    assert len(agreed(held(spring(), spring(**late, teams="[west]")))) == 2
    next_day = late | {"from_": "2027-04-01"}
    assert len(agreed(held(spring(), spring(**next_day)))) == 2


def test_so_many_challenges_are_something_else() -> None:
    assert told(held(*(spring(name=f"No. {number}") for number in range(101)))) == [
        ("challenges", "there are 101; 100 are the most: take out old ones")
    ]


def test_two_challenges_have_two_names() -> None:
    second = spring(name="SPRING  challenge", from_="2027-05-01", to="2027-05-31")
    [(where, message)] = told(held(spring(), second))
    assert where == "challenges.SPRING  challenge.name"
    assert "a second challenge is called" in message


def test_no_day_that_passes_makes_a_file_faulty() -> None:
    """It is read again at each start. What is over stays, with a word; also when its team is gone since."""
    for today in (date(2027, 2, 28), date(2027, 3, 1), date(2027, 3, 31)):
        result = held(spring(), today=today)
        assert (len(agreed(result)), result.warnings) == (1, ())
    over = held(spring(teams="[south]"), today=date(2027, 4, 1))
    assert [terms.teams for terms in agreed(over)] == [("south",)]
    assert [str(warning) for warning in over.warnings] == [
        f"playbook.yaml:{FIRST}: challenges.Spring challenge: was over on 2027-03-31: it is not held again"
    ]


def test_a_race_that_can_name_nobody_is_warned_of() -> None:
    small = load_playbook(SMALL + "challenges:\n" + spring(), today=TODAY)
    assert len(agreed(small)) == 1
    [warning] = small.warnings
    assert "emea has fewer than 6 reps or `people_figures: self`" in warning.message


def test_a_team_that_is_at_fault_itself_is_not_told_of_again() -> None:
    text = with_changes(
        NAMED, ("members: [ann@acme.example, ben@acme.example]", "members: [ann@acme.exampel]")
    )
    result = load_playbook(text + "challenges:\n" + spring(kind="race"), today=TODAY)
    assert [fault.where for fault in result.faults] == ["teams.emea.members[1]"]
    begin, end = SMALL.index("teams:"), SMALL.index("marketing: {members")
    without = SMALL[:begin] + SMALL[end:] + "challenges:\n" + spring()
    assert [fault.message for fault in load_playbook(without, today=TODAY).faults] == [
        "`teams` is missing"
    ]
