"""What reported activities do: counted, confirmed, corrected, taken back, in any order and from two sides.

What is not here: the way in over HTTP, both databases (`scenarios/test_touches_in`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.funnel import Status
from bot.domain.refusal import Refusal
from bot.services import answer_offer, work_lead
from bot.services.answer_offer import Done
from storage import journal, leads
from tests.services.crm_kit import Crm, accepted, clock, later, made, minute
from tests.services.desk_kit import Desk


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    desk = Desk(database_url)
    yield desk
    desk.database.dispose()


@pytest.fixture
def crm(desk: Desk) -> Crm:
    return Crm(desk)


def test_a_call_told_late_is_judged_by_when_it_was_made(desk: Desk, crm: Crm) -> None:
    lead = accepted(desk)
    later(desk, 90)
    assert clock(desk, lead).breached_at is not None
    desk.deliver()
    assert "Log call…" in desk.buttons("card:")
    told = crm.tells(at=40)
    assert told == {"status": "accepted", "effect": "counted", "lead": lead}
    first = clock(desk, lead)
    assert (first.outcome, first.breached_at, minute(first.ended_at)) == ("met", None, 40)
    assert first.taken_seconds == 40 * 60
    assert minute(clock(desk, lead, "follow_up").started_at) == 40
    row = desk.lead(lead)
    assert (row.status, row.touches, minute(row.touched_at)) == ("working", 1, 40)
    desk.deliver()
    assert "contacted by Ann Lee" in desk.shown("esc:"), (
        "the manager's message is edited to its end"
    )
    assert "40 min after" in desk.shown("esc:")
    assert "in the CRM" in desk.shown("card:")


def test_a_call_made_late_is_late_however_soon_we_hear_of_it(desk: Desk, crm: Crm) -> None:
    lead = accepted(desk)
    later(desk, 71)
    crm.tells(at=70)
    first = clock(desk, lead)
    assert (first.outcome, minute(first.breached_at)) == ("late", 60)


def test_a_call_on_an_offer_is_accept_and_touch(desk: Desk, crm: Crm) -> None:
    lead = desk.arrives()
    later(desk, 12)
    assert crm.tells(at=10)["effect"] == "counted"
    row = desk.lead(lead)
    assert (row.status, minute(row.accepted_at), row.touches) == ("working", 10, 1)
    for kind in ("accept", "first_touch"):
        ended = clock(desk, lead, kind)
        assert (ended.outcome, minute(ended.ended_at)) == ("met", 10), kind
    later(desk, 240)
    assert desk.lead(lead).owner_id == desk.person_id("ann"), "nothing is left to lapse"


NOTED: list[tuple[dict[str, Any], str]] = [
    ({"actor": "ben@acme.example"}, "not_holder"),
    ({"actor": "zoe@acme.example"}, "unknown_actor"),
    ({"automated": True}, "automated"),
    ({"kind": "email", "direction": "inbound"}, "inbound"),
    ({"kind": "task"}, "kind"),
    ({"at": -2}, "before_offer"),
]


def test_what_is_no_touch_of_the_holder_is_only_journalled(desk: Desk, crm: Crm) -> None:
    lead = accepted(desk)
    for n, (fields, reason) in enumerate(NOTED):
        told = crm.tells(f"t{n}", **fields)
        assert (told["effect"], told["reason"]) == ("noted", reason), fields
    assert (desk.lead(lead).status, made(desk, lead)) == ("accepted", [])
    with desk.work() as work:
        noted = [e.data for e in journal.list_entries(work.conn, "lead", lead)][-len(NOTED) :]
    assert [entry["reason"] for entry in noted] == [reason for _, reason in NOTED]
    assert "@" not in str(noted), "no personal data in the journal"


def test_a_lead_that_nobody_holds_and_one_that_is_only_history(desk: Desk, crm: Crm) -> None:
    lead = accepted(desk)
    desk.do(answer_offer.give_back, "ann", desk.offer_of(lead), "not_our_kind")
    assert crm.tells("t1", at=0)["reason"] == "not_holder"
    row = desk.lead(lead)
    with desk.work() as work:
        leads.save_lead(work.conn, row, kind="history")
    assert crm.tells("t2", at=0)["reason"] == "history"


def test_a_qualified_lead_counts_and_does_not_move(desk: Desk, crm: Crm) -> None:
    lead = accepted(desk)
    desk.do(work_lead.qualify, "ann", desk.offer_of(lead))
    assert crm.tells(at=0)["effect"] == "counted"
    assert (desk.lead(lead).state, desk.lead(lead).touches) == (Status.QUALIFIED, 1)
    assert crm.deletes()["effect"] == "withdrawn"
    assert (desk.lead(lead).state, desk.lead(lead).touches) == (Status.QUALIFIED, 0)


# ------------------------------------------------------------------ what a rep said, and what the CRM says


def test_a_call_in_time_was_in_time_also_when_the_lead_is_won_before_the_crm_tells(
    desk: Desk, crm: Crm
) -> None:
    lead = accepted(desk)
    offer = desk.offer_of(lead)
    later(desk, 71)
    desk.do(work_lead.log_touch, "ann", offer, "call", "reached")
    desk.do(work_lead.qualify, "ann", offer)
    desk.do(work_lead.close, "ann", offer, "won")
    assert clock(desk, lead).outcome == "late"
    assert crm.tells(at=40)["effect"] == "verified"
    first = clock(desk, lead)
    assert (first.outcome, first.breached_at, minute(first.ended_at)) == ("met", None, 40)
    assert desk.lead(lead).state is Status.WON


def test_a_logged_call_is_verified_once_and_stands_at_the_earlier_time(
    desk: Desk, crm: Crm
) -> None:
    lead = accepted(desk)
    later(desk, 65)
    desk.do(work_lead.log_touch, "ann", desk.offer_of(lead), "call", "reached")
    assert clock(desk, lead).outcome == "late"
    assert crm.tells("t1", at=50, kind="meeting")["effect"] == "verified"
    (touch,) = made(desk, lead)
    assert (touch.state, minute(touch.at), touch.kind) == ("verified", 50, "call")
    assert clock(desk, lead).outcome == "met", "it was made in time, and only logged late"
    # Another call is another touch: nothing is verified twice.
    assert crm.tells("t2", at=64)["effect"] == "counted"
    assert desk.lead(lead).touches == 2


def test_what_is_near_and_alike_is_the_same(desk: Desk, crm: Crm) -> None:
    ways = [(-0.5, "call", "verified"), (239, "meeting", "verified"), (241, "call", "counted"),
            (61, "email", "counted")]  # fmt: skip
    for n in range(len(ways)):
        lead = desk.arrives(external_id=str(n), email="")
        desk.do(answer_offer.accept, "ann", desk.offer_of(lead))
        desk.do(work_lead.log_touch, "ann", desk.offer_of(lead), "call", "reached")
    desk.now += timedelta(minutes=310)
    for n, (at, kind, effect) in enumerate(ways):
        told = crm.tells(f"t{n}", external_id=str(n), at=at, kind=kind)
        assert told["effect"] == effect, (at, kind)
        assert desk.lead(told["lead"]).touches == (1 if effect == "verified" else 2)


def test_whoever_logs_what_the_crm_just_told_us_logs_the_same_touch(desk: Desk, crm: Crm) -> None:
    lead = accepted(desk)
    offer = desk.offer_of(lead)
    later(desk, 20)
    crm.tells(at=10)
    later(desk, 5)
    assert desk.do(work_lead.log_touch, "ann", offer, "call", "reached") == Done(lead)
    twice = desk.do(work_lead.log_touch, "ann", offer, "call", "reached")
    assert isinstance(twice, Refusal)
    assert twice.code == "already_done"
    assert [t.state for t in made(desk, lead)] == ["verified"]
    later(desk, 2)
    assert desk.do(work_lead.log_touch, "ann", offer, "call", "no_answer") == Done(lead)
    assert [t.state for t in made(desk, lead)] == ["verified", "self_reported"]
    later(desk, 60)
    crm.tells("t9", at=80, kind="email")
    later(desk, 40)
    desk.do(work_lead.log_touch, "ann", offer, "email")
    assert desk.lead(lead).touches == 4, "an hour later it is another one"


def test_a_verified_touch_is_not_undone_in_slack(desk: Desk, crm: Crm) -> None:
    lead = accepted(desk)
    desk.do(work_lead.log_touch, "ann", desk.offer_of(lead), "call", "reached")
    crm.tells(at=0)
    answer = desk.do(work_lead.undo_touch, "ann", desk.offer_of(lead))
    assert isinstance(answer, Refusal)
    assert answer.code == "touch_in_crm"
    assert desk.lead(lead).touches == 1


def test_two_systems_tell_of_one_call(desk: Desk, crm: Crm) -> None:
    lead = accepted(desk)
    crm.tells("t1", at=0)
    again = crm.tells("dialler-1", at=0.3)
    assert (again["effect"], again["reason"]) == ("noted", "same_touch")
    assert desk.lead(lead).touches == 1
