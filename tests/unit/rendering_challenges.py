"""Everything that is shown of challenges, for the tests of rendering.

What is not here: other renderers (`rendering_kit`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime

from bot.domain.challenge import USUAL_POINTS, Counting, Kind, Rule, State, TermsFault
from bot.rendering import challenge_forms, challenge_notes, challenge_refused, leaderboard
from bot.rendering.views import Reader
from bot.rendering.views_challenge import (
    BoardAnswer,
    BoardLine,
    BoardView,
    ChallengeForm,
    ChallengeList,
    ChallengeRow,
    ChannelChoice,
    Contest,
    EndView,
    FlagNote,
    NextUp,
    OwnPlace,
    Records,
    RuleShare,
    StartNote,
    TeamPeople,
)
from tests.unit.rendering_limits import Shown

READER = Reader("Europe/Vienna", datetime(2026, 3, 22, 9, 0, tzinfo=UTC))
SPRING = Contest(
    7, "Spring challenge", Kind.RACE, Counting.RATE, date(2026, 3, 1), date(2026, 3, 31),
    ("EMEA",), ("Dinner for the team",),
)  # fmt: skip
TEAMS = (
    BoardLine(1, "EMEA", 94, 200, 212),
    BoardLine(2, "Americas", 88, 150, 170, up=1),
)
PEOPLE = (
    BoardLine(1, "Ann Lee", 97, 31, 32, up=4),
    BoardLine(3, "Cleo Roth", 92, 28, 30, up=3),
)
BOARD = BoardView(SPRING, READER, TEAMS[:1], PEOPLE, 200, 212, 9, private=4)
SHARES = (
    RuleShare(Rule.ACCEPT, 10, 12, 1),
    RuleShare(Rule.FIRST_TOUCH, 8, 10, 2),
    RuleShare(Rule.QUALIFIED, 2, 2, 5),
)
OWN = OwnPlace(
    SPRING, READER, 4, 23, 88, 44, 50, 20, 24, shares=SHARES, streak=6, up=2, to_next=3, days_left=9
)
ANSWER = BoardAnswer(SPRING, READER, TEAMS, 9, OWN)
END = EndView(
    SPRING, READER, PEOPLE[:1], 0, TEAMS[:1], PEOPLE, 200, 212,
    records=Records(120, 80, 12, date(2026, 3, 12), 18, 18, 9, ("Ann Lee",), 2),
)  # fmt: skip
START = StartNote(SPRING, READER, State.RUNNING)
FLAG = FlagNote(
    3, SPRING, READER, "burst", 3, at=READER.now, leads=("Jana Novak, Globex",), points=6
)
FORM = ChallengeForm(
    ("emea", "americas"), ("emea",), date(2026, 3, 2), date(2026, 3, 27), dict(USUAL_POINTS),
    (ChannelChoice("", "The team's own channel"), ChannelChoice("C0EMEA", "Channel of emea")),
)  # fmt: skip


def many(text: str, count: int) -> tuple[BoardLine, ...]:
    """A long board; the names begin with the same text."""
    return tuple(
        BoardLine(n, f"{text} {n}" if n % 2 else text, 100 - n % 100, 9, 10, n % 5)
        for n in range(1, count + 1)
    )


def challenges(text: str, count: int = 4) -> Iterator[Shown]:
    """Every renderer with `text` in every field that comes from outside, and that many people."""
    contest = replace(SPRING, name=text, teams=(text,) * 3, prizes=(text,) * 20, trial=True)
    lines = many(text, count)
    for kind, counting in zip(Kind, (*Counting, Counting.RATE), strict=True):
        of = replace(contest, kind=kind, counting=counting)
        board = BoardView(of, READER, lines, lines, 9000, 9100, 9, False, SHARES, 999)
        yield Shown(f"board {kind}", "channel", leaderboard.render_leaderboard(board))
        records = Records(9000, 800, 70, date(2025, 3, 2), 99, 99, 20, (text,) * count, 5)
        end = EndView(
            of,
            READER,
            lines,
            9,
            lines,
            lines,
            9000,
            9100,
            answered=False,
            rules=SHARES,
            records=records,
        )
        yield Shown(f"end {kind}", "channel", leaderboard.render_challenge_end(end))
        own = replace(OWN, contest=of, choice="joined")
        teams = tuple(TeamPeople(text, lines, 12) for _ in range(count // 4))
        mine = [
            BoardAnswer(each.contest, READER, lines, 9, each, teams)
            for each in (replace(own, contest=replace(of, id=n)) for n in range(4))
        ]
        yield Shown(f"own {kind}", "ephemeral", leaderboard.render_own_board(mine))
    total = BoardAnswer(contest, READER, lines, 9, None, (TeamPeople(text, None),))
    yield Shown("totals", "ephemeral", leaderboard.render_own_board([total]))
    cancelled = leaderboard.render_board_cancelled(contest, READER)
    yield Shown("board cancelled", "channel", cancelled)
    up = NextUp(READER, contest, contest, may_make=True)
    yield Shown("next up", "ephemeral", leaderboard.render_next_up(up))
    yield from _notes(text, contest)
    form = replace(FORM, more=(text,), channels=(*FORM.channels, ChannelChoice("C1", text)))
    yield Shown("challenge form", "modal", challenge_forms.render_challenge_form(form))


def _notes(text: str, contest: Contest) -> Iterator[Shown]:
    for state, choice in ((State.RUNNING, ""), (State.RUNNING, "joined"), (State.FINISHED, "")):
        start = StartNote(contest, READER, state, choice, named_unless=not choice)
        note = challenge_notes.render_challenge_start(start)
        yield Shown(f"start {state} {choice}", "dm", note)
    for what in ("cherry_picking", text):
        for verdict in ("", "void"):
            flag = FlagNote(
                3, contest, READER, what, 9, 12, READER.now, (text,) * 9, 7, text, bool(verdict), verdict,
                text,
            )  # fmt: skip
            yield Shown(f"flag {what}", "dm", challenge_notes.render_flag_note(flag))
            yield Shown(f"settle {what}", "dm", challenge_notes.render_flag_manager(flag))
    rows = tuple(
        ChallengeRow(replace(contest, id=n), state, True, may_start=True, may_cancel=True)
        for n, state in enumerate(State)
    )
    listed = challenge_notes.render_challenge_list(ChallengeList(READER, rows, 99, may_make=True))
    yield Shown("challenges", "ephemeral", listed)
    for why in ("changed", text):
        told = challenge_refused.render_challenge_note(text, why, text)
        yield Shown(f"challenge note {why}", "dm", told)


FAULTS = (
    TermsFault("name", "A challenge needs a name."),
    TermsFault("ends", "It ends before it begins."),
    TermsFault("ends", "It lasts too long."),
    TermsFault("points", "All points are 0."),
    TermsFault("points_qualified", "Write a whole number."),
    TermsFault("most_a_day", "Too few."),
)
