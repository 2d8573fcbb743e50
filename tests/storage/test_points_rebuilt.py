"""Points are a cache of the journal: whatever happens, what is stored is what comes out of it anew, and by hand.

What is not here: the rules one by one (`tests/unit`), the life of a challenge (`tests/services`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from bot.domain.refusal import Refusal
from bot.services import work_lead
from bot.services.count_points import rebuild, recount
from bot.services.watch_gaming import Settled, settle_flag
from storage import awards, challenges
from storage.models import Journal
from storage.models_programme import Awards
from storage.rows import table_of
from tests.journal_by_hand import Entry, read
from tests.services.challenge_kit import Arena
from tests.services.crm_kit import Crm

_journal = table_of(Journal)
_awards = table_of(Awards)
POINTS = {"accept": 1, "first_touch": 2}
AFTERNOON = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
#: (rule, offer) -> (person, lead, points)
Stored = dict[tuple[str, str], tuple[int, int, int]]


@pytest.fixture
def arena(database_url: str) -> Iterator[Arena]:
    made = Arena(database_url)
    yield made
    made.database.dispose()


def stored(arena: Arena, challenge: int) -> Stored:
    """As they are stored, which is as they are rebuilt."""
    row = arena.row(challenge)
    with arena.work() as work:
        found = awards.list_awards(work.conn, challenge)
        assert tuple(found) == rebuild(work, row).awards
    return {(a.rule, a.about): (a.person_id, a.lead_id, a.points) for a in found}


def counted(arena: Arena, challenge: int) -> Stored:
    """As they are stored after a recount."""
    with arena.work() as work:
        row = challenges.lock_challenge(work.conn, challenge)
        assert row is not None
        _, made = recount(work, row)
        assert tuple(awards.list_awards(work.conn, challenge)) == made.awards
    return stored(arena, challenge)


def by_hand(arena: Arena, left_out: Collection[tuple[str, str]] = ()) -> Stored:
    """From the raw entries: 2 for a first touch in time, 1 for an accept in time by whoever touched it, too."""
    with arena.work() as work:
        rows = work.conn.execute(
            select(_journal).where(_journal.c.subject_kind == "lead").order_by(_journal.c.id)
        ).all()
    told = read(Entry(row.subject_id, row.at, row.kind, row.data) for row in rows)
    found: Stored = {}
    for clock in told.clocks.values():
        key = clock.kind, clock.offer
        if clock.kind not in POINTS or clock.kept_at() is None or key in left_out:
            continue
        offer = told.offers[clock.offer]
        touched = any(touch.offer == offer.id for touch in told.of_round(offer.lead, offer.round))
        if offer.accepted is not None and touched:
            found[key] = offer.rep, offer.lead, POINTS[clock.kind]
    return found


def newest(arena: Arena) -> str:
    return arena.offer_of(arena.newest_lead())


def test_what_is_stored_is_what_the_journal_gives_whatever_happened(arena: Arena) -> None:
    made, crm = arena.make(), Crm(arena)
    for name, minutes in (("kept", 5), ("late", 35), ("hurried", 25)):
        assert arena.works_a_lead(name, country="US", after=minutes) == "eve"
    first = counted(arena, made)
    assert first == by_hand(arena)
    assert sorted(points for _, _, points in first.values()) == [1, 2, 2]

    who = arena.works_a_lead("slip", after=2)
    offer = newest(arena)
    assert len(counted(arena, made)) == 5
    assert not isinstance(arena.do(work_lead.undo_touch, who, offer), Refusal)
    assert counted(arena, made) == by_hand(arena) == first, "an accept alone is worth nothing"
    arena.now += timedelta(minutes=9)
    assert not isinstance(arena.do(work_lead.log_touch, who, offer, "call", "reached"), Refusal)
    assert counted(arena, made) == by_hand(arena) != first

    call: dict[str, Any] = {"external_id": "slip", "actor": f"{who}@acme.example"}
    for minutes in (2, 3):  # the CRM has it, at another time; and says otherwise
        at = arena.now - timedelta(minutes=minutes)
        crm.tells("call", **call, occurred_at=at.isoformat())
        assert counted(arena, made) == by_hand(arena)
    crm.deletes("call")
    assert counted(arena, made) == by_hand(arena)
    lead = arena.arrives(external_id="told", email="t@told.example", last_name="T", phone="")
    rep = arena.lead(lead).owner_id or 0
    with arena.work() as work:
        owner = work.roster.by_id[rep].email
    arena.now += timedelta(minutes=10)
    told: dict[str, Any] = {"external_id": "told", "actor": owner}
    crm.tells("only", **told, occurred_at=(arena.now - timedelta(minutes=3)).isoformat())
    before = counted(arena, made)
    assert before == by_hand(arena)
    crm.deletes("only")
    assert counted(arena, made) == by_hand(arena)
    assert len(counted(arena, made)) == len(before) - 2

    assert arena.works_a_lead("again", country="US") == "eve"
    offer = newest(arena)
    for _ in range(3):  # four calls of one lead within the hour
        arena.now += timedelta(minutes=12)
        assert not isinstance(
            arena.do(work_lead.log_touch, "eve", offer, "call", "reached"), Refusal
        )
    arena.until(AFTERNOON)
    (flag,) = arena.flags(made)
    before = counted(arena, made)
    assert before == by_hand(arena)
    assert arena.do(settle_flag, "will", flag.id, "void") == Settled(flag.id, "void")
    left_out = {(str(rule), str(about)) for rule, about in flag.data["voids"]}
    assert left_out & set(before)
    assert stored(arena, made) == counted(arena, made) == by_hand(arena, left_out) != before

    worth = stored(arena, made)
    with arena.work() as work:
        work.conn.execute(_awards.delete())
    assert counted(arena, made) == worth
    with arena.work() as work:
        work.conn.execute(_awards.update().values(points=_awards.c.points + 1))
    assert counted(arena, made) == worth
