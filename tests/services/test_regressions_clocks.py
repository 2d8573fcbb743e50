"""Clocks that once stood still, ran twice, or told nobody: one story for each fault that was found and mended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from bot.domain import scoring
from bot.domain.funnel import Action
from bot.domain.refusal import Refusal
from bot.services import (
    answer_offer,
    fire_timers,
    judge_lead,
    manage_lead,
    offer_lead,
    review_lead,
    work_lead,
)
from bot.services.fire_timers import fire_due
from bot.services.follow_delivery import after_failure, after_sent
from bot.services.work import Work
from storage import clocks, leads, offers, people
from storage.clocks import ClockRow
from storage.deliveries import OutboxRow
from storage.models import Outbox
from storage.rows import as_row, table_of
from tests.services.desk_kit import JANA, Desk

_outbox = table_of(Outbox)


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    desk = Desk(database_url)
    yield desk
    desk.database.dispose()


def done(answer: object) -> None:
    assert not isinstance(answer, Refusal), answer


def clocks_of(desk: Desk, lead: int, kind: str, *, running: bool = False) -> list[ClockRow]:
    with desk.work() as work:
        found = clocks.list_clocks(work.conn, lead, running=running)
    return [clock for clock in found if clock.kind == kind]


def posts(desk: Desk, template: str) -> list[OutboxRow]:
    with desk.work() as work:
        rows = work.conn.execute(
            select(_outbox)
            .where(_outbox.c.template == template, ~_outbox.c.edits)
            .order_by(_outbox.c.id)
        ).all()
    return [as_row(OutboxRow, row) for row in rows]


def accepted(desk: Desk, who: str = "ann") -> int:
    lead = desk.arrives()
    done(desk.do(answer_offer.accept, who, desk.offer_of(lead)))
    return lead


# ------------------------------------------------------------------ undo


def test_a_touch_after_an_undone_and_repeated_accept_can_be_taken_back(desk: Desk) -> None:
    lead = accepted(desk)
    done(desk.do(answer_offer.undo, "ann", desk.offer_of(lead)))
    done(desk.do(answer_offer.accept, "ann", desk.offer_of(lead)))
    done(desk.do(work_lead.log_touch, "ann", desk.offer_of(lead), "email"))
    done(desk.do(work_lead.undo_touch, "ann", desk.offer_of(lead)))
    assert desk.lead(lead).status == "accepted"
    assert len(clocks_of(desk, lead, "first_touch", running=True)) == 1


def test_what_a_manager_took_and_undid_does_not_lie_about_without_a_clock(desk: Desk) -> None:
    lead = desk.arrives()
    done(desk.do(manage_lead.take, "dana", desk.offer_of(lead)))
    desk.forward(1)
    done(desk.do(answer_offer.undo, "dana", desk.offer_of(lead)))
    assert desk.lead(lead).status == "offered"
    assert len(clocks_of(desk, lead, "accept", running=True)) == 1


# ------------------------------------------------------------------ a lead that changes hands


def test_the_next_owner_of_a_worked_lead_has_a_follow_up_clock_too(desk: Desk) -> None:
    lead = accepted(desk)
    done(desk.do(work_lead.log_touch, "ann", desk.offer_of(lead), "email"))
    done(desk.do(manage_lead.reassign, "dana", desk.offer_of(lead), desk.person_id("ben")))
    done(desk.do(answer_offer.accept, "ben", desk.offer_of(lead)))
    desk.forward(1)
    done(desk.do(work_lead.log_touch, "ben", desk.offer_of(lead), "email"))
    running = clocks_of(desk, lead, "follow_up", running=True)
    assert [clock.person_id for clock in running] == [desk.person_id("ben")]


def test_the_next_owner_who_takes_a_touch_back_still_owes_the_first_one(desk: Desk) -> None:
    lead = accepted(desk)
    done(desk.do(work_lead.log_touch, "ann", desk.offer_of(lead), "email"))
    done(desk.do(manage_lead.reassign, "dana", desk.offer_of(lead), desk.person_id("ben")))
    done(desk.do(answer_offer.accept, "ben", desk.offer_of(lead)))
    desk.forward(1)
    done(desk.do(work_lead.log_touch, "ben", desk.offer_of(lead), "email"))
    done(desk.do(work_lead.undo_touch, "ben", desk.offer_of(lead)))
    assert desk.lead(lead).status == "accepted"
    running = clocks_of(desk, lead, "first_touch", running=True)
    assert [clock.person_id for clock in running] == [desk.person_id("ben")]
    done(desk.do(work_lead.log_touch, "ben", desk.offer_of(lead), "email"))
    running = clocks_of(desk, lead, "follow_up", running=True)
    assert [clock.person_id for clock in running] == [desk.person_id("ben")]


def test_the_manager_hears_of_the_next_owners_silence_although_the_first_matter_was_settled(
    desk: Desk,
) -> None:
    lead = accepted(desk)
    desk.forward(70)  # ann does not call
    desk.deliver()
    done(desk.do(work_lead.log_touch, "ann", desk.offer_of(lead), "email"))
    desk.deliver()  # the manager reads that it is settled
    done(desk.do(manage_lead.reassign, "dana", desk.offer_of(lead), desk.person_id("ben")))
    done(desk.do(answer_offer.accept, "ben", desk.offer_of(lead)))
    desk.deliver()
    desk.forward(70)  # nor does ben
    told = [row for row in posts(desk, "escalation") if ":first_touch:" in row.card_key]
    assert [row.state for row in told] == ["sent", "pending"]


def test_a_recycled_lead_was_decided(desk: Desk) -> None:
    lead = accepted(desk)
    done(desk.do(answer_offer.recycle, "ann", desk.offer_of(lead), "no_budget", None))
    assert [clock.outcome for clock in clocks_of(desk, lead, "decide")] == ["met"]


# ------------------------------------------------------------------ late cards, tightened clocks


def test_a_card_that_came_late_gives_the_time_back_to_the_first_touch_too(desk: Desk) -> None:
    lead = desk.arrives(source="webinar")
    offer = desk.offer_of(lead)
    desk.now += timedelta(hours=3)  # Slack was down
    row = next(r for r in posts(desk, "lead_card") if r.offer_id == offer)
    with desk.work() as work:
        after_sent(work, row)
    done(desk.do(answer_offer.accept, "ann", offer))
    due = clocks_of(desk, lead, "first_touch")[0].due_at
    assert due == desk.now + timedelta(hours=8)


def test_a_late_card_takes_no_time_away_that_a_manager_gave(desk: Desk) -> None:
    lead = desk.arrives(source="webinar")
    done(desk.do(manage_lead.extend, "dana", desk.offer_of(lead), "2d"))
    due = clocks_of(desk, lead, "accept")[0].due_at
    desk.now += timedelta(hours=1)
    with desk.work() as work:
        after_sent(work, posts_in(work, "lead_card")[0])
    assert clocks_of(desk, lead, "accept")[0].due_at == due


def posts_in(work: Work, template: str) -> list[OutboxRow]:
    rows = work.conn.execute(select(_outbox).where(_outbox.c.template == template))
    return [as_row(OutboxRow, row) for row in rows]


def test_a_new_hand_raise_brings_the_steps_of_its_agreement_with_it(desk: Desk) -> None:
    lead = desk.arrives(source="webinar")
    desk.forward(180)
    desk.arrives(source="contact_me", external_id="form-1", message="Call me, please")
    clock = clocks_of(desk, lead, "accept", running=True)[0]
    assert clock.due_at == desk.now + timedelta(minutes=20)
    desk.forward(16)
    assert len(posts(desk, "reminder")) == 2 or posts(desk, "reminder")[-1].clock_id == clock.id
    assert any(row.created_at > desk.now - timedelta(minutes=5) for row in posts(desk, "reminder"))
    desk.forward(5)
    assert [row.lead_id for row in posts(desk, "escalation")] == [lead]


# ------------------------------------------------------------------ poison


def test_a_step_that_the_database_refuses_does_not_stop_the_clocks_of_others(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = desk.arrives()
    good = desk.arrives(
        external_id="k2", email="otto@initech.example", company="Initech", country="US"
    )
    real_offer_next = offer_lead.offer_next

    def refused(work: Work, lead: leads.LeadRow, action: Action, *args: Any, **named: Any) -> Any:
        if lead.id == bad:
            offers.insert_offer(work.conn, id="twice", lead_id=lead.id, round=1, rep_id=1)
        return real_offer_next(work, lead, action, *args, **named)

    monkeypatch.setattr(fire_timers, "offer_next", refused)
    desk.forward(21)
    assert desk.lead(bad).lapses == 0
    assert desk.lead(good).lapses == 1


def test_a_step_that_fails_is_tried_again_for_a_while_before_it_is_parked(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead = desk.arrives()
    real_offer_next = offer_lead.offer_next

    def broken(*args: object, **named: object) -> None:
        raise RuntimeError("a bug of ours")

    monkeypatch.setattr(fire_timers, "offer_next", broken)
    desk.forward(0.5)
    desk.now += timedelta(minutes=20)
    for _ in range(10):  # as fast as the tick rings
        with desk.work() as work:
            fire_due(work)
    monkeypatch.setattr(fire_timers, "offer_next", real_offer_next)
    desk.forward(5)
    assert desk.lead(lead).lapses == 1


def test_a_woken_lead_that_could_not_be_judged_is_still_offered_as_agreed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead = desk.arrives(source="webinar")
    done(desk.do(answer_offer.recycle, "ann", desk.offer_of(lead), "no_budget", None))
    with desk.work() as work:  # by now the definition would not let it pass
        row = leads.read_lead(work.conn, lead)
        assert row is not None
        leads.save_facts(work.conn, row, replace(JANA, source="list"))
    desk.now += timedelta(days=91)
    real_judge = scoring.score_lead

    def broken(*args: object) -> None:
        raise RuntimeError("a bug of ours")

    monkeypatch.setattr(judge_lead, "score_lead", broken)
    with desk.work() as work:
        fire_due(work)
    assert desk.lead(lead).status == "received"
    monkeypatch.setattr(judge_lead, "score_lead", real_judge)
    desk.forward(2)
    assert desk.lead(lead).status == "offered"


# ------------------------------------------------------------------ who hears, who may


def test_an_escalation_that_nobody_can_get_goes_to_marketings_channel(desk: Desk) -> None:
    accepted(desk)
    desk.forward(70)
    row = posts(desk, "escalation")[0]
    with desk.work() as work:
        for who in ("dana", "vera"):
            people.save_person(work.conn, desk.member(work, who).id, slack_channel_id=None)
        work.forget_roster()
        after_failure(work, row, "channel_not_found")
    assert [r.lane for r in posts(desk, "escalation")[1:]] == ["ch:C0REVIEW"]


def test_marketing_does_not_offer_it_to_somebody_who_said_no(desk: Desk) -> None:
    lead = desk.arrives()
    done(desk.do(answer_offer.reject, "ann", desk.offer_of(lead), "not_our_kind"))
    desk.forward(1)
    other = desk.arrives(external_id="k2", email="otto@initech.example", language="en")
    assert desk.lead(other).owner_id == desk.person_id("ben")  # so that ann has waited longer
    review = desk.lead(lead).review_id
    assert review is not None
    done(desk.do(review_lead.offer_again, "olga", review, "team:emea"))
    assert desk.lead(lead).owner_id == desk.person_id("ben")
