"""What reported activities do when they are changed, deleted or too early: in any order the same in the end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from bot.services import answer_offer, manage_lead, work_lead
from bot.services.take_touches import TouchMessage, take_touches
from handlers.intake_items import touches_of
from storage import activities, inbox
from tests.services.crm_kit import Crm, accepted, clock, later, made, minute
from tests.services.desk_kit import START, Desk


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    desk = Desk(database_url)
    yield desk
    desk.database.dispose()


@pytest.fixture
def crm(desk: Desk) -> Crm:
    return Crm(desk)


# ------------------------------------------------------------------ changed, deleted, in any order


def test_a_deleted_first_call_lets_the_clock_run_on(desk: Desk, crm: Crm) -> None:
    lead = accepted(desk)
    later(desk, 30)
    crm.tells(at=20)
    desk.deliver()
    later(desk, 10)
    assert crm.deletes() == {
        "status": "updated", "effect": "withdrawn", "lead": lead, "reason": "deleted"
    }  # fmt: skip
    first = clock(desk, lead)
    assert (first.ended_at, minute(first.due_at)) == (None, 80), "the 40 minutes that were left"
    row = desk.lead(lead)
    assert (row.status, row.touches, row.touched_at) == ("accepted", 0, None)
    desk.deliver()
    assert "Log call…" in desk.buttons("card:")
    assert crm.tells(at=20)["status"] == "duplicate", "what was deleted stays so"
    assert desk.lead(lead).touches == 0


def test_a_deleted_confirmation_leaves_the_word_of_the_rep(desk: Desk, crm: Crm) -> None:
    """Whichever came first, the log or the report, it ends the same."""
    ends: list[tuple[object, ...]] = []
    for log_first in (True, False):
        desk.now = START + timedelta(days=7 * len(ends))
        lead = desk.arrives(external_id=f"jana-{log_first}", email="")
        offer, begin = desk.offer_of(lead), desk.now
        desk.do(answer_offer.accept, "ann", offer)
        later(desk, 10)

        def told(id_: str = f"x{log_first}", at: datetime = begin, key: bool = log_first) -> None:
            said = (at + timedelta(minutes=5)).isoformat()
            crm.tells(id_, external_id=f"jana-{key}", occurred_at=said)

        def log(offer: str = offer) -> None:
            desk.do(work_lead.log_touch, "ann", offer, "call", "reached")

        for step in (log, told) if log_first else (told, log):
            step()
        (touch,) = made(desk, lead)
        assert (touch.state, touch.at - begin) == ("verified", timedelta(minutes=5))
        crm.deletes(f"x{log_first}")
        (touch,) = made(desk, lead)
        first = clock(desk, lead)
        assert first.ended_at is not None
        ends.append(
            (touch.state, touch.at - begin, touch.outcome, desk.lead(lead).touches,
             desk.lead(lead).status, first.outcome, first.ended_at - begin)
        )  # fmt: skip
    assert ends[0] == ends[1]
    assert ends[0][:2] == ("self_reported", timedelta(minutes=10))


def test_a_corrected_activity_corrects_its_touch_and_counts_once(desk: Desk, crm: Crm) -> None:
    lead = accepted(desk)
    later(desk, 70)
    crm.tells(at=65)
    assert clock(desk, lead).outcome == "late"
    told = crm.tells(at=55, outcome="voicemail", kind="call")
    assert (told["status"], told["effect"]) == ("updated", "counted")
    (touch,) = made(desk, lead)
    assert (minute(touch.at), touch.outcome) == (55, "no_answer")
    assert clock(desk, lead).outcome == "met"
    assert crm.tells(at=55, outcome="voicemail")["status"] == "duplicate"
    # It was a sequence after all: no touch.
    told = crm.tells(at=55, outcome="voicemail", automated=True)
    assert (told["status"], told["effect"], told["reason"]) == ("updated", "noted", "automated")
    assert (desk.lead(lead).status, desk.lead(lead).touches) == ("accepted", 0)
    # No, it was Ann.
    assert crm.tells(at=55, outcome="voicemail")["effect"] == "counted"
    assert desk.lead(lead).touches == 1


def test_the_first_of_several_touches_ends_the_clock_whichever_is_told_first(
    desk: Desk, crm: Crm
) -> None:
    lead = accepted(desk)
    later(desk, 100)
    for id_, at in (("t3", 90), ("t2", 70), ("t1", 30)):
        crm.tells(id_, at=at)
    assert (clock(desk, lead).outcome, minute(clock(desk, lead).ended_at)) == ("met", 30)
    assert minute(desk.lead(lead).touched_at) == 30
    followed = clock(desk, lead, "follow_up")
    assert (followed.outcome, minute(followed.ended_at)) == ("met", 90), "three touches were agreed"
    crm.deletes("t1")
    assert (clock(desk, lead).outcome, minute(clock(desk, lead).ended_at)) == ("late", 70)
    assert clock(desk, lead, "follow_up").ended_at is None


def test_another_lead_of_the_same_activity(desk: Desk, crm: Crm) -> None:
    lead = accepted(desk)
    other = desk.arrives(external_id="otto", email="otto@initech.example")
    crm.tells(at=0)
    told = crm.tells(at=0, external_id="otto")
    assert (told["status"], told["lead"]) == ("updated", other)
    assert (desk.lead(lead).touches, desk.lead(lead).status) == (0, "accepted")
    assert told["effect"] == ("counted" if desk.lead(other).touches else "noted")


def end_of(desk: Desk, lead: int) -> tuple[object, ...]:
    row = desk.lead(lead)
    with desk.work() as work:
        known = activities.find_activity(work.conn, "crm", f"p{row.external_id}")
    assert known is not None
    return (
        row.status, row.touches, row.touched_at is None, [(t.state, t.at, t.outcome) for t in made(desk, lead)],
        known.effect, clock(desk, lead).ended_at is None,
    )  # fmt: skip


@pytest.mark.parametrize("deleted", [True, False])
def test_created_changed_deleted_and_told_twice_ends_the_same_in_any_order(
    desk: Desk, crm: Crm, deleted: bool
) -> None:
    versions = [
        {"outcome": "no_answer", "changed_at": START.isoformat()},
        {"outcome": "reached", "changed_at": (START + timedelta(minutes=1)).isoformat()},
    ]
    happens: list[dict[str, Any]] = [*versions, {"deleted": True}]
    steps = [0, 1, 2] if deleted else [0, 1, 0]
    ends = []
    for n, order in enumerate(sorted(set(permutations(steps)))):
        desk.now = START - timedelta(minutes=1)
        lead = desk.arrives(external_id=str(n), email="", source="webinar")
        offer = desk.offer_of(lead)
        who = "ann" if desk.lead(lead).owner_id == desk.person_id("ann") else "ben"
        desk.do(answer_offer.accept, who, offer)
        desk.now = START + timedelta(minutes=5)
        for i in order:
            by = {"actor": f"{who}@acme.example", "source": "webinar", "external_id": str(n)}
            crm.tells(f"p{n}", at=1, **by, **happens[i])
        ends.append(end_of(desk, lead))
    assert all(end == ends[0] for end in ends), ends
    assert ends[0][1] == (0 if deleted else 1)
    assert deleted or ends[0][3] == [("verified", START + timedelta(minutes=1), "reached")]


# ------------------------------------------------------------------ what waits


def test_a_touch_of_an_unknown_lead_waits_for_it(desk: Desk, crm: Crm) -> None:
    assert crm.tells(at=5) == {"status": "quarantined", "reason": "unknown lead"}
    assert crm.tells("t2", at=-60)["status"] == "quarantined"
    assert crm.retries() == 0, "looking writes nothing while the lead is not there"
    lead = accepted(desk)
    later(desk, 30)
    assert crm.retries() == 2
    assert (desk.lead(lead).touches, desk.lead(lead).status) == (1, "working")
    assert minute(desk.lead(lead).touched_at) == 5
    assert crm.retries() == 0
    with desk.work() as work:
        assert inbox.list_quarantined(work.conn) == []


def test_after_three_days_it_is_looked_at_no_more_but_kept(desk: Desk, crm: Crm) -> None:
    crm.tells(at=0)
    desk.now += timedelta(days=3, minutes=1)
    desk.arrives()
    assert crm.retries() == 0
    with desk.work() as work:
        assert len(inbox.list_quarantined(work.conn)) == 1


def test_a_deletion_of_what_we_never_heard_of_waits_for_it(desk: Desk, crm: Crm) -> None:
    lead = accepted(desk)
    assert crm.deletes() == {"status": "quarantined", "reason": "unknown activity"}
    crm.tells(at=0)
    assert crm.retries() == 1
    assert (desk.lead(lead).touches, desk.lead(lead).status) == (0, "accepted")


def test_a_message_id_of_the_other_door_is_another_message(desk: Desk, crm: Crm) -> None:
    lead = accepted(desk)  # the desk's messages are m1, m2 … of "test"
    parsed = touches_of({"id": "t1", "deleted": True, "source": "contact_me", "external_id": "jana"},
                        "test", desk.now)  # fmt: skip
    assert isinstance(parsed, tuple)
    with desk.work() as work:
        told = take_touches(work, TouchMessage("test", "m1", "another", b"", parsed))
    assert not told.conflict
    assert told.results[0]["effect"] == "withdrawn"
    assert desk.lead(lead).touches == 0


def test_a_former_owner_is_verified_and_the_new_one_has_the_clock(desk: Desk, crm: Crm) -> None:
    lead = accepted(desk)
    later(desk, 10)
    desk.do(work_lead.log_touch, "ann", desk.offer_of(lead), "call", "reached")
    desk.do(manage_lead.take, "dana", desk.offer_of(lead))
    assert crm.tells("t1", at=9)["effect"] == "verified"
    assert crm.tells("t2", at=9, kind="email")["reason"] == "not_holder"
    assert clock(desk, lead).ended_at is None, "Dana has not touched it yet"
    assert crm.deletes("t1")["effect"] == "withdrawn"
    assert clock(desk, lead).ended_at is None
