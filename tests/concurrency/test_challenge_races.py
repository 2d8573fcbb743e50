"""Two workers want to begin, post and end the same challenge: each happens once, whoever comes first."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from bot.services.fire_occasions import fire_occasions, plan_occasions
from bot.services.join_board import join_board
from bot.services.make_challenge import make_challenge
from bot.services.run_challenge import start
from bot.services.work import Work
from storage import challenges, journal
from storage.database import Database
from storage.models import Outbox
from storage.rows import table_of
from tests.services.challenge_kit import NEXT_WEEK, TERMS, Arena

WORKERS = 2


def at_once(arena: Arena, url: str, deeds: list[Callable[[Work], Any]]) -> list[Any]:
    """Each deed in a process of its own, as good as: its own database, its own thread, one starting shot."""
    shot = threading.Barrier(len(deeds))
    answers: list[Any] = [None] * len(deeds)

    def run(place: int, deed: Callable[[Work], Any]) -> None:
        database = Database(url)
        try:
            shot.wait()
            with database.write() as conn:
                answers[place] = deed(Work(conn, arena.now, arena.now, arena.agreement))
        except BaseException as error:
            answers[place] = error
        finally:
            database.dispose()

    threads = [threading.Thread(target=run, args=each) for each in enumerate(deeds)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    broken = [answer for answer in answers if isinstance(answer, BaseException)]
    assert not broken, broken
    return answers


def told(arena: Arena, challenge_id: int) -> list[str]:
    with arena.work() as work:
        return [e.kind for e in journal.list_entries(work.conn, "challenge", challenge_id)]


def test_it_begins_is_posted_and_ends_once(database_url: str) -> None:
    arena = Arena(database_url)
    made = arena.make(**NEXT_WEEK)
    row = arena.row(made)
    arena.now = row.begins_at
    started = at_once(arena, database_url, [lambda work: start(work, row)] * WORKERS)
    assert sum(each is not None for each in started) == 1
    arena.works_a_lead("globex")
    arena.tick()
    for at in (row.begins_at + timedelta(hours=16), row.ends_at + timedelta(days=2, hours=9)):
        arena.now = at
        with arena.work() as work:
            plan_occasions(work)
        at_once(arena, database_url, [fire_occasions] * WORKERS)
    assert arena.row(made).state == "finished"
    outbox = table_of(Outbox)
    with arena.work() as work:
        rows = work.conn.execute(select(outbox.c.template, outbox.c.card_key)).all()
    posted = Counter(template for template, _ in rows)
    assert posted["challenge_start"] == 3
    assert posted["leaderboard"] == posted["challenge_end"] == 1
    assert told(arena, made) == ["made", "started", "finished"]
    arena.database.dispose()


def test_two_who_make_one_for_the_same_days_do_not_both_get_it(database_url: str) -> None:
    arena = Arena(database_url)

    def making(name: str) -> Callable[[Work], Any]:
        terms = replace(TERMS, name=name, **NEXT_WEEK)
        return lambda work: make_challenge(work, Arena.member(work, "olga"), terms)

    answers = at_once(arena, database_url, [making("First"), making("Second")])
    assert sorted(type(answer).__name__ for answer in answers) == ["Made", "tuple"]
    arena.database.dispose()


def test_everybody_chooses_at_once(database_url: str) -> None:
    arena = Arena(database_url)
    made = arena.make()

    def choosing(who: str) -> Callable[[Work], Any]:
        return lambda work: join_board(work, Arena.member(work, who), made, "joined")

    at_once(arena, database_url, [choosing(who) for who in ("ann", "ben", "eve", "ann")])
    assert Counter(told(arena, made))["joined"] == 3
    with arena.work() as work:
        row = challenges.lock_challenge(work.conn, made)
        assert row is not None
    arena.database.dispose()
