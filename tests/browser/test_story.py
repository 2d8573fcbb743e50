"""The main story in a real browser, on a desk and on a phone: every step is what somebody sees and clicks.

What is not here: what the page is beyond the story (`test_page`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from playwright.sync_api import expect
from standardwebhooks import Webhook

from tests.browser.conftest import RunningDemo
from tests.browser.slack_page import ANN, BEN, CLEO, DANA, OLGA, SlackPage

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

EMEA = (ANN, BEN, CLEO)


def lead_arrives(demo: RunningDemo, **fields: object) -> None:
    """As marketing's systems send it: signed, by webhook."""
    lead: Mapping[str, object] = {
        "external_id": f"crm-{fields['last_name']}",
        "source": "contact_me",
        "email": f"{fields['first_name']}.{fields['last_name']}@client.example".lower(),
        **fields,
    }
    body = json.dumps(lead)
    now = datetime.now(UTC)
    id_ = f"msg_{fields['last_name']}"
    headers = {
        "content-type": "application/json",
        "webhook-id": id_,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(demo.intake_secret).sign(id_, now, body),
    }
    answer = httpx.post(f"{demo.url}/leads", content=body, headers=headers, timeout=20)
    assert answer.status_code == 202, answer.text
    assert answer.json()["results"][0]["status"] == "accepted"


def test_a_lead_is_rejected_left_lying_reassigned_and_won_over(
    demo: RunningDemo, slack: SlackPage
) -> None:
    nadia = "Nadia Stern"
    slack.be(OLGA)
    marks = slack.unread_marks()
    lead_arrives(
        demo,
        first_name="Nadia", last_name="Stern", company="Aperture Pte Ltd", title="Head of Sales",
        country="SG", language="zh", employees=410, phone="+65 5550 0177",
        message="Our contract ends this month, please call me.",
    )  # fmt: skip

    # In Singapore somebody has news, and the page says who.
    first = slack.follow_the_news(marks)
    assert first == "Ivy Tan"  # she speaks Chinese
    slack.expect_card(
        nadia,
        "Nadia Stern · Aperture Pte Ltd asked for a call",
        "Accept by",
        "Our contract ends this month, please call me.",
        "Yours: Asia and Pacific, speaks Chinese",
        buttons=("Accept", "Reject…", "Recycle…"),
    )
    expect(slack.card(nadia)).not_to_contain_text("+65 5550 0177")
    slack.picture("10-offered")

    # Reject: "other" needs a note, and says so at the field.
    slack.click(nadia, "Reject…")
    modal = slack.expect_modal("Reject")
    modal.get_by_label("Reason").select_option(label="Other")
    slack.submit("Reject")
    expect(modal.locator("[data-block-id=note] [data-error]")).to_have_text(
        "This reason needs a note: say in a few words why."
    )
    slack.picture("11-reject-needs-note")
    modal.get_by_label("Reason").select_option(label="Wrong territory")
    modal.get_by_label("Note").fill("The buyer sits in Vienna.")
    slack.picture("12-reject-filled")
    marks = slack.unread_marks()
    slack.submit("Reject")
    slack.expect_no_modal()
    slack.expect_card(
        nadia, "rejected", "You rejected it at", "wrong territory", "The buyer sits in Vienna.",
        buttons=(),
    )  # fmt: skip
    slack.picture("13-rejected")

    # The next rep is in Europe, and has the clock of a hand raiser.
    second = slack.follow_the_news(marks)
    assert second in EMEA
    slack.expect_card(nadia, "asked for a call", "Accept by", "everywhere else")
    slack.picture("14-next-rep")

    # Nothing happens. The reminder comes into the card's thread, and into the conversation.
    reminder = slack.reply(nadia)
    slack.move_until(reminder, most=20)
    expect(reminder).to_contain_text("Accept by")
    expect(reminder).to_contain_text("or pass it on.")
    expect(reminder.locator(".b-actions > .btn")).to_have_text(["Accept", "Pass on"])
    expect(slack.card(nadia)).to_contain_text("due soon")
    slack.picture("15-reminded")
    slack.card(nadia).locator(".replies").click()
    thread = slack.page.locator("aside.thread")
    expect(thread.locator("article")).to_have_count(2)
    expect(thread).to_contain_text("or pass it on.")
    slack.picture("16-thread")
    thread.locator("[data-close-thread]").click()
    expect(thread).to_have_count(0)

    # Time is over: the lead moves on, and the manager hears of it.
    before = slack.unread(DANA)
    slack.move_until(slack.card(nadia).locator(".body", has_text="moved on"), most=20)
    slack.expect_card(nadia, "Moved to a colleague at", "Nothing to do for you.", buttons=())
    expect(slack.reply(nadia)).to_contain_text("Moved on at")
    expect(slack.reply(nadia).locator(".b-actions")).to_have_count(0)
    slack.picture("17-lapsed")
    slack.expect_unread(DANA, before + 1)
    slack.be(DANA)
    escalation = slack.card(nadia)
    expect(escalation).to_contain_text(re.compile(r"asked for a call at .+, not accepted by"))
    expect(escalation).to_contain_text(f"{second} until")
    said = escalation.locator(".body").inner_text()
    found = re.search(r"now (\w+ \w+) until", said)
    assert found, said
    third = found[1]
    expect(escalation.locator(".b-actions > .btn")).to_have_text(
        ["Take it myself", "Reassign…", f"Nudge {third.split()[0]}"]
    )
    slack.picture("18-manager")

    # The third rep has the card, until the manager gives it to somebody else.
    slack.be(third)
    slack.expect_card(nadia, "asked for a call", "Accept by")
    fourth = next(name for name in EMEA if name not in (second, third))
    slack.be(DANA)
    slack.click(nadia, "Reassign…")
    modal = slack.expect_modal("Reassign")
    expect(modal).to_contain_text(f"Now with {third}.")
    modal.get_by_label("Give it to").select_option(label=fourth)
    slack.picture("19-reassign")
    slack.submit("Reassign")
    slack.expect_no_modal()
    expect(slack.card(nadia)).to_contain_text(f"reassigned to {fourth} by you")
    expect(slack.card(nadia)).to_contain_text("Nothing to do.")
    slack.picture("20-reassigned")
    slack.be(third)
    slack.expect_card(nadia, f"{DANA} moved it to {fourth}", buttons=())

    # That rep accepts, calls, and qualifies.
    slack.expect_unread(fourth)
    slack.be(fourth)
    slack.expect_card(nadia, f"{DANA} gave it to you.", "Accept by")
    slack.picture("21-given")
    slack.click(nadia, "Accept")
    slack.expect_card(
        nadia, "yours", "Contact by", "+65 5550 0177", "nadia.stern@client.example",
        buttons=("Log call…", "Log email", "Log meeting"),
    )  # fmt: skip
    slack.picture("22-accepted")
    slack.click(nadia, "Log call…")
    modal = slack.expect_modal("Log call")
    modal.get_by_text("Reached", exact=True).click()
    slack.picture("23-log-call")
    slack.submit("Log")
    slack.expect_no_modal()
    slack.expect_card(
        nadia, "in work", "Last touch: call, reached", buttons=("Qualify…", "Log call…", "Undo log")
    )
    slack.picture("24-in-work")
    slack.click(nadia, "Qualify…")
    modal = slack.expect_modal("Qualify")
    modal.get_by_label("Expected value").fill("12000")
    slack.picture("25-qualify")
    slack.submit("Qualify")
    slack.expect_no_modal()
    slack.expect_card(nadia, "qualified", "You qualified it at", buttons=("Close…", "Recycle…"))
    slack.picture("26-qualified")
    slack.expect_fits()


