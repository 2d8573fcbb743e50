"""The experiments as such: each says what must hold and what breaks it; and the shortest of them that nothing else
here tries. What is not here: the experiments at size (`make chaos`).
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from chaos.experiment import SQLITE, Ground
from chaos.fsyncs import fsync_order, judge
from chaos.registry import EXPERIMENTS, find


def test_every_experiment_says_what_must_hold_and_what_was_taken_out_of_it() -> None:
    names = [each.name for each in EXPERIMENTS]
    assert len(set(names)) == len(names)
    assert all(find(name) is not None for name in names)
    assert [e.name for e in EXPERIMENTS if not (e.about and e.criterion and e.broken_by)] == []
    assert [e.name for e in EXPERIMENTS if not 0 < e.everyday <= e.full] == []


def test_an_answer_before_its_fsync_is_seen() -> None:
    asked = '11 read(9, "POST /leads HTTP/1.1"..., 4096) = 700'
    synced = "12 fdatasync(4) = 0"
    told = '11 write(9, "HTTP/1.1 202 Accepted"..., 90) = 90'
    assert judge([asked, synced, told, asked, synced, told]) == (2, 0)
    assert judge([synced, asked, told, asked, synced, told]) == (2, 1)


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not there")
def test_the_disk_is_told_before_the_sender(tmp_path: Path, sqlite_template: Path) -> None:
    shutil.copyfile(sqlite_template, tmp_path / "baton.db")
    ground = Ground(SQLITE, f"sqlite:///{tmp_path / 'baton.db'}", tmp_path, size=5, seed=1)
    verdict = fsync_order(ground)
    if verdict.n == 0:
        pytest.skip(str(verdict.figures))
    assert verdict.faults == []
    assert verdict.n == 5
