"""Lead text is data: whatever a sender writes, nothing pings, links, formats, hides or breaks a message."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import replace
from typing import Any

import pytest

from bot.rendering import escape, lead_card, review_card
from bot.rendering.rich import safe_url
from bot.rendering.views import LeadFace, ReviewState
from tests.unit.rendering_kit import OFFERED, REVIEW, everything
from tests.unit.rendering_limits import faults, texts, walk

HOSTILE = (
    "<!channel>", "<!here>", "<!everyone>", "<!here|x>", "<!channel|@channel>", "@channel", "@here",
    "@everyone", "<@U123>", "<@U0123456789|ann>", "<#C123>", "<#C123|sales>", "<!subteam^S123>",
    "<!date^1392734382^{date}|x>", "<https://evil.example|your bank>", "<https://evil.example>",
    "https://evil.example", "http://evil.example/?a=b&c=d", "<mailto:a@evil.example|mail>",
    "<tel:+4312345|call>", "[your bank](https://evil.example)", "javascript:alert(1)",
    "data:text/html,<b>", "&lt;!channel&gt;", "&amp;lt;!channel&amp;gt;", "&#60;!channel&#62;",
    "*bold*", "_it_", "~out~", "`code`", "```block```", "> quote", "&gt; quote", "# head", "- item",
    "**x**", "*" * 10_000, "A" * 10_000, "&" * 10_000, "<" * 10_000, "é" * 500, "日本" * 200,
    ":tada:", ":skin-tone-2: :rage:", "\x00", "a\x00b", "\x1b[31mred", "line\nbreak\r\nmore",
    "tab\tvertical\x0bform\x0c", "\u202egnp.exe", "\u2066isolated\u2069", "\u200fright\u200eleft",
    "zero\u200bwidth\ufeff", "\u2028line\u2029paragraph", "Z" + "\u0301" * 400, "\ud800lone",
    "\U000e0041tag", "\u3164\u3164", "   ", "", "'; drop table leads; --", "<script>alert(1)</script>",
    '{"type":"broadcast"}', "=cmd|' /C calc'!A0", "${7*7} {{7*7}} %s %(x)s {0} {name}", "\\u003c!channel>",
    "a" * 74 + "<!channel>", "👩‍👩‍👧‍👦" * 60,
)  # fmt: skip

_BIDI = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff\u200b")


def _strings(item: Any) -> list[str]:
    if isinstance(item, str):
        return [item]
    if isinstance(item, dict):
        return [s for value in item.values() for s in _strings(value)]
    return [s for value in item for s in _strings(value)] if isinstance(item, list) else []


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:24])
def test_hostile_text_in_every_field_of_every_renderer(text: str) -> None:
    for shown in everything(text):
        assert faults(shown) == [], shown.name
        # Angle brackets of the notification are escaped, so no control sequence is left in it.
        assert not set(shown.body.get("text", "")) & {"<", ">"}, shown.name
        letters = set("".join(_strings(shown.body))) - {"\n"}  # our own line breaks
        assert not letters & _BIDI, shown.name
        hidden = {unicodedata.category(letter) for letter in letters}
        assert not hidden & {"Cc", "Cs", "Co", "Zl", "Zp"}, shown.name
        for item in walk(shown.body):
            if "url" in item:  # only the CRM's address, which the kit fills with the same text
                assert item["url"] == text, shown.name
                assert text.startswith(("http://", "https://"))
            if item.get("type") == "plain_text":
                assert not set(item["text"]) & {"<", ">"}, shown.name


def test_a_payload_is_valid_json_in_utf_8_whatever_the_text() -> None:
    for shown in everything("\ud800 \x00 \u202e"):
        json.dumps(shown.body, ensure_ascii=False).encode()


def test_a_faulty_rendering_is_seen() -> None:
    """The matrix above can fail: the limits test finds a mention, mrkdwn and an oversized button."""
    shown = next(everything("x"))
    shown.body["blocks"].append({"type": "section", "text": {"type": "mrkdwn", "text": "<!here>"}})
    shown.body["blocks"][0]["elements"].append({"type": "broadcast", "range": "here"})
    assert faults(shown) == ["rich text broadcast", "mrkdwn"]


def test_the_house_caps_hold() -> None:
    assert len(escape.clean("x" * 500, escape.NAME_CAP)) == 80
    assert escape.clean("x" * 500, escape.NAME_CAP).endswith("…")
    assert escape.clean("  Jana \n Novak ") == "Jana Novak"
    assert escape.clean("Nguyễn Thị") == "Nguyễn Thị"
    assert escape.clean("a" + "\u0301" * 50).count("\u0301") < 5


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)", "data:text/html,x", "//crm.example/1", "https://", "ftp://x.example",
        "https://user:pw@crm.example/", "https://crm.example/a b", "https://crm.example/<x>",
        "https://crm.example/|x", "https://crm.example/\n", "https://" + "a" * 4000,
    ],
)  # fmt: skip
def test_only_plain_web_addresses_become_links(url: str) -> None:
    assert safe_url(url) == ""
    assert safe_url("https://crm.example/leads/17?tab=a") == "https://crm.example/leads/17?tab=a"


@pytest.mark.parametrize("state", list(ReviewState))
def test_a_channel_sees_initials_and_company_only(state: ReviewState) -> None:
    lead = LeadFace("Pavel Duda", "Initech", "P. D.", "asked Pavel's friends")
    note = (
        "Pavel said no. DUDA left; mail pavel.duda@initech.example or boss@other.example,"
        " call +420 601 123 456, 4 people"
    )
    card = replace(
        REVIEW, state=state, lead=lead, note=note, campaign="For Pavel Duda", by_name="Olga Reis"
    )
    message = review_card.render_review_card(card)
    seen = texts(message)
    for personal in ("Pavel", "pavel", "Duda", "DUDA", "@initech", "@other", "601", "friends"):
        assert personal not in seen
    assert "P. D. · Initech" in seen
    if state in (ReviewState.OPEN, ReviewState.TAKEN):
        assert "4 people" in seen
        assert "P. D. said no" in seen


def test_a_lead_whose_company_is_its_own_name_stays_initials() -> None:
    lead = LeadFace("Pavel Duda", "pavel duda", "P. D.")
    message = review_card.render_review_card(replace(REVIEW, lead=lead))
    assert "uda" not in texts(message)


def test_contact_details_wait_for_the_accept() -> None:
    before = texts(lead_card.render_lead_card(OFFERED))
    assert "555 0100" not in before
    assert "jana.novak@" not in before
