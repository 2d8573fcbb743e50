"""People at work while the lines of Socket Mode are cut: what they see, in a real browser.

What is not here: the whole story (`test_story`), the same with hundreds of clicks (`chaos.sockets`).
"""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import RunningDemo, looking, running_demo
from tests.browser.slack_page import OLGA
from tests.browser.test_story import lead_arrives

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


def slack_does(demo: RunningDemo, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Turn something on Slack's side; what stands there now."""
    answer = httpx.post(f"{demo.url}/sandbox/{path}", json=body, timeout=20)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def cut_in_the_middle(demo: RunningDemo) -> None:
    """The next payload arrives, and its line breaks before the ack."""
    slack_does(demo, "faults", {"faults": [{"method": "socket", "kind": "accept_then_reset"}]})


def test_the_line_is_cut_in_the_middle_of_the_story(
    chromium: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    nadia = "Nadia Stern"
    with (
        running_demo(tmp_path_factory.mktemp("cut"), "wide") as demo,
        looking(chromium, demo) as slack,
    ):
        slack.be(OLGA)
        expect(slack.page.get_by_test_id("way")).to_have_text("Clicks reach Baton by Socket Mode")
        _until_lines(demo)
        marks = slack.unread_marks()
        lead_arrives(
            demo,
            first_name="Nadia", last_name="Stern", company="Aperture Pte Ltd", country="SG",
            language="zh", phone="+65 5550 0177",
        )  # fmt: skip
        slack.follow_the_news(marks)

        # Done, not acked: Slack sends it over the other line, and nobody notices anything.
        cut_in_the_middle(demo)
        slack.click(nadia, "Accept")
        slack.expect_card(nadia, "yours", "Contact by", "+65 5550 0177")
        assert slack_does(demo, "sockets", {"do": "accept"})["resent"] >= 1

        # No line at all: Slack says so, and a moment later the same click works.
        slack_does(demo, "sockets", {"do": "refuse"})
        slack_does(demo, "sockets", {"do": "cut"})
        slack.click(nadia, "Log call…")
        expect(
            slack.page.locator(".messages article", has_text="trouble connecting")
        ).to_be_visible()
        slack.picture("40-no-line")
        slack_does(demo, "sockets", {"do": "accept"})
        _until_lines(demo)
        slack.click(nadia, "Log call…")
        modal = slack.expect_modal("Log call")
        modal.get_by_text("Reached", exact=True).click()
        cut_in_the_middle(demo)
        slack.submit("Log")
        slack.expect_no_modal()
        slack.expect_card(nadia, "in work", "Last touch: call, reached")

        # Slack renews the lines while somebody asks.
        slack_does(demo, "sockets", {"do": "refresh"})
        expect(slack.type_command("/lead mine")).to_contain_text(nadia)
        slack.picture("41-after-the-cuts")


def _until_lines(demo: RunningDemo) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if len(httpx.get(f"{demo.url}/sandbox/sockets", timeout=20).json()["lines"]) == 2:
            return
        time.sleep(0.1)
    raise AssertionError("the lines did not come back")
