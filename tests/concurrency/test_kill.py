"""`kill -9` in the middle of everything, the short form: the real demo, real clients, two kills.

What is not here: the experiment itself (`chaos.kill_demo`), and its full size (`make chaos`).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from chaos.kill_demo import Plan, kill_round


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_whatever_was_acknowledged_before_a_kill_is_there_once_and_whatever_was_due_happened_once(
    tmp_path: Path,
) -> None:
    verdict = kill_round(tmp_path / "demo", Plan(leads=40, clicks=20, kills=2, moves=3, seed=1))
    assert verdict.faults == []
    assert verdict.figures["kills"] == 2
    assert verdict.figures["leads acknowledged"] == 40
    assert verdict.figures["clicks acknowledged"] >= 20
    assert verdict.figures["steps fired"] > 0
