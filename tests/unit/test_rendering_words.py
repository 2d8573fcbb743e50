"""Clock times, spans, refusals, `/lead why`, forms and the answers to commands."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from bot.domain.agreement import ClockKind, Role
from bot.domain.funnel import Status
from bot.rendering import escape, modals, notices, replies, terms, times, wording
from bot.rendering.ids import ActionId, BlockId, CallbackId
from bot.rendering.views import Contact, LeadFace, Reader
from bot.rendering.views_forms import ModalFault, ReasonChoice, ReasonForm, ReassignForm, RepChoice
from bot.rendering.views_pages import (
    AbsenceNote,
    DeliveryFailure,
    LeadMatches,
    LeadSummary,
    LeadTable,
    NewsLine,
    Why,
    WhyStep,
)
from tests.unit.rendering_kit import JANA, NOW, PROFILE, VIENNA, everything, line_of, minutes
from tests.unit.rendering_limits import buttons, shown, walk


@pytest.mark.parametrize(
    ("zone", "said"),
    [("Europe/Vienna", "10:31"), ("America/New_York", "04:31"), ("Asia/Kolkata", "14:01")],
)
def test_a_clock_time_is_the_readers(zone: str, said: str) -> None:
    assert times.moment(NOW, zone, NOW) == said


def test_the_weekday_is_said_when_the_local_day_differs() -> None:
    late = datetime(
        2026, 6, 3, 23, 30, tzinfo=UTC
    )  # Thursday 01:30 in Vienna, Wednesday in New York
    assert times.moment(late, "Europe/Vienna", NOW) == "Thu 01:30"
    assert times.moment(late, "America/New_York", NOW) == "19:30"
    assert times.moment(NOW + timedelta(days=6), "Europe/Vienna", NOW) == "Tue 10:31"
    assert times.moment(NOW + timedelta(days=7), "Europe/Vienna", NOW) == "10 June 10:31"
    assert times.moment(NOW + timedelta(days=400), "UTC", NOW) == "8 July 2027 08:31"


def test_an_instant_without_a_zone_is_refused_and_an_unknown_zone_is_utc() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        times.clock(datetime(2026, 6, 3, 8, 31), "UTC")  # noqa: DTZ001
    assert times.clock(NOW, "Europe/Atlantis") == "08:31"
    assert times.clock(NOW, "") == "08:31"


def test_days_wear_their_year_only_when_it_is_another() -> None:
    assert times.day(date(2026, 6, 3), date(2026, 1, 1)) == "3 June"
    assert times.day(date(2027, 1, 31), date(2026, 1, 1)) == "31 January 2027"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (1, "1 min"), (900, "15 min"), (3600, "1 h"), (4800, "1 h 20 min"), (172800, "2 d"),
        (97200, "1 d 3 h"), (-240, "4 min"),
    ],
)  # fmt: skip
def test_spans_are_short(seconds: int, said: str) -> None:
    assert times.span(seconds) == said


def test_words_for_codes_and_numbers() -> None:
    assert terms.source_phrase("contact_me") == "asked for a call"
    assert terms.source_phrase("webinar", "March") == "came to a webinar (March)"
    assert terms.source_phrase("trade_fair_x") == "came from trade fair x"
    assert terms.source_phrase("") == "arrived"
    assert terms.language("DE") == "German"
    assert terms.language("tlh") == "tlh"
    assert wording.plural(1, "touch", "touches") == "1 touch"
    assert wording.plural(1200, "lead") == "1 200 leads"
    assert wording.join(["a", "", "b", "c"]) == "a, b and c"
    assert escape.short_company("Globex GmbH & Co. KG") == "Globex"
    assert escape.short_company("AG") == "AG"


# ------------------------------------------------------------------ refusals


def test_a_refusal_names_the_fact_and_the_way_out() -> None:
    facts = {"by": "Ben Ode", "at": minutes(11)}
    text = replies.refusal_text("already_accepted", facts, VIENNA)
    assert text == "Ben Ode accepted it at 10:42. Yours: /lead mine"
    yesterday = {"by": "Ben Ode", "at": NOW - timedelta(days=1)}
    assert "on Tue 10:31" in replies.refusal_text("already_accepted", yesterday, VIENNA)
    assert "at 08:42 UTC" in replies.refusal_text("already_accepted", tuple(facts.items()))


@pytest.mark.parametrize("code", sorted(replies.KNOWN_CODES))
def test_every_refusal_reads_well_without_any_fact(code: str) -> None:
    text = replies.refusal_text(code)
    assert text[0].isupper()
    assert "None" not in text
    assert "  " not in text
    assert " ." not in text
    assert len(text) < 200


def test_an_unknown_code_still_gets_a_sentence() -> None:
    said = replies.refusal_text("never_heard_of", {"by": object()})
    assert said == "This is not possible now. Nothing has changed."


def test_every_fault_of_a_form_is_also_a_refusal() -> None:
    assert set(ModalFault) <= replies.KNOWN_CODES


def test_an_error_says_what_was_kept_what_to_do_and_a_reference() -> None:
    text = replies.refusal_text("error", {"reference": "a1b2"})
    assert "nothing was changed" in text
    assert text.endswith("tell your admin: a1b2")


# ------------------------------------------------------------------ forms


def _reasons(lead: LeadFace = JANA) -> ReasonForm:
    return ReasonForm(
        "of_1",
        lead,
        (
            ReasonChoice("no_budget", "No budget", wake_on=date(2026, 9, 1)),
            ReasonChoice("other", "Other", note_required=True),
        ),
        date(2026, 6, 3),
    )


def test_the_recycle_form_shows_the_date_of_each_reason() -> None:
    view = modals.render_recycle_modal(_reasons())
    said = [o.get("description", {}).get("text") for o in _options(view)]
    assert said == ["back on 1 September", "please add a note"]
    assert [b.get("block_id") for b in view["blocks"]] == [None, "reason", "date", "note"]
    assert view["private_metadata"] == '{"offer":"of_1"}'
    assert view["callback_id"] == CallbackId.RECYCLE


def _options(view: dict[str, Any]) -> list[dict[str, Any]]:
    return [o for item in walk(view) for o in item.get("options", [])]


def test_reps_with_something_against_them_stand_last_marked_anyway() -> None:
    reps = (RepChoice("U1", "Ann Lee", "away until Mon"), RepChoice("U2", "Cleo May"))
    view = modals.render_reassign_modal(ReassignForm("of_1", JANA, reps))
    options = _options(view)
    assert [o["value"] for o in options] == ["U2", "U1"]
    assert options[1]["description"]["text"] == "anyway: away until Mon"


def test_every_input_has_a_fixed_block_and_action_id() -> None:
    blocks, actions = set(BlockId), set(ActionId)
    seen = 0
    for one in everything("x"):
        for block in one.body["blocks"]:
            if block["type"] == "input":
                seen += 1
                assert block["block_id"] in blocks
                assert block["element"]["action_id"] in actions
    assert seen > 20


def test_what_is_wrong_stands_at_its_input() -> None:
    assert modals.modal_errors("needs_note") == {
        "note": "This reason needs a note: say in a few words why."
    }
    assert set(modals.modal_errors(*ModalFault)) <= set(BlockId)
    assert modals.modal_errors("not_yours") == {}


# ------------------------------------------------------------------ commands


def _summary(contact: Contact | None) -> LeadSummary:
    return LeadSummary(
        VIENNA, JANA, Status.ACCEPTED, "Ben Ode", False, minutes(63), ClockKind.FIRST_TOUCH,
        minutes(-1), PROFILE if contact else None, contact,
    )  # fmt: skip


def test_a_lookup_shows_contact_details_only_when_they_are_there() -> None:
    full = shown(replies.render_lead_summary(_summary(Contact("+43 1", "jana@globex.example"))))
    assert "Accepted, with Ben Ode · contact by 11:34" in full
    assert "+43 1 · jana@globex.example" in full
    limited = shown(replies.render_lead_summary(_summary(None)))
    assert "Accepted, with Ben Ode" in limited
    assert "only for its rep, their managers and marketing" in limited
    assert "dialler" not in limited


def test_a_search_lists_eight_and_helps_when_there_is_none() -> None:
    rows = tuple(line_of(JANA, n) for n in range(1, 10))
    many = replies.render_lead_matches(LeadMatches(VIENNA, "glo", rows, 12))
    assert many["text"] == "12 leads for “glo”. Which one?"
    assert "and 4 more" in str(many)
    none = replies.render_lead_matches(LeadMatches(VIENNA, "acme"))
    assert none["text"].startswith("Nothing found for “acme”. Try the company")


def test_lists_say_what_they_are_and_what_to_do_when_empty() -> None:
    rows = (line_of(JANA, -3),)
    overdue = replies.render_lead_table(LeadTable(VIENNA, "overdue", rows, 1, "EMEA"))
    assert overdue["text"] == "1 lead overdue in EMEA, oldest first."
    assert "overdue: accept by 10:28" in str(overdue)
    assert replies.render_lead_table(LeadTable(VIENNA, "mine", (), 0))["text"] == (
        "Nothing waits for you."
    )


def test_why_tells_the_story_in_order() -> None:
    steps = (
        WhyStep(minutes(-1), "arrived", {"source": "webhook"}),
        WhyStep(
            minutes(-1),
            "offered",
            {"to": "Ann Lee", "rule": "DACH", "team": "emea", "unavailable": 2, "why": "longest"},
        ),
        WhyStep(
            minutes(-1),
            "clock_started",
            {"clock": "accept", "due": minutes(14), "start": minutes(-1), "within": "15 min"},
        ),
        WhyStep(NOW, "offer_winked_at", {"detail": "by the moon"}),
    )
    why = Why(VIENNA, JANA, steps, 92, 3, (), 7, date(2026, 11, 1))
    assert shown(replies.render_why(why)) == (
        "Jana Novak · Globex GmbH\n"
        "Score 92 on 3 rules · definition v7, in force since 1 November\n"
        "10:30:00 arrived (webhook)\n"
        "10:30:00 offered to Ann Lee: rule DACH → emea; 2 colleagues unavailable, longest\n"
        "10:30:00 accept clock started, due 10:45 = 10:30 + 15 min\n"
        "10:31:00 offer winked at: by the moon"
    )


def test_managers_read_who_was_unavailable() -> None:
    step = WhyStep(NOW, "offered", {"to": "Ann", "unavailable": 2, "skipped": ("Ben", "Cleo")})
    assert "unavailable: Ben and Cleo" in shown(replies.render_why(Why(VIENNA, JANA, (step,))))


def test_help_is_one_screen_by_role() -> None:
    rep = replies.render_help(frozenset({Role.REP}), "Otto Ops")
    assert "As a rep" in shown(rep)
    assert "As a manager" not in shown(rep)
    assert shown(rep).endswith("Questions: Otto Ops.")
    assert shown(replies.render_help(frozenset(Role))).count("\n") < 25


def test_an_absence_says_what_happens_to_which_leads() -> None:
    note = AbsenceNote(VIENNA, "", True, minutes(60 * 24 * 5), 2, 1, "Dana Fox")
    assert replies.render_absence_note(note)["text"] == (
        "You are away until Mon 10:31. New leads go to colleagues.\n"
        "2 open offers went to the next rep.\n"
        "Your 1 accepted lead keeps its clock; Dana Fox has the list.\n"
        "To end it: /baton back"
    )
    back = replies.render_absence_note(AbsenceNote(VIENNA, "Ann Lee", away=False))
    assert back["text"] == "Ann Lee is back. New leads come as usual."


# ------------------------------------------------------------------ notices


def test_a_failed_delivery_names_cause_and_remedy() -> None:
    view = DeliveryFailure(
        VIENNA, "offer", "Ann Lee", "user_not_found", JANA, "offered to the next rep", "of_1"
    )
    message = notices.render_delivery_failure(view)
    assert message["text"].split("\n") == [
        "An offer did not reach Ann Lee: Jana Novak, Globex",
        "Reason: Slack does not know this person.",
        "Offered to the next rep.",
        "Check the address or channel in the playbook, or tell your admin.",
    ]
    assert buttons(message) == ["Open"]
    assert buttons(notices.render_delivery_failure(replace(view, lead=None))) == []


def test_news_of_a_lead_reach_its_owner_in_one_line() -> None:
    news = NewsLine(VIENNA, JANA, "opened the pricing page for the third time")
    assert shown(notices.render_news_line(news)) == (
        "Jana Novak just opened the pricing page for the third time."
    )
    again = replace(news, hand_raise=True, clock=ClockKind.FIRST_TOUCH, due=minutes(14))
    assert notices.render_news_line(again)["text"] == (
        "Jana Novak asked for a call again: contact by 10:45."
    )


def test_an_unknown_reader_zone_does_not_keep_a_message_back() -> None:
    nowhere = Reader("Mars/Olympus", NOW)
    assert (
        "08:45"
        in notices.render_news_line(
            NewsLine(nowhere, JANA, "", True, ClockKind.ACCEPT, minutes(14))
        )["text"]
    )
