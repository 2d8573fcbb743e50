"""Posts in doubt are settled by looking: once if they stand there, again if they do not, never twice for good."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from bot.gateways.slack import SlackBusy, SlackInDoubt, SlackRefused
from bot.gateways.slack_reading import Page, Seen, page_of
from bot.services import deliver_rules
from bot.services.deliver_types import Drop, Rendered
from bot.services.doubt_rules import MAY_BE_SKIPPED
from bot.services.examine_slack import _histories
from storage import outbox
from tests.services.deliver_kit import FakeSlack, Office


def looks(slack: FakeSlack) -> list[tuple[str, str]]:
    return [(m, where) for m, where, _ in slack.calls if m in ("history", "replies")]


async def minutes_pass(office: Office, minutes: float) -> None:
    office.time += timedelta(minutes=minutes)
    await office.pass_time(3)


async def test_a_post_whose_answer_was_lost_is_found_and_brought_up_to_date(office: Office) -> None:
    office.slack.lose_answers = 1
    office.decide("card:1")
    office.decide("card:2")
    await office.pass_time(10)
    assert office.slack.texts("Dann") == ["card:1", "card:2"], "it keeps nobody waiting"
    row = office.row("card:1")
    assert (row.state, row.doubts, row.reason) == ("doubt", 1, "in doubt 1: no answer in time")
    assert office.row("card:2").state == "sent"
    office.change("card:1", "accepted")
    await office.pass_time(15)
    assert office.slack.texts("Dann") == ["accepted", "card:2"]
    assert office.sent == ["card:2", "card:1"]
    [post] = [r for r in (office.row("card:1"),) if r.edits]
    assert post.state == "sent"
    await office.pass_time(5)
    assert len(looks(office.slack)) == 1
    assert not office.slack.calls.count(("delete", "Dann", ""))


async def test_a_clock_far_ahead_of_slacks_overlooks_nothing(office: Office) -> None:
    office.slack.at = office.time - timedelta(minutes=10)
    office.slack.lose_answers = 1
    office.decide("card:1")
    await office.deliverer.drain()
    office.time += timedelta(seconds=20)
    await office.pass_time(1)
    assert office.row("card:1").state == "sent"
    assert office.slack.texts("Dann") == ["card:1"]


async def test_one_that_is_not_there_goes_again_and_the_late_one_is_removed(office: Office) -> None:
    lost = SlackInDoubt("no answer in time"), SlackInDoubt("http 500")
    office.slack.next = [lost[0], None, lost[1], None, SlackBusy(1)]  # None: a look
    office.decide("card:1")
    await office.pass_time(50)
    first = office.row("card:1")
    assert office.slack.texts("Dann") == ["card:1"]
    assert (first.state, first.reason) == ("sent", "in doubt 2: http 500")
    # Slack had the very first one after all, and shows it late: it stands before the other.
    office.slack.messages = {("Dann", "0.5"): {"text": "card:1"}, **office.slack.messages}
    office.slack.stands["Dann", "0.5"] = (first.delivery_id, "")
    office.change("card:1", "accepted")
    await minutes_pass(office, 5)
    assert office.slack.messages == {("Dann", "0.5"): {"text": "accepted", "blocks": [{}]}}
    assert office.row("card:1").recheck_at is None
    assert office.sent == ["card:1"]


async def test_one_reading_answers_for_a_whole_conversation_and_its_threads_have_their_own(
    office: Office,
) -> None:
    office.decide("card:1")
    await office.pass_time(1)
    office.views["remind:1"] = Rendered({"text": "soon"}, thread_of="card:1", broadcast=True)
    office.slack.lose_answers = 3
    for key in ("card:2", "card:3", "remind:1"):
        office.decide(key, template="reminder" if key == "remind:1" else "lead_card")
    await office.pass_time(40)
    assert sorted(looks(office.slack)) == [("history", "Dann"), ("replies", "Dann")]
    assert len(office.slack.messages) == 4
    assert {office.row(f"card:{n}").state for n in (2, 3)} == {"sent"}


async def test_what_nobody_needs_any_more_is_found_all_the_same_and_shows_the_end(
    office: Office,
) -> None:
    office.slack.lose_answers = 1
    office.decide("card:1")
    await office.pass_time(2)
    office.views["card:1"] = Rendered({"text": "taken back"}, closed=True)
    await office.pass_time(30)
    assert office.slack.texts("Dann") == ["taken back"]

    office.slack.next = [SlackInDoubt("reset")]
    office.decide("card:2", office.ben)
    await office.pass_time(2)
    office.views["card:2"] = Drop("offer_lapsed")
    await office.pass_time(30)
    assert office.row("card:2").state == "superseded"
    assert office.slack.texts("Dben") == []


async def test_where_nobody_can_look_offers_go_again_and_boards_are_left_out(
    office: Office,
) -> None:
    error = "missing_scope"
    office.slack.unreadable = {"Cboard": SlackRefused(error), "Dann": SlackRefused(error)}
    office.slack.lose_answers = 2
    office.decide("card:1")
    office.decide("board", template="leaderboard", lane="ch:Cboard", priority=4)
    await office.pass_time(30)
    assert office.slack.texts("Dann") == ["card:1", "card:1"], "rather twice than never"
    assert office.slack.texts("Cboard") == ["board"], "rather never than twice"
    board = office.row("board")
    assert (board.state, board.reason) == (
        "dead",
        f"left out: in doubt 1: no answer in time, and nobody can look ({error})",
    )
    assert office.failed == [], "the next one covers it: nobody is told"
    await minutes_pass(office, 5)
    assert office.row("card:1").recheck_at is None


async def test_a_board_that_is_not_there_waits_until_it_can_hardly_come_any_more(
    office: Office,
) -> None:
    office.slack.next = [SlackInDoubt("reset")]
    office.decide("board", template="leaderboard", lane="ch:Cboard", priority=4)
    await office.pass_time(25)
    assert office.row("board").state == "doubt"
    assert office.slack.texts("Cboard") == []
    await minutes_pass(office, 5)
    assert office.slack.texts("Cboard") == ["board"]


async def test_slack_that_does_not_let_us_look_now_is_asked_later(office: Office) -> None:
    office.slack.lose_answers = 1
    office.decide("card:1")
    await office.deliverer.drain()
    office.slack.next = [SlackBusy(60), SlackInDoubt("http 500"), SlackRefused("invalid_auth")]
    for _ in range(4):
        await minutes_pass(office, 1)
    assert office.slack.texts("Dann") == ["card:1"]
    assert len(looks(office.slack)) == 4
    assert office.row("card:1").state == "sent"


async def test_a_list_in_doubt_loses_nothing_that_it_carries(office: Office) -> None:
    for n in range(6):
        office.decide(f"card:{n}")
    office.slack.lose_answers = 1
    await office.pass_time(2)
    [texts] = office.slack.messages.values()
    assert "card:5" in texts["text"]
    carried = office.row("card:0")
    assert (carried.state, carried.settled_at) == ("folded", None)
    # It is found; but it is gone when it is to be brought up to date: what it carried is sent elsewhere.
    office.slack.always = {}
    original = office.slack.update

    async def gone(channel: str, ts: str, message: Any) -> Any:
        office.slack.update = original  # type: ignore[method-assign]
        raise SlackRefused("message_not_found")

    office.slack.update = gone  # type: ignore[method-assign]
    await office.pass_time(40)
    shown = " ".join(m["text"] for m in office.slack.messages.values())
    assert shown.count("card:0") == 2
    assert {office.row(f"card:{n}").state for n in range(6)} == {"folded"}
    assert office.row("card:0").settled_at is not None


async def test_two_settlers_do_not_look_at_one_conversation(office: Office) -> None:
    office.slack.lose_answers = 1
    office.decide("card:1")
    await office.pass_time(1)
    office.time += timedelta(seconds=21)
    first, second = office.another_settler(), office.another_settler(worker="w2")
    claimed = first._claim_lane()
    assert [row.card_key for row in claimed] == ["card:1"]
    assert second._claim_lane() == []
    office.time += timedelta(seconds=61)  # the first one stalled
    await second.drain()
    await first._settle_lane(claimed)
    assert office.sent == ["card:1"]


def test_lists_and_what_is_never_given_up_are_never_left_out() -> None:
    assert not MAY_BE_SKIPPED & deliver_rules.NEVER_GIVE_UP
    assert not MAY_BE_SKIPPED & set(outbox.LISTS)


def test_a_page_holds_our_posts_alone_and_a_torn_one_is_none() -> None:
    def message(**more: Any) -> dict[str, Any]:
        metadata = {"event_type": "lead_delivery", "event_payload": {"d": "d-1"}}
        return {"ts": "1.1", "bot_id": "B1", "metadata": metadata, "text": "secret", **more}

    messages = [
        message(), message(bot_id=None), message(metadata={"event_type": "other"}),
        message(metadata=None), {"ts": "1.2", "user": "U1", "text": "thanks"},
    ]  # fmt: skip
    page = page_of({"messages": messages, "response_metadata": {"next_cursor": "c"}})
    assert page == Page((Seen("1.1", "d-1"),), "c")
    assert page_of({"messages": [], "has_more": True}) is None
    assert page_of({"ok": True}) is None


async def test_a_reply_that_went_into_the_conversation_before_its_card_stood_is_seen(
    office: Office,
) -> None:
    office.views["remind:1"] = Rendered({"text": "soon"}, thread_of="card:1", broadcast=True)
    office.slack.lose_answers = 1
    office.decide("remind:1", template="reminder")
    await office.pass_time(1)
    office.decide("card:1")
    await office.pass_time(25)
    assert sorted(office.slack.texts("Dann")) == ["card:1", "soon"]
    assert office.row("remind:1").state == "sent"


def test_the_doctor_says_what_can_be_looked_into() -> None:
    said = [
        _histories(frozenset(scopes.split()))
        for scopes in ("", "im:history", "im:history channels:history groups:history")
    ]
    assert [str(each.level) for each in said] == ["warn", "note", "ok"]
    assert "public and private channels cannot" in said[1].what
