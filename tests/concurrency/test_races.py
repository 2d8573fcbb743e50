"""Two real processes want the same: offers, timers, leads. One wins, the other is told; nothing happens twice.

The sizes are small here; `make chaos`, or FULL=1, runs the full ones. What is not here: kills (`test_kill`).
"""

from __future__ import annotations

import os

import pytest

from chaos.clicks import click_race
from chaos.intake import intake_race
from chaos.playbooks import playbook_text
from chaos.race import START, race
from chaos.timers import due_race, tick_race

_FULL = os.environ.get("FULL", "") not in ("", "0")

pytestmark = pytest.mark.timeout(1800 if _FULL else 180)


def size(quick: int, full: int) -> int:
    return full if _FULL else quick


@pytest.mark.slow
def test_two_processes_click_the_same_offers_and_each_offer_has_one_winner(
    database_url: str,
) -> None:
    offers = size(72, 1000)
    verdict = click_race(database_url, offers=offers, seed=1)
    assert verdict.faults == []
    assert verdict.figures["winners"] == offers
    # Else they took turns, and it was no race.
    assert verdict.figures["at the same time"] > 0


def test_two_workers_tick_over_the_same_timers_and_each_step_happens_once(
    database_url: str,
) -> None:
    verdict = tick_race(database_url, leads=size(24, 1000), seed=2)
    assert verdict.faults == []
    assert sum(verdict.figures["settled by each process"]) >= verdict.figures["due"]


def test_an_offer_clicked_at_the_moment_it_lapses_is_either_accepted_or_offered_on(
    database_url: str,
) -> None:
    verdict = due_race(database_url, offers=size(24, 1000), seed=3)
    assert verdict.faults == []
    assert verdict.figures["accepted"] + verdict.figures["reoffered"] == verdict.n
    assert verdict.figures["accepted"] > 0
    assert verdict.figures["reoffered"] > 0


def test_two_processes_are_sent_the_same_leads_and_each_becomes_one_lead(
    database_url: str,
) -> None:
    verdict = intake_race(database_url, leads=size(60, 1000), seed=4)
    assert verdict.faults == []
    assert verdict.figures["leads"] == verdict.n


def test_processes_that_start_at_once_work_under_one_version_of_the_playbook(
    database_url: str,
) -> None:
    task = {"job": "begin", "url": database_url, "playbook": playbook_text(8)}
    assert race([{**task, "now": START.isoformat()}] * 3) == [1, 1, 1]
