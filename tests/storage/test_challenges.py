"""Challenges on both databases: a state changes once, awards are replaced whole, only leads that matter are read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import event

from bot.domain.challenge import State
from bot.services.count_points import rebuild, recount
from bot.services.work import Work
from storage import awards, challenges, chances, entrants, flags, journal
from storage.awards import AwardRow
from tests.services.challenge_kit import TERMS, Arena
from tests.services.desk_kit import START


@pytest.fixture
def arena(database_url: str) -> Iterator[Arena]:
    made = Arena(database_url)
    yield made
    made.database.dispose()


def test_a_state_changes_once_and_only_from_where_it_may(arena: Arena) -> None:
    made = arena.make(draft=True)
    with arena.work() as work:
        to = (["draft"], "scheduled")
        assert challenges.change_state(work.conn, made, *to) is not None
        assert challenges.change_state(work.conn, made, *to) is None
        row = challenges.find_challenge(work.conn, arena_key(work, made))
        assert row is not None
        assert row.agreed == TERMS
        assert [each.id for each in challenges.list_challenges(work.conn, ["scheduled"])] == [made]


def arena_key(work: Work, challenge_id: int) -> str:
    row = challenges.read_challenge(work.conn, challenge_id)
    assert row is not None
    return row.key


def test_awards_are_replaced_as_a_whole_and_nothing_is_written_when_they_are_the_same(
    arena: Arena,
) -> None:
    made, lead = arena.make(), arena.arrives()
    ann = arena.person_id("ann")
    first = [AwardRow(ann, "accept", f"offer{n}", lead, START, 1) for n in range(3)]
    then = [*first[:2], replace(first[0], rule="first_touch", points=2)]
    with arena.work() as work:
        assert awards.replace_awards(work.conn, made, first) == 3
        assert awards.replace_awards(work.conn, made, list(reversed(first))) == 0
        assert awards.replace_awards(work.conn, made, then) == 2
        assert set(awards.list_awards(work.conn, made)) == set(then)
        changed = [replace(then[0], points=0), *then[1:]]
        assert awards.replace_awards(work.conn, made, changed) == 2
        assert awards.list_awards(work.conn, made)[0].points == 0


def test_a_board_is_kept_once_a_day_and_knows_when_it_is_new(arena: Arena) -> None:
    made = arena.make()
    places = [{"person": 1, "rank": 1, "score": 94, "team": "emea"}]
    with arena.work() as work:
        assert awards.save_board(work.conn, made, "2026-11-23", START, places)
        assert not awards.save_board(work.conn, made, "2026-11-23", work.now, places)
        assert awards.save_board(work.conn, made, "2026-11-23", work.now, [])
        assert awards.read_board_before(work.conn, made, "2026-11-23") is None
        before = awards.read_board_before(work.conn, made, "2026-11-24")
        assert before is not None
        assert before.places == []


def test_a_flag_is_noted_once_and_settled_once(arena: Arena) -> None:
    made, ann, dana = arena.make(), arena.person_id("ann"), arena.person_id("dana")
    with arena.work() as work:
        what = {"challenge_id": made, "person_id": ann, "kind": "burst", "about": "2026-11-23"}
        flag = flags.insert_flag(work.conn, **what, found_at=work.now, data={"leads": [1]})
        assert flag is not None
        assert flags.insert_flag(work.conn, **what, found_at=work.now, data={}) is None
        assert flags.answer_flag(work.conn, flag.id, dana, work.now) is None
        assert flags.list_untold(work.conn) == [], "she was not told yet"
        assert flags.tell_person(work.conn, flag.id, work.now) is not None
        assert [each.id for each in flags.list_untold(work.conn)] == [flag.id]
        assert flags.answer_flag(work.conn, flag.id, ann, work.now) is not None
        assert flags.settle_flag(work.conn, flag.id, "fine", dana, work.now) is not None
        assert flags.settle_flag(work.conn, flag.id, "void", dana, work.now) is None
        assert not flags.save_evidence(work.conn, flag.id, {"leads": [1, 2]})


def test_only_leads_that_were_offered_in_time_are_read_a_page_at_a_time(
    arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    arena.arrives(external_id="old", email="old@old.example", last_name="Old", phone="")
    arena.now += timedelta(days=40)
    mine = [
        arena.arrives(external_id=f"n{n}", email=f"n{n}@n.example", last_name=f"N{n}", phone="")
        for n in range(5)
    ]
    eve, people = arena.person_id("eve"), [arena.person_id("ann"), arena.person_id("ben")]
    monkeypatch.setattr(chances, "PAGE", 2)
    with arena.work() as work:
        since = work.now - timedelta(days=1)
        found = chances.list_leads(work.conn, people, since, work.now + timedelta(days=1))
        assert found == mine
        assert chances.list_leads(work.conn, [eve], since, work.now + timedelta(days=1)) == []
        read = list(chances.iter_journals(work.conn, found))
        assert [lead_id for lead_id, _ in read] == mine
        for lead_id, entries in read:
            whole = journal.list_entries(work.conn, "lead", lead_id)
            assert [(e.kind, e.data) for e in entries] == [(e.kind, e.data) for e in whole]
        assert chances.has_news(work.conn, people, since)
        assert not chances.has_news(work.conn, people, work.now + timedelta(seconds=1))
        assert not chances.has_news(work.conn, [eve], since)


def test_a_recount_is_a_handful_of_statements_and_gives_what_is_stored(arena: Arena) -> None:
    made = arena.make()
    for n in range(4):
        arena.works_a_lead(f"lead{n}", country="AT" if n % 2 else "US")
    arena.now += timedelta(minutes=1)
    said: list[str] = []
    with arena.work() as work:
        row = challenges.lock_challenge(work.conn, made)
        assert row is not None
        recount(work, row)
        event.listen(
            arena.database.engine, "before_cursor_execute", lambda *given: said.append(given[2])
        )
        row = challenges.lock_challenge(work.conn, made)
        assert row is not None
        _, again = recount(work, row)
        assert len(said) <= 14, said
        assert not any("INSERT INTO awards" in each or "DELETE" in each for each in said)
        stored = awards.list_awards(work.conn, made)
        assert tuple(stored) == again.awards
        assert tuple(stored) == rebuild(work, row).awards
        assert len(stored) >= 4
        assert sum(place.points for place in again.board.people) == sum(a.points for a in stored)
        assert row.state == State.RUNNING
        assert [e.team for e in entrants.list_entrants(work.conn, made)] == ["emea", "emea", "west"]
