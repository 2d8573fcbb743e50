"""A short made-up history, and what it leaves in the sandbox: the week's report, a board, a manager's morning.

What is not here: what its leads and people are like (`tests/unit/test_demo_history.py`).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.browser.conftest import RunningDemo, looking, running_demo
from tests.browser.slack_page import DANA, SlackPage

pytestmark = pytest.mark.browser
MARA = "Mara Lindqvist"


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    """Nine working days: a challenge runs for the last four."""
    made = ("demo-history", "--leads", "40", "--until", "2026-03-12")
    home = tmp_path_factory.mktemp("history")
    with running_demo(home, "wide", made, "history", MARA, patience=110) as running:
        yield running


@pytest.mark.parametrize("width", ["wide", "phone"])
def test_a_history_leaves_reports_and_boards(
    chromium: Browser, history: RunningDemo, width: str
) -> None:
    at = RunningDemo(history.url, width, history.intake_secret, history.calls)
    with looking(chromium, at) as slack:
        slack.be(DANA)
        # What came on the last day is new, what came before was read.
        digest = newest(slack, "emea:")
        expect(digest).to_contain_text("Yesterday")
        picture(slack, digest, "history-digest")

        slack.open_channel("sales-and-marketing")
        week = newest(slack, "Week 10")
        expect(week).to_contain_text("answered in time")
        expect(week).to_contain_text("Promises kept, in percent")
        picture(slack, week, "history-weekly")
        board = newest(slack, "Spring sprint, 9–20 March · 8 days left")
        expect(board).to_contain_text("/leaderboard shows yours, to you alone")
        picture(slack, board, "history-board")
        slack.expect_fits()

        slack.be(MARA)
        asked = newest(slack, "Spring sprint")
        expect(asked).to_contain_text("/leaderboard")
        picture(slack, asked, "history-start")


def newest(slack: SlackPage, text: str) -> Locator:
    """The newest message with these words."""
    found = slack.page.locator(".messages article", has_text=text).last
    expect(found).to_be_visible()
    return found


def picture(slack: SlackPage, message: Locator, name: str) -> None:
    """For people to look at."""
    message.scroll_into_view_if_needed()
    slack.picture(name)
