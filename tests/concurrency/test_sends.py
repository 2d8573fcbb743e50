"""A sender killed where Slack has the message and nobody knows: the short form of `python -m chaos sends`."""

from __future__ import annotations

from pathlib import Path

from chaos.experiment import SQLITE, Ground
from chaos.sends import kill_sends
from tests.schema import create_schema

KNOWN_TO_SLACK_ALONE = ("before the answer", "after the answer")


def test_a_sender_killed_after_slack_took_it_doubles_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'baton.db'}"
    create_schema(url)
    ground = Ground(SQLITE, url, tmp_path, size=1, seed=4)
    verdict = kill_sends(ground, points=KNOWN_TO_SLACK_ALONE)
    assert verdict.faults == []
    assert sorted(verdict.figures["kills by point"]) == sorted(KNOWN_TO_SLACK_ALONE)
    assert verdict.figures["doubts"] >= 2
