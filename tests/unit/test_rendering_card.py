"""The lead card: who, by when, what do I do, why me; and its notification."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from bot.rendering import wording
from bot.rendering.ids import ActionId, parse_more
from bot.rendering.lead_card import render_lead_card, render_lead_modal
from bot.rendering.views import (
    LIVE_STATES,
    CardState,
    Ending,
    LastTouch,
    LeadFace,
    NextStop,
    Reader,
    Woken,
)
from tests.unit.rendering_kit import ACCEPTED, JANA, NOW, OFFERED, QUALIFIED, WORKING, minutes
from tests.unit.rendering_limits import buttons, menu, shown, walk

# ------------------------------------------------------------------ the lead card


def test_an_offer_says_who_by_when_and_why() -> None:
    card = render_lead_card(OFFERED)
    assert card["text"].split("\n")[0] == "Jana Novak, Globex: asked for a call. Accept by 10:45"
    assert shown(card).split("\n")[:3] == [
        "🟢 Jana Novak · Globex GmbH asked for a call",
        "Accept by 10:45",
        "VP Operations, 540 people, Vienna, German" + OFFERED.profile.message
        + "Why: asked for a call, VP, 200+ people (92) · Yours: DACH, longest waiting",
    ]  # fmt: skip
    assert buttons(card) == ["Accept", "Reject…", "Recycle…"]
    assert menu(card) == ["Pass on, I'm busy", "Why me?", "Open in CRM"]


def test_every_button_carries_the_offer_id_and_nothing_else() -> None:
    for card in (OFFERED, ACCEPTED, WORKING, QUALIFIED):
        for item in walk(render_lead_card(card)["blocks"]):
            if item.get("type") == "button":
                assert item["value"] == "of_7Hq2"
            if item.get("type") == "overflow":
                assert item["action_id"] == ActionId.LEAD_MORE
                for option in item["options"]:
                    assert parse_more(option["value"]) is not None
                    assert option["value"].endswith(":of_7Hq2")


@pytest.mark.parametrize(
    ("minute", "head"), [(9, "🟢"), (10, "🟡"), (13, "🟡"), (14, "🔴"), (99, "🔴")]
)
def test_the_mark_follows_the_clock_and_the_word_stands_beside_it(minute: int, head: str) -> None:
    card = replace(OFFERED, reader=Reader("Europe/Vienna", minutes(minute)))
    first = shown(render_lead_card(card)).split("\n")[0]
    assert first.startswith(f"{head} Jana Novak · Globex GmbH")
    assert first.endswith({"🟢": "asked for a call", "🟡": ", due soon", "🔴": ", overdue"}[head])


def test_times_on_a_card_are_date_elements_with_a_fallback_in_the_readers_zone() -> None:
    dates = [i for i in walk(render_lead_card(OFFERED)["blocks"]) if i.get("type") == "date"]
    assert [(d["timestamp"], d["format"], d["fallback"]) for d in dates] == [
        (int(minutes(14).timestamp()), "{time}", "10:45")
    ]
    tomorrow = replace(OFFERED, accept_by=minutes(60 * 24))
    later = [i for i in walk(render_lead_card(tomorrow)["blocks"]) if i.get("type") == "date"]
    assert later[0]["format"] == "{date_short_pretty} at {time}"
    assert later[0]["fallback"] == "Thu 10:31"
    assert render_lead_card(tomorrow)["text"].startswith(
        "Jana Novak, Globex: asked for a call. Accept by Thu 10:31"
    )


def test_a_lead_that_slept_says_who_asked_for_it_and_when() -> None:
    pavel = LeadFace("Pavel Duda", "Initech", "P. D.")
    woken = Woken(date(2026, 3, 1), "No budget until autumn", by_reader=True)
    card = render_lead_card(replace(OFFERED, lead=pavel, woken=woken))
    assert "🟢 Pavel Duda · Initech is back, as you asked on 1 March: no budget until" in shown(
        card
    )
    other = render_lead_card(replace(OFFERED, woken=replace(woken, by_reader=False)))
    assert "is back, recycled on 1 March" in shown(other)


def test_a_test_lead_says_so_first() -> None:
    card = render_lead_card(replace(OFFERED, lead=replace(JANA, test=True)))
    assert card["text"].startswith("[TEST] Jana Novak")
    assert "🟢 [TEST] Jana Novak" in shown(card)


def test_accepting_opens_the_contact_details_and_the_log_buttons() -> None:
    card = render_lead_card(ACCEPTED)
    assert card["text"].startswith("Jana Novak, Globex: yours. Contact by 11:34")
    assert "+43 1 555 0100 · jana.novak@globex.example" in shown(card)
    assert buttons(card) == ["Log call…", "Log email", "Log meeting"]
    assert menu(card)[0] == "Undo accept"
    assert len(menu(card)) == 5


def test_undo_leaves_the_menu_after_its_five_minutes() -> None:
    card = render_lead_card(replace(ACCEPTED, reader=Reader("Europe/Vienna", minutes(5))))
    assert "Undo accept" not in menu(card)
    assert "Undo" not in shown(card)


def test_a_lead_in_work_shows_the_last_touch_and_what_is_due() -> None:
    card = render_lead_card(WORKING)
    assert "Last touch: call, no answer at 10:28 · touches 2 of 5" in shown(card)
    assert "5 touches by Fri 10:31\nDecide by 23 June 10:31" in shown(card)
    assert buttons(card) == ["Log call…", "Log email", "Log meeting"]


def test_a_slip_of_the_log_button_can_be_taken_back() -> None:
    reached = LastTouch(minutes(-3), "call", "reached")
    card = render_lead_card(replace(WORKING, undo_log_until=minutes(2), last_touch=reached))
    assert buttons(card) == ["Qualify…", "Log call…", "Undo log"]
    assert menu(card)[:2] == ["Log email", "Log meeting"]


def test_after_a_call_that_nobody_answered_the_next_step_is_another_call() -> None:
    card = render_lead_card(replace(WORKING, undo_log_until=minutes(2)))
    assert buttons(card) == ["Log call…", "Qualify…", "Undo log"]
    made = [e for block in card["blocks"] for e in block.get("elements", ())]
    assert [e["text"]["text"] for e in made if e.get("style") == "primary"] == ["Log call…"]


def test_a_score_of_nothing_for_no_reason_says_nothing() -> None:
    nothing = replace(OFFERED.profile, score=0, reasons=())
    assert "Why:" not in shown(render_lead_card(replace(OFFERED, profile=nothing)))


def test_a_qualified_lead_waits_to_be_closed() -> None:
    assert buttons(render_lead_card(QUALIFIED)) == ["Close…", "Recycle…"]


@pytest.mark.parametrize(
    ("state", "ending", "said"),
    [
        (
            CardState.REJECTED,
            Ending(NOW, reason="Not our kind", next=NextStop.MARKETING, by_reader=True),
            "↩️ Jana Novak · Globex GmbH rejected\nYou rejected it at 10:31: not our kind.\n"
            "Marketing decides what comes next. Nothing to do for you.",
        ),
        (
            CardState.REJECTED,
            Ending(NOW, reason="Wrong territory", next=NextStop.OTHER_TEAM, by_reader=True),
            "Jana Novak · Globex GmbH rejected\nYou rejected it at 10:31: wrong territory.\n"
            "It goes to another team. Nothing to do for you.",
        ),
        (
            CardState.PASSED_ON,
            Ending(NOW, next=NextStop.COLLEAGUE, by_reader=True),
            "Jana Novak · Globex GmbH passed on\nYou passed it on at 10:31.\n"
            "A colleague has it now. Nothing to do for you.",
        ),
        (
            CardState.LAPSED,
            Ending(NOW, next=NextStop.COLLEAGUE),
            "Jana Novak · Globex GmbH moved on\nMoved to a colleague at 10:31.\n"
            "Nothing to do for you.",
        ),
        (
            CardState.RECYCLED,
            Ending(
                NOW,
                reason="No budget",
                next=NextStop.NURTURE,
                wake_on=date(2026, 9, 1),
                by_name="Dana Fox",
            ),
            "↩️ Jana Novak · Globex GmbH recycled\nDana Fox recycled it at 10:31: no budget.\n"
            "It comes back on 1 September, or earlier when it shows interest.",
        ),
        (
            CardState.REASSIGNED,
            Ending(NOW, next=NextStop.COLLEAGUE, to_name="Ben Ode", by_name="Dana Fox"),
            "Jana Novak · Globex GmbH reassigned\nDana Fox moved it to Ben Ode at 10:31.\n"
            "Nothing to do for you.",
        ),
        (
            CardState.WON,
            Ending(NOW, next=NextStop.CLOSED, by_reader=True),
            "✅ Jana Novak · Globex GmbH won\nYou closed it as won at 10:31.",
        ),
        (
            CardState.LOST,
            Ending(NOW, by_crm=True, next=NextStop.CLOSED),
            "Jana Novak · Globex GmbH lost\nClosed as lost in the CRM at 10:31.\n"
            "It comes back only when it asks again.",
        ),
        (
            CardState.TAKEN_BACK,
            Ending(NOW, reason="Asked not to be called", next=NextStop.MARKETING),
            "↩️ Jana Novak · Globex GmbH taken back\n"
            "Taken back by marketing at 10:31: asked not to be called.\n"
            "Marketing decides what comes next. Nothing to do for you.",
        ),
        (
            CardState.MOVED_ON,
            Ending(NOW, next=NextStop.COLLEAGUE, to_name="Ben Ode"),
            "Jana Novak · Globex GmbH moved on\nMoved on at 10:31.\n"
            "Ben Ode has it now. Nothing to do for you.",
        ),
    ],
)
def test_an_ended_card_says_who_did_what_and_what_comes_next(
    state: CardState, ending: Ending, said: str
) -> None:
    assert shown(render_lead_card(replace(OFFERED, state=state, ending=ending))) == said


@pytest.mark.parametrize("state", sorted(set(CardState) - LIVE_STATES))
def test_an_ended_card_has_no_buttons_and_no_contact_details(state: CardState) -> None:
    card = render_lead_card(replace(OFFERED, state=state, ending=Ending(NOW, by_reader=True)))
    assert buttons(card) == []
    assert menu(card) == []
    assert "555 0100" not in shown(card)
    assert OFFERED.profile.message not in shown(card)


def test_an_erased_lead_leaves_nothing() -> None:
    card = render_lead_card(replace(OFFERED, state=CardState.ERASED))
    assert "Jana" not in str(card)
    assert "Globex" not in str(card)


def test_the_same_card_as_a_modal_has_the_same_buttons() -> None:
    for card in (OFFERED, ACCEPTED, WORKING, QUALIFIED):
        view = render_lead_modal(card)
        assert buttons(view) == buttons(render_lead_card(card))
        assert view["private_metadata"] == '{"offer":"of_7Hq2"}'
    assert buttons(render_lead_card(replace(OFFERED, read_only=True))) == []


# ------------------------------------------------------------------ the notification


@pytest.mark.parametrize(
    ("name", "company", "asked"),
    [
        ("Jana Novak", "Globex GmbH", "asked for a call"),
        ("Wolfeschlegelsteinhausenbergerdorff von und zu Hohenstein", "Globex", "asked for a call"),
        ("Jana Novak", "International Consolidated Widgets and Gadgets of Europe", "x" * 80),
        ("A" * 80, "B" * 80, "c" * 80),
        ("Jana Novak", "", ""),
        ("", "", ""),
    ],
)
@pytest.mark.parametrize("test", [True, False])
def test_the_first_60_characters_work_alone(
    name: str, company: str, asked: str, test: bool
) -> None:
    lead = LeadFace(name, company, "J. N.", asked, test)
    card = replace(OFFERED, lead=lead, accept_by=minutes(60 * 24 * 20))
    seen = render_lead_card(card)["text"][:60]
    assert "Accept by 23 June 10:31" in seen
    assert seen.startswith("[TEST] " if test else (name[:8] or "Somebody"))
    assert company[:3] in seen


def test_what_does_not_fit_into_the_notification_follows_it() -> None:
    text = wording.notification(replace(JANA, asked="x" * 40), "x" * 40, "Accept by 10:45")
    assert text == f"Jana Novak, Globex. Accept by 10:45. X{'x' * 39}."


def test_a_card_reads_the_same_on_both_sides_of_a_clock_change() -> None:
    """Vienna goes back from 03:00 to 02:00 on 25 October 2026: the same wall time, an hour apart."""
    before = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    after = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    for due in (before, after):
        card = replace(OFFERED, reader=Reader("Europe/Vienna", before), accept_by=due)
        assert "Accept" in render_lead_card(card)["text"]
        dates = [i for i in walk(render_lead_card(card)["blocks"]) if i.get("type") == "date"]
        assert dates[0]["fallback"] == "02:30"
        assert dates[0]["timestamp"] == int(due.timestamp())
