"""Who may do and see what of a challenge, where somebody might try: names that are taken back, rights that were lost,
what only its maker sees, forms and commands that are not as we sent them.

What is not here: what each reader sees of a board (`test_present_board`), flags (`test_challenge_flags`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from bot.domain.agreement import Role
from bot.domain.people_figures import PeopleFigures
from bot.domain.refusal import Refusal
from bot.services import ask_challenge, propose_challenge
from bot.services.agree_challenges import agree_challenges
from bot.services.answer_report import report_command
from bot.services.erase_person import erase_lead
from bot.services.join_board import join_board
from bot.services.make_challenge import Made, cancel_challenge, make_challenge, start_now
from bot.services.mark_absence import deactivate
from bot.services.spot_erased import Erased
from bot.services.work_lead import log_touch
from storage import challenges, people
from tests.services.challenge_kit import NEXT_WEEK, TERMS, Arena, trial
from tests.services.desk_kit import JANA, labels
from tests.services.test_present_board import FILLED

MONDAY = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)  # 16:00 in Berlin, when boards are posted
OVER = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)


@pytest.fixture
def arena(database_url: str) -> Iterator[Arena]:
    made = Arena(database_url)
    yield made
    made.database.dispose()


def agree(arena: Arena, rule: PeopleFigures) -> None:
    """What both teams agree on about figures of single people."""
    teams = {
        name: replace(team, people_figures=rule) for name, team in arena.agreement.teams.items()
    }
    arena.agreement = replace(arena.agreement, teams=teams)


def becomes(arena: Arena, who: str, *roles: Role) -> None:
    """The playbook gives somebody other roles."""
    email = f"{who}@acme.example"
    known = arena.agreement.people
    changed = replace(known[email], roles=frozenset(roles))
    arena.agreement = replace(arena.agreement, people={**known, email: changed})


def own_board(arena: Arena, who: str) -> tuple[str, list[str]]:
    """`/leaderboard`: what it says, and its buttons."""
    shown = arena.do(ask_challenge.leaderboard_command, who)
    return str(shown["text"]), labels(shown)


# ------------------------------------------------------------------ names that are taken back


def test_whoever_goes_private_leaves_the_boards_of_former_days_too(arena: Arena) -> None:
    agree(arena, PeopleFigures.NAMED)
    made = arena.make()
    arena.works_a_lead("globex", country="US")
    arena.works_a_lead("hooli")
    arena.until(MONDAY)
    arena.deliver()
    monday = f"board:{made}:2026-11-23"
    assert "Ann Lee" in arena.shown(monday)
    assert "Eve Fox" in arena.shown(monday)
    arena.now = MONDAY + timedelta(hours=16)  # the last board that stands is yesterday's
    arena.do(join_board, "eve", made, "private")
    arena.deliver()
    assert "Eve Fox" not in arena.shown(monday)
    arena.works_a_lead("umbrella")
    arena.until(MONDAY + timedelta(days=1))
    arena.do(join_board, "ann", made, "private")
    arena.deliver()
    assert "Ann Lee" not in arena.shown(monday)
    assert "(4 of 4)" in arena.shown(monday), "yesterday's numbers, not today's"
    arena.until(OVER)
    arena.deliver()
    board, end = f"board:{made}:2026-11-24", f"challenge_end:{made}"
    assert "Eve Fox" not in arena.shown(board) + arena.shown(end)


def test_after_the_end_each_of_them_may_still_leave(arena: Arena) -> None:
    agree(arena, PeopleFigures.NAMED)
    made = arena.make()
    arena.works_a_lead("hooli")
    arena.works_a_lead("globex", country="US")
    arena.until(OVER)
    arena.deliver()
    board, end = f"board:{made}:2026-11-24", f"challenge_end:{made}"
    for who, name in (("eve", "Eve Fox"), ("ann", "Ann Lee")):
        assert name in arena.shown(board)
        assert name in arena.shown(end)
        arena.do(join_board, who, made, "private")
        arena.deliver()
        assert name not in arena.shown(board) + arena.shown(end), who


def test_called_off_no_board_names_anybody(arena: Arena) -> None:
    agree(arena, PeopleFigures.NAMED)
    made = arena.make()
    arena.works_a_lead("globex", country="US")
    arena.until(MONDAY + timedelta(days=1))
    arena.deliver()
    boards = [f"board:{made}:2026-11-2{day}" for day in (3, 4)]
    assert all("Eve Fox" in arena.shown(board) for board in boards)
    arena.do(cancel_challenge, "olga", made)
    arena.deliver()
    assert all("cancelled" in arena.shown(board) for board in boards)


def test_a_team_that_agreed_on_names_can_leave_before_it_is_named(arena: Arena) -> None:
    agree(arena, PeopleFigures.NAMED)
    arena.make()
    arena.works_a_lead("globex", country="US")
    said, buttons = own_board(arena, "ann")
    assert "as soon as you are in its upper half" in said
    assert buttons == ["Stay private"]


# ------------------------------------------------------------------ rights that were lost, or never were


def test_a_maker_who_may_not_make_one_any_more_can_only_take_the_draft_back(arena: Arena) -> None:
    drafted = arena.make("dana", draft=True, teams=("emea",), channel="C0EMEA01", **NEXT_WEEK)
    running = arena.make("dana", teams=("emea",), channel="C0EMEA01")
    becomes(arena, "dana", Role.REP)
    assert arena.do(start_now, "dana", drafted) == Refusal("not_allowed")
    assert arena.do(cancel_challenge, "dana", running) == Refusal("not_allowed")
    listed = arena.do(ask_challenge.challenge_list, "dana")
    assert labels(listed) == ["Cancel"], "of the draft"
    assert isinstance(arena.do(cancel_challenge, "dana", drafted), Made)


def test_what_only_its_maker_sees_hinders_nobody_and_nobody_touches_it(arena: Arena) -> None:
    secret = arena.make("vera", draft=True, name="Secret plan", **NEXT_WEEK)
    hidden = arena.make("vera", **trial(name="Dry run"), **NEXT_WEEK)
    for id_ in (secret, hidden):
        assert arena.do(start_now, "olga", id_) == Refusal("no_challenge")
        assert arena.do(cancel_challenge, "ada", id_) == Refusal("no_challenge")
        assert arena.do(cancel_challenge, "ann", id_) == Refusal("not_allowed")
    made = arena.do(make_challenge, "olga", replace(TERMS, **NEXT_WEEK))
    assert isinstance(made, Made), "no fault tells her of the draft"
    faults = arena.do(start_now, "vera", secret)
    assert isinstance(faults, tuple), "when it is started it is asked whether it fits"
    assert {fault.field for fault in faults} == {"begins"}


def test_of_a_trial_run_no_channel_hears(arena: Arena) -> None:
    terms = replace(TERMS, **trial(name="Dry run", teams=("atlantis",)))
    arena.agreement = replace(arena.agreement, challenges=(terms,))
    with arena.work() as work:
        agree_challenges(work)
    (post,) = arena.posts("challenge_note")
    assert post["person_id"] == arena.person_id("carl"), "marketing's signer"
    with arena.work() as work:
        people.save_person(work.conn, arena.member(work, "carl").id, slack_channel_id=None)
    arena.agreement = replace(arena.agreement, version=2)
    with arena.work() as work:
        agree_challenges(work)
    assert len(arena.posts("challenge_note")) == 1


def test_report_and_board_show_single_people_to_the_same_managers(arena: Arena) -> None:
    emea, known = arena.agreement.teams["emea"], dict(arena.agreement.people)
    more = [f"rep{n}@acme.example" for n in range(4)]  # with Ann and Ben that makes six
    known |= {email: replace(known["ben@acme.example"], email=email) for email in more}
    known["dana@acme.example"] = replace(
        known["dana@acme.example"], deputy="will@acme.example"
    )  # who stands in for her, and sees no figures for that
    emea = replace(emea, members=(*emea.members, *more))
    arena.agreement = replace(
        arena.agreement, people=known, teams={**arena.agreement.teams, "emea": emea}
    )
    with arena.work() as work:
        for email in more:
            people.ensure_person(work.conn, email, email)
    arena.make(teams=("emea",), channel="C0EMEA01")
    assert arena.works_a_lead("globex") == "ann"
    everybody = ("dana", "vera", "will", "olga", "carl", "ada", "sam", "ben", "eve")

    def sees(who: str) -> set[bool]:
        report = arena.do(report_command, who, "emea this week")["text"]
        return {"Ann Lee" in own_board(arena, who)[0], "Ann Lee" in report}

    assert {who for who in everybody if sees(who) == {True}} == {"dana", "vera"}
    assert {who for who in everybody if sees(who) == {False}} == {*everybody} - {"dana", "vera"}
    with arena.work() as work:
        deactivate(work, work.roster.by_email[more[0]])
    assert sees("dana") == sees("vera") == {False}, "of six accounts five are left"


def test_whoever_changes_team_is_not_shown_to_the_former_manager(arena: Arena) -> None:
    agree(arena, PeopleFigures.NAMED)
    arena.make()
    assert arena.works_a_lead("globex", country="US") == "eve"
    assert "Eve Fox" in own_board(arena, "will")[0]
    eve, teams = arena.agreement.people["eve@acme.example"], dict(arena.agreement.teams)
    teams["emea"] = replace(
        teams["emea"],
        people_figures=PeopleFigures.SELF,
        members=(*teams["emea"].members, eve.email),
    )
    people_now = {**arena.agreement.people, eve.email: replace(eve, team="emea")}
    arena.agreement = replace(arena.agreement, people=people_now, teams=teams)
    assert "Eve Fox" not in own_board(arena, "will")[0]
    arena.until(MONDAY)
    arena.deliver()
    assert "Eve Fox" not in arena.shown("board:"), "her team of now agreed on no names"


# ------------------------------------------------------------------ what is not as we sent it


def test_a_form_that_is_not_ours_chooses_no_other_channel_and_breaks_nothing(arena: Arena) -> None:
    filled = replace(FILLED, name="Win\x00ter \ud800\u202e<!channel>", prizes="Din\x00ner\ud800")
    forged = arena.do(propose_challenge.propose, "dana", replace(filled, channel="C0BOARDROOM"))
    assert isinstance(forged, Refusal)
    assert [fault.field for fault in propose_challenge.faults_in(forged)] == ["channel"]
    far = replace(filled, begins=date(9999, 12, 30), ends=date(9999, 12, 31))
    told = arena.do(propose_challenge.propose, "dana", far)
    assert isinstance(told, Refusal)
    assert [fault.field for fault in propose_challenge.faults_in(told)] == ["ends"]
    assert not isinstance(arena.do(propose_challenge.propose, "dana", filled), Refusal)
    with arena.work() as work:
        (row,) = challenges.list_challenges(work.conn, ["scheduled"])
    assert (row.name, row.agreed.prizes) == ("Winter <!channel>", ("Dinner",))


def test_a_name_is_found_as_slack_sends_it_and_as_it_is_read(arena: Arena) -> None:
    for n, said in enumerate(("q&amp;a &lt;live&gt;", "Q&A ‹live›")):
        arena.make("dana", teams=("emea",), channel="C0EMEA01", draft=True, name="Q&A <live>")
        told = arena.do(propose_challenge.cancel_named, "dana", said)
        assert not isinstance(told, Refusal), n
        assert told.said == "cancelled"


def test_an_erased_lead_is_named_neither_in_a_flag_nor_in_a_former_morning(arena: Arena) -> None:
    arena.make()
    assert arena.works_a_lead("quokka", country="US") == "eve"
    called = arena.newest_lead()
    for _ in range(3):
        arena.now += timedelta(minutes=12)
        arena.do(log_touch, "eve", arena.offer_of(called), "call", "reached")
    waits = arena.arrives(replace(JANA, external_id="w", email="w@w.example"), country="US")
    arena.until(MONDAY + timedelta(hours=16, minutes=45))
    arena.deliver()
    (flag,), will = arena.posts("flag_note"), arena.person_id("will")
    (morning,) = [each for each in arena.posts("manager_digest") if each["person_id"] == will]
    assert "quokka" in arena.shown(flag["card_key"])
    assert "Globex" in arena.shown(morning["card_key"])
    arena.now += timedelta(days=1)
    with arena.work() as work:
        for lead in (called, waits):
            assert erase_lead(work, Erased("0" * 32), lead)
    arena.deliver()
    for note, name in ((flag, "quokka"), (morning, "Globex")):
        said = arena.shown(note["card_key"])
        assert "[erased]" in said
        assert name not in said
