"""When the demo's opening story begins, and where. What is not here: the story itself (`tests/browser`)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.demo import channels_of
from bot.demo_story import begin_at
from bot.domain.agreement import Agreement, ReportTimes
from bot.domain.challenge import Rule, Terms
from bot.playbook.loading import load_playbook


@pytest.fixture(scope="module")
def agreement() -> Agreement:
    shipped = (Path(__file__).parents[2] / "playbook.yaml").read_text(encoding="utf-8")
    loaded = load_playbook(shipped, today=datetime(2026, 11, 1, tzinfo=UTC).date()).agreement
    assert loaded is not None
    return loaded


@pytest.mark.parametrize(
    ("started", "begins"),
    [
        ("2026-11-21 23:38", "2026-11-23 08:20"),  # a Saturday night: Monday, 9:20 in Berlin
        ("2026-11-24 05:00", "2026-11-24 08:20"),  # the same morning
        ("2026-11-24 12:00", "2026-11-25 08:20"),  # afternoon: tomorrow's morning
        ("2026-11-26 12:00", "2026-11-30 08:20"),  # not on the Friday, when Ivy is off
        ("2026-12-24 12:00", "2026-12-28 08:20"),  # not at Christmas
        ("2026-07-06 12:00", "2026-07-07 07:20"),  # summer time
    ],
)
def test_the_story_begins_on_a_morning_when_most_people_work(
    agreement: Agreement, started: str, begins: str
) -> None:
    now = datetime.fromisoformat(f"{started}+00:00")
    assert begin_at(agreement, now) == datetime.fromisoformat(f"{begins}+00:00")


def test_the_demo_has_every_channel_that_the_playbook_posts_in(agreement: Agreement) -> None:
    day = datetime(2026, 11, 23, tzinfo=UTC).date()
    spring = Terms("Spring", day, day, "UTC", ("emea",), {Rule.ACCEPT: 1}, channel="C0BOARD1")
    posting = replace(agreement, reports=ReportTimes(channel="C0BOTH001"), challenges=(spring,))
    assert {c.id for c in channels_of(posting)} - {c.id for c in channels_of(agreement)} == {
        "C0BOTH001",
        "C0BOARD1",
    }
    assert len({c.name for c in channels_of(posting)}) == len(channels_of(posting))
