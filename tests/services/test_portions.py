"""Long messages are applied in portions, waiting touches looked at in bounded goes, old notes of clicks forgotten.

What is not here: what an item does (`test_take_touches`), the way in over HTTP (`tests/handlers`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.refusal import Refusal
from bot.services import act_once as acting
from bot.services import answer_offer, take_touches
from bot.services.act_once import act_once, forget_old
from bot.services.answer_offer import Done
from bot.services.keep_message import Received
from bot.services.receive_leads import Incoming, Message, receive_leads, replay_message
from bot.services.take_touches import find_ready
from handlers.intake_items import touches_of_stored
from storage import inbox
from tests.services.crm_kit import Crm
from tests.services.desk_kit import JANA, Desk


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    desk = Desk(database_url)
    yield desk
    desk.database.dispose()


LIST = (
    Incoming(0, JANA),
    Incoming(1, None, "bad"),
    Incoming(2, replace(JANA, external_id="otto", email="otto@globex.example")),
)


def sent(desk: Desk, most: int | None, sha256: str = "sha") -> Received:
    """The list, or its next portion."""
    with desk.work() as work:
        return receive_leads(work, Message("hub", "list", sha256, b"{}", LIST), most=most)


def test_a_long_list_is_applied_in_portions_between_which_people_can_click(desk: Desk) -> None:
    first = sent(desk, 2)
    assert ([r["status"] for r in first.results], first.done) == (
        ["accepted", "quarantined"],
        False,
    )
    lead = int(first.results[0]["lead"])
    done = desk.do(answer_offer.accept, "ann", desk.offer_of(lead))
    assert done == Done(lead)
    assert sent(desk, 2, sha256="other").conflict, "its id is taken from the first portion on"
    whole = sent(desk, 2)
    assert [r["status"] for r in whole.results] == ["accepted", "quarantined", "accepted"]
    assert whole.done
    again = sent(desk, 2)
    assert [r["status"] for r in again.results] == ["duplicate", "quarantined", "duplicate"]
    assert desk.lead(lead).status == "accepted"


def test_what_was_cut_off_goes_on_where_it_was_and_is_replayed_in_portions(desk: Desk) -> None:
    sent(desk, 1)  # the process is killed; the sender, without an answer, comes again
    assert [r["status"] for r in sent(desk, None).results] == [
        "accepted",
        "quarantined",
        "accepted",
    ]
    mended = tuple(
        Incoming(n, replace(JANA, external_id=f"m{n}", email=f"m{n}@x.example")) for n in range(2)
    )
    with desk.work() as work:
        message = Message("hub", "bad", "sha", b"{}", tuple(Incoming(n, None) for n in range(2)))
        receive_leads(work, message)
        number = inbox.list_quarantined(work.conn)[-1].id
    told = []
    for _ in range(2):
        with desk.work() as work:
            received = replay_message(work, number, lambda *_: mended, most=1)
        assert received is not None
        told.append(([r["status"] for r in received.results], received.done))
    assert told == [(["accepted", "quarantined"], False), (["accepted", "accepted"], True)]


def test_a_look_at_waiting_touches_ends_after_some_and_goes_on_there(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(take_touches, "LOOK_AT", 2)
    monkeypatch.setattr(inbox, "WAITING_AT_ONCE", 1)
    crm = Crm(desk)
    for n in range(3):
        assert crm.tells(f"t{n}", external_id=f"l{n}")["reason"] == "unknown lead"
    desk.arrives(external_id="l0")
    looks = []
    before: int | None = None
    for _ in range(2):
        with desk.work() as work:
            found = find_ready(
                work, lambda raw, source: touches_of_stored(raw, source, desk.now), before=before
            )
        before = found.look_on_before
        looks.append((len(found.ready), before is None))
    assert looks == [(0, False), (1, True)], "the newest two first, then the oldest"


def test_a_payload_acts_once_a_refused_one_may_come_again_and_old_notes_go(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acting, "FORGOTTEN_AT_ONCE", 2)
    for key in ("a", "b", "c"):
        with desk.work() as work:
            assert act_once(work, key, lambda: Refusal("not_yours")) == Refusal("not_yours")
            assert act_once(work, key, lambda: "done") == "done"
            assert act_once(work, key, lambda: "done twice") is None
    gone = []
    for wait in (timedelta(hours=23), timedelta(hours=2), timedelta(0)):
        desk.now += wait
        with desk.work() as work:
            gone.append(forget_old(work))
    assert gone == [0, 2, 1]