def test_a_lead_is_recycled_and_comes_back_to_the_same_rep(slack: SlackPage) -> None:
    oskar = "Oskar Blum"
    slack.be(CLEO)
    slack.fill_lead(
        first_name="Oskar", last_name="Blum", title="Head of Operations", company="Soylent AG",
        email="oskar.blum@soylent.example", phone="+49 30 555 0188", country="DE", language="de",
        employees="640", source="contact_me", message="Please call me about the new plan.",
    )  # fmt: skip
    slack.picture("30-form")
    marks = slack.unread_marks()
    slack.post_lead()
    expect(slack.page.locator("#toasts")).to_contain_text("Posted, and taken by Baton.")
    assert slack.follow_the_news(marks) == ANN  # she speaks German
    slack.expect_card(oskar, "asked for a call", "Yours: DACH, speaks German")
    slack.click(oskar, "Accept")
    slack.expect_card(oskar, "yours", "+49 30 555 0188")

    slack.choose(oskar, "Recycle…")
    modal = slack.expect_modal("Recycle")
    stamp = slack.page.get_by_test_id("clock").get_attribute("datetime")
    assert stamp
    wake = (datetime.fromisoformat(stamp) + timedelta(days=1)).date()
    modal.get_by_label("Reason").select_option(label="Not now")
    modal.get_by_label("Another date").fill(wake.isoformat())
    slack.picture("31-recycle")
    slack.submit("Recycle")
    slack.expect_no_modal()
    slack.expect_card(
        oskar, "recycled", "You recycled it at", "not now", "It comes back on", buttons=()
    )
    slack.picture("32-recycled")

    # To the wake date, step by step; in between others get their reminders.
    back = slack.page.locator(".messages article", has_text=oskar).filter(has_text="is back")
    slack.move_until(back, most=60)
    slack.expect_card(
        oskar, "is back, as you asked on", "not now", "Accept by",
        buttons=("Accept", "Reject…", "Recycle…"),
    )  # fmt: skip
    expect(slack.page.locator(".messages article", has_text=oskar)).to_have_count(2)
    slack.picture("33-back")
    slack.expect_fits()


def test_every_call_to_slack_was_recorded(demo: RunningDemo) -> None:
    lines = [json.loads(line) for line in demo.calls.read_text().splitlines()]
    methods = {line["method"] for line in lines}
    assert {"chat.postMessage", "chat.update", "views.open"} <= methods
    refused = [line for line in lines if not line["response_ok"]]
    assert refused == []
