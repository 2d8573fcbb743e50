"""Faults that counting by hand found in what reports are made from; each must fail without its mending."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from bot.domain.refusal import Refusal
from bot.services import answer_offer, manage_lead, work_lead
from bot.services.answer_offer import Answer
from bot.services.fire_timers import fire_due
from storage import clocks, offers
from tests.services.desk_kit import JANA, Desk


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    made = Desk(database_url)
    yield made
    made.database.dispose()


def done(answer: Answer) -> None:
    assert not isinstance(answer, Refusal), answer


def test_a_lead_that_a_manager_took_and_put_to_sleep_stays_with_the_team(desk: Desk) -> None:
    """Dana is in no team: her lead came back without one, and was in no team's report."""
    lead = desk.arrives()
    done(desk.do(manage_lead.take, "dana", desk.offer_of(lead)))
    wake = desk.now.date() + timedelta(days=3)
    done(desk.do(answer_offer.recycle, "dana", desk.offer_of(lead), "no_budget", wake))
    desk.now += timedelta(days=4)
    with desk.work() as work:
        fire_due(work)
    found = desk.lead(lead)
    assert (found.status, found.round, found.team) == ("offered", 2, "emea")
    assert found.owner_id == desk.person_id("dana")


def test_a_follow_up_that_began_with_a_withdrawn_touch_is_not_counted_twice(desk: Desk) -> None:
    """A former owner had made the others, so the first touch began and met it; taken back, it stayed met."""
    lead = desk.arrives()
    for who in ("ann", "ben"):
        if who == "ben":
            ben = desk.person_id("ben")
            done(desk.do(manage_lead.reassign, "dana", desk.offer_of(lead), ben))
        done(desk.do(answer_offer.accept, who, desk.offer_of(lead)))
        for kind in ("call", "email") if who == "ann" else ("call",):
            outcome = "reached" if kind == "call" else ""
            done(desk.do(work_lead.log_touch, who, desk.offer_of(lead), kind, outcome))
            desk.now += timedelta(minutes=1)
    assert follow_ups(desk, lead) == ["stopped", "met"]
    done(desk.do(work_lead.undo_touch, "ben", desk.offer_of(lead)))
    assert follow_ups(desk, lead) == ["stopped", "stopped"]
    done(desk.do(work_lead.log_touch, "ben", desk.offer_of(lead), "email"))
    assert follow_ups(desk, lead) == ["stopped", "stopped", "met"]


def follow_ups(desk: Desk, lead: int) -> list[str]:
    with desk.work() as work:
        return [c.outcome for c in clocks.list_clocks(work.conn, lead) if c.kind == "follow_up"]


def test_offers_follow_their_lead_to_another_source(desk: Desk) -> None:
    """Else what arrived would be counted by one source, and what was handed over by another."""
    lead = desk.arrives(source="webinar")
    desk.now += timedelta(minutes=5)
    assert desk.arrives(source="contact_me", external_id="form", email=JANA.email.upper()) == lead

    assert desk.lead(lead).source == "contact_me"
    with desk.work() as work:
        assert [each.source for each in offers.list_offers(work.conn, lead)] == ["contact_me"]
