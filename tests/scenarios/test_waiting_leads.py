"""Imported leads: as offers they wait for a free rep and come as one list."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select, text

from bot.domain.lead import LeadFacts
from bot.domain.refusal import Refusal
from bot.domain.routing import Decision
from bot.services import answer_offer
from bot.services.release_waiting import Release, Share
from bot.services.work import Work
from storage import leads, offers, waiting
from storage.models import Outbox
from storage.rows import table_of
from tests.services.desk_kit import Desk
from tests.story import Story, lead_of
from tests.waiting_kit import wait, waits

_outbox = table_of(Outbox)
OFFERED = ["Accept", "Reject…", "Recycle…"]


def facts(company: str, **fields: Any) -> LeadFacts:
    return LeadFacts(**lead_of(company, **fields))


async def given(story: Story, *of_leads: LeadFacts) -> None:
    """An import as offers has ended."""

    def put(work: Work) -> None:
        for one in of_leads:
            waits(work, one)

    story.house.runtime.write_now(put)
    await story.settle()


def answers(story: Story, who: str, *companies: str) -> None:
    def accept(work: Work) -> None:
        for company in companies:
            offer = story.lead(company).current_offer_id or ""
            actor = work.roster.by_email[f"{who}@acme.example"]
            assert not isinstance(answer_offer.accept(work, actor, offer), Refusal)

    story.house.runtime.write_now(accept)


async def test_each_free_rep_gets_one_list_best_first_and_the_next_when_it_is_answered(
    story: Story,
) -> None:
    # Tuesday, 10:00 in Vienna; in New York nobody is at work. Ann speaks German, Ben does not.
    dach = [facts(f"Firm {n:02}", source_score=60 + n) for n in range(12)]
    call = facts("Callers", source="contact_me", source_score=40)
    us = [facts(f"Yankee {n}", country="US", language="en") for n in range(3)]
    await given(story, *us, *dach, call)
    first = await story.expect_dm("ann", "10 imported leads for you. First: accept by 10:15")
    assert "Callers" in first.text
    rest = await story.expect_dm("ben", "3 imported leads for you.")
    assert rest.buttons == ["Open"] * 3
    assert [story.holder(f"Firm {n:02}") for n in (11, 3, 2, 0)] == ["ann", "ann", "ben", "ben"]
    assert story.due("Firm 00") == "2026-03-24 15:00"  # as for any lead: from the offer
    await story.expect_nothing_else()

    # Those of America wait for America: nobody has them, no clock runs, nothing is overdue.
    assert (story.status("Yankee 0"), story.lead("Yankee 0").waiting) == ("received", True)
    assert [e.kind for e in story.journal("Yankee 0")] == ["arrived", "judged"]
    said = await story.command("ops", "/lead yankee 1")
    assert "Waits for a free rep (imported)" in said.text
    assert "Nothing is overdue." in (await story.command("ops", "/lead overdue")).text
    assert "3 imported leads wait for a free rep." in (await story.home("ops")).text

    # A lead that arrives by itself waits for nobody and is not hidden in the list.
    await story.lead_arrives("Globex", source="contact_me")
    await story.expect_dm("ann", "Globex", buttons=OFFERED)

    # One list at a time, however much more there is.
    await given(story, *(facts(f"More {n}") for n in range(3)))
    answers(story, "ann", "Callers", *(f"Firm {n:02}" for n in range(4, 12)))
    await story.settle()
    assert "1 to answer by" in first.text
    assert story.lead("More 0").waiting


# ------------------------------------------------------------------ without a Slack


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    made = Desk(database_url)
    yield made
    made.database.dispose()


def test_two_workers_give_a_lead_away_once_and_a_rep_one_list(desk: Desk) -> None:
    if desk.database.is_sqlite:
        pytest.skip("SQLite has one writer at a time: this cannot happen")
    ids = wait(desk, "a", "b", country="US")
    with desk.work() as one, desk.work() as other:
        other.conn.execute(text("SET LOCAL lock_timeout = '2s'"))
        [mine], [theirs] = Release().plan(one), Release().plan(other)
        assert mine(one) == 2
        assert waiting.lock_waiting(other.conn, ids) == {}  # and nobody stood still for it
        assert theirs(other) == 0
    assert [lead.current_offer_id is None for lead in map(desk.lead, ids)] == [False, False]

    # Another lead for the same rep: the first list is not committed yet, so only the lock knows of it.
    desk.do(answer_offer.accept, "eve", desk.offer_of(ids[0]))
    desk.do(answer_offer.accept, "eve", desk.offer_of(ids[1]))
    third = wait(desk, "c", country="US")
    with desk.work() as one, desk.work() as other:
        other.conn.execute(text("SET LOCAL lock_timeout = '2s'"))
        [mine] = Release().plan(one)
        assert mine(one) == 1
        late = share_of(other, desk, wait(desk, "d", country="US"))
        assert Release().give(other, late) == 0
    with desk.work() as work:
        mine_now = offers.list_open_of(work.conn, desk.member(work, "eve").id)
        lists = work.conn.execute(select(_outbox).where(_outbox.c.template == "released_list"))
        assert ([o.lead_id for o in mine_now], len(list(lists))) == (third, 2)


def share_of(work: Work, desk: Desk, lead_ids: list[int]) -> Share:
    chosen = Decision("eve@acme.example", "rest", "west", "rest, longest waiting")
    found = leads.list_by_ids(work.conn, lead_ids)
    return Share("eve@acme.example", desk.agreement.version, [(lead, chosen) for lead in found])
