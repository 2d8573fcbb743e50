"""The life of a challenge, without Slack: who may make one, its beginning, boards, end, cancelling, retention.

What is not here: the playbook's (`test_challenge_playbook`), flags (`test_challenge_flags`), rules (`tests/unit`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from bot.domain.challenge import Kind, Rule
from bot.domain.refusal import Refusal
from bot.services.count_points import board_of, rebuild
from bot.services.export_person import export_person
from bot.services.join_board import join_board
from bot.services.make_challenge import (
    Made,
    cancel_challenge,
    make_challenge,
    schedule_challenge,
    start_now,
)
from bot.services.mark_absence import deactivate
from bot.services.purge_leads import look, purge_step
from storage import activities, awards, people
from tests.services.challenge_kit import NEXT_WEEK, TERMS, Arena, trial
from tests.services.desk_kit import START

LAST_NIGHT = datetime(2026, 11, 24, 23, 0, tzinfo=UTC)
OVER = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)  # Wednesday 09:00 in Berlin


@pytest.fixture
def arena(database_url: str) -> Iterator[Arena]:
    made = Arena(database_url)
    yield made
    made.database.dispose()


def test_it_begins_asks_posts_edits_and_ends_and_each_once(arena: Arena) -> None:
    made = arena.make(**NEXT_WEEK)
    assert arena.row(made).state == "scheduled"
    arena.until(datetime(2026, 11, 30, 8, 0, tzinfo=UTC))
    assert arena.row(made).state == "running"
    assert arena.entered(made) == {"ann": "emea", "ben": "emea", "eve": "west"}
    assert len(arena.posts("challenge_start")) == 3
    assert not arena.posts("leaderboard"), "nothing happened yet"

    who = arena.works_a_lead("globex")
    arena.until(datetime(2026, 11, 30, 15, 0, tzinfo=UTC))
    (post,) = arena.posts("leaderboard")
    assert post["data"] == {"challenge": made, "period": "2026-11-30"}
    assert post["lane"] == "ch:C0BOTH01"
    arena.deliver()
    arena.works_a_lead("initech")
    arena.until(datetime(2026, 11, 30, 23, 30, tzinfo=UTC))
    assert len(arena.posts("leaderboard")) == 1
    assert arena.posts("leaderboard", edits=True)
    arena.until(datetime(2026, 12, 1, 9, 0, tzinfo=UTC))
    with arena.work() as work:
        board = board_of(work, made)
        assert (board.kept, board.days_left) == (4, 0)
        assert board_of(work, made, "2026-11-30").kept == 4
        first = board.people[0]
        assert work.roster.by_id[first.person_id or 0].email.startswith(who)

    arena.until(datetime(2026, 12, 2, 9, 0, tzinfo=UTC))
    row = arena.row(made)
    assert row.state == "finished"
    assert row.finished_at == datetime(2026, 12, 2, 8, 0, tzinfo=UTC), "the working day after"
    assert len(arena.posts("challenge_end")) == 1
    assert len(arena.posts("leaderboard")) == 2
    arena.until(datetime(2026, 12, 4, 9, 0, tzinfo=UTC))
    assert len(arena.posts("challenge_end")) == 1
    assert arena.told(made) == ["made", "started", "finished"]
    with arena.work() as work:
        assert tuple(awards.list_awards(work.conn, made)) == rebuild(work, row).awards
        assert row.result["kept"] == board_of(work, made).kept == 4


def test_one_whose_first_day_is_today_begins_at_once_and_another_may_not_overlap(
    arena: Arena,
) -> None:
    made = arena.make()
    assert arena.row(made).state == "running"
    faults = arena.do(make_challenge, "olga", replace(TERMS, name="Again"), False)
    assert isinstance(faults, tuple)
    assert [fault.field for fault in faults] == ["begins"]
    assert len(arena.posts("challenge_start")) == 3


def test_who_may_make_and_cancel_one(arena: Arena) -> None:
    both = replace(TERMS, **NEXT_WEEK)
    for who in ("ann", "sam", "dana", "will"):
        answer = arena.do(make_challenge, who, both, True)
        assert isinstance(answer, Refusal), who
        assert answer.code == "not_allowed"
    emea = replace(both, teams=("emea",))
    danas = 0
    for n, (who, terms) in enumerate({"vera": both, "ada": both, "dana": emea}.items()):
        later = timedelta(days=7 * n)
        made = arena.do(
            make_challenge,
            who,
            replace(terms, name=who, begins=terms.begins + later, ends=terms.ends + later),
            True,
        )
        assert isinstance(made, Made), (who, made)
        danas = made.challenge_id
    refused = arena.do(cancel_challenge, "will", danas)
    assert isinstance(refused, Refusal)
    assert isinstance(arena.do(cancel_challenge, "dana", danas), Made)
    again = arena.do(cancel_challenge, "dana", danas)
    assert again == Refusal("challenge_over")
    assert arena.do(cancel_challenge, "dana", 99) == Refusal("no_challenge")


def test_nobody_chooses_a_first_day_whose_results_are_known(arena: Arena) -> None:
    for draft in (False, True):
        terms = replace(TERMS, begins=date(2026, 11, 22))
        faults = arena.do(make_challenge, "olga", terms, draft)
        assert isinstance(faults, tuple)
        assert [fault.field for fault in faults] == ["begins"]
        assert "is over: choose today" in faults[0].sentence
    late = arena.make(draft=True)
    arena.until(START + timedelta(days=1))
    assert isinstance(arena.do(schedule_challenge, "olga", late), tuple), "its day went by"
    assert isinstance(arena.do(start_now, "olga", late), Made)


def test_a_draft_waits_until_somebody_schedules_or_starts_it(arena: Arena) -> None:
    drafted = arena.make(draft=True, **NEXT_WEEK)
    arena.until(START + timedelta(days=6))
    assert arena.row(drafted).state == "draft"
    answer = arena.do(start_now, "olga", drafted)
    assert isinstance(answer, Made)
    assert answer.said == "started"
    assert arena.row(drafted).agreed.begins == date(2026, 11, 29)
    later = arena.make(draft=True, name="Later", begins=date(2026, 12, 7), ends=date(2026, 12, 11))
    answer = arena.do(schedule_challenge, "olga", later)
    assert isinstance(answer, Made)
    assert answer.said == "scheduled"
    assert arena.do(start_now, "olga", drafted) == Refusal("challenge_started")


def test_whoever_takes_part_says_whether_boards_may_name_them(arena: Arena) -> None:
    made = arena.make()
    assert arena.do(join_board, "olga", made, "joined") == Refusal("not_taking_part")
    for choice in ("joined", "joined", "private"):
        answer = arena.do(join_board, "ann", made, choice)
        assert not isinstance(answer, Refusal)
        assert answer.said == choice
    assert arena.told(made) == ["made", "started", "joined", "private"], "the same again is nothing"
    assert arena.do(join_board, "ann", made, "loudly") == Refusal("not_allowed")
    arena.do(cancel_challenge, "olga", made)
    assert arena.do(join_board, "ann", made, "joined") == Refusal("challenge_over")


def test_a_hidden_trial_run_is_seen_by_its_maker_only(arena: Arena) -> None:
    made = arena.make("vera", **trial())
    arena.works_a_lead("globex")
    arena.until(LAST_NIGHT)
    assert not arena.posts("challenge_start")
    vera = arena.person_id("vera")
    assert {post["lane"] for post in arena.posts("leaderboard")} == {f"dm:{vera}"}
    arena.until(OVER + timedelta(hours=2))
    assert [post["lane"] for post in arena.posts("challenge_end")] == [f"dm:{vera}"]
    assert arena.row(made).state == "finished"


def test_who_leaves_has_no_place_and_the_team_keeps_the_points(arena: Arena) -> None:
    made = arena.make()
    who = arena.works_a_lead("globex")
    with arena.work() as work:
        people.save_person(work.conn, arena.member(work, who).id, in_playbook=False)
    arena.until(datetime(2026, 11, 23, 15, 0, tzinfo=UTC))
    with arena.work() as work:
        board = board_of(work, made)
        assert next(p for p in board.people if p.points).rank is None
        assert next(t for t in board.teams if t.team == "emea").points == 3
        people.save_person(work.conn, arena.member(work, who).id, in_playbook=True)
    arena.until(datetime(2026, 11, 24, 15, 0, tzinfo=UTC))
    with arena.work() as work:
        assert next(p for p in board_of(work, made).people if p.points).rank == 1


def test_a_closed_account_does_not_take_part_and_another_team_is_another_matter(
    arena: Arena,
) -> None:
    with arena.work() as work:
        deactivate(work, arena.member(work, "ben"))
    made = arena.make()
    assert arena.entered(made) == {"ann": "emea", "eve": "west"}
    ann = arena.agreement.people["ann@acme.example"]
    arena.agreement = replace(
        arena.agreement,
        people={**arena.agreement.people, ann.email: replace(ann, team="west")},
    )
    assert arena.works_a_lead("globex") == "ann"
    arena.until(datetime(2026, 11, 23, 15, 0, tzinfo=UTC))
    with arena.work() as work:
        assert next(p for p in board_of(work, made).people if p.points).team == "emea"


def test_whom_slack_did_not_know_on_the_first_day_is_asked_once_it_does(arena: Arena) -> None:
    with arena.work() as work:
        ben = arena.member(work, "ben").id
        people.save_person(work.conn, ben, slack_channel_id=None)
    made = arena.make()
    assert arena.entered(made)["ben"] == "emea"
    assert len(arena.posts("challenge_start")) == 2
    with arena.work() as work:
        people.save_person(work.conn, ben, slack_channel_id="D9")
    arena.until(START + timedelta(minutes=5))
    assert [post["person_id"] for post in arena.posts("challenge_start")][2:] == [ben]


def test_nobody_can_take_part(arena: Arena) -> None:
    made = arena.make(**NEXT_WEEK)
    with arena.work() as work:
        for who in ("ann", "ben", "eve"):
            people.save_person(work.conn, arena.member(work, who).id, in_playbook=False)
    arena.until(datetime(2026, 11, 30, 9, 0, tzinfo=UTC))
    assert arena.row(made).state == "cancelled"
    assert [post["data"]["why"] for post in arena.posts("challenge_note")] == ["nobody"]
    arena.deliver()
    assert "nobody of its teams can take part" in arena.shown("challenge_note")


def test_without_a_lead_no_board_is_posted_and_the_end_is(arena: Arena) -> None:
    made = arena.make()
    arena.until(OVER + timedelta(hours=2))
    assert not arena.posts("leaderboard")
    assert len(arena.posts("challenge_end")) == 1
    assert arena.row(made).result["chances"] == 0


def test_after_downtime_no_old_board_is_posted_and_one_that_was_missed_whole_does_not_begin(
    arena: Arena,
) -> None:
    made = arena.make()
    arena.works_a_lead("globex")
    later = arena.make(name="Later", **NEXT_WEEK)
    arena.tick()
    arena.now = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
    arena.tick()
    assert not arena.posts("leaderboard"), "Monday's board on Tuesday"
    arena.now = datetime(2026, 12, 8, 9, 0, tzinfo=UTC)
    arena.tick()
    arena.tick()
    assert arena.row(made).state == "finished"
    assert arena.row(later).state == "cancelled"
    assert [post["data"]["why"] for post in arena.posts("challenge_note")] == ["missed"]


def test_a_cancelled_one_takes_back_what_was_not_sent_and_counts_no_more(arena: Arena) -> None:
    made = arena.make()
    arena.do(cancel_challenge, "olga", made)
    assert {post["state"] for post in arena.posts("challenge_start")} == {"superseded"}
    arena.works_a_lead("globex")
    arena.until(OVER)
    assert not arena.posts("leaderboard")
    assert not arena.posts("challenge_end")


def test_only_what_a_crm_knows_counts_where_one_reports(arena: Arena) -> None:
    lead = arena.arrives()
    with arena.work() as work:
        activities.insert_activity(
            work.conn, source="crm", external_id="a1", lead_id=lead, touch_id=None, sha256="",
            effect="noted", reason="", occurred_at=work.now, received_at=work.now,
        )  # fmt: skip
    arena.now += timedelta(minutes=1)
    made = arena.make()
    assert arena.row(made).verified
    arena.works_a_lead("globex", country="US")
    arena.until(datetime(2026, 11, 23, 15, 0, tzinfo=UTC))
    with arena.work() as work:
        rules = {award.rule for award in awards.list_awards(work.conn, made)}
        assert Rule.FIRST_TOUCH.value not in rules, "she only said so"


def test_most_improved_looks_as_long_before_the_start(arena: Arena) -> None:
    arena.works_a_lead("before", country="US")
    arena.now += timedelta(days=7)
    made = arena.make(kind=Kind.IMPROVED, **NEXT_WEEK)
    arena.works_a_lead("globex", country="US")
    row = arena.row(made)
    with arena.work() as work:
        counted = rebuild(work, row)
        assert counted.before is not None
        assert counted.before.tallies[arena.member(work, "eve").id].kept == 2


def test_figures_about_people_go_after_a_year_and_what_the_teams_achieved_stays(
    arena: Arena,
) -> None:
    made = arena.make()
    who = arena.works_a_lead("globex")
    arena.until(OVER + timedelta(hours=2))
    with arena.work() as work:
        told = export_person(work, f"{who}@acme.example")
        assert told is not None
        assert len(told["as_employee"]["points"]) == 2
    arena.now += timedelta(days=364)
    with arena.work() as work:
        assert not look(work).figures
    arena.now += timedelta(days=2)
    with arena.work() as work:
        assert look(work).figures == 1
        assert purge_step(work).figures == 1
        assert not purge_step(work).figures
        assert awards.list_awards(work.conn, made) == []
        board = board_of(work, made)
        assert board.people == ()
        assert {team.team: team.points for team in board.teams} == {"emea": 3, "west": 0}
        assert "streak" not in board.records
