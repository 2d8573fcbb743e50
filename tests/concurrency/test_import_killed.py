"""`kill -9` in the middle of an import, again and again; then it is run to its end.

A process of its own that kills itself where it hurts: with the rows written and the cursor moved, before the commit;
and right after a commit. What is not here: the whole command, killed at random moments (`chaos.imports`).
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.domain.past import ImportMode
from chaos.imported import differences, unaccounted
from storage import imports
from tests.import_kit import Rows, bring, messy_rows
from tests.services.desk_kit import Desk


@pytest.fixture
def undisturbed(sqlite_template: Path, tmp_path: Path) -> Iterator[Desk]:
    shutil.copyfile(sqlite_template, tmp_path / "undisturbed.db")
    desk = Desk(f"sqlite:///{tmp_path / 'undisturbed.db'}")
    yield desk
    desk.database.dispose()


@pytest.fixture
def disturbed(database_url: str) -> Iterator[Desk]:
    desk = Desk(database_url)
    yield desk
    desk.database.dispose()


def test_a_killed_import_ends_like_one_that_was_left_alone(
    undisturbed: Desk, disturbed: Desk
) -> None:
    rows = messy_rows(60, seed=7)
    bring(undisturbed, rows, size=60)

    disturbed.database.dispose()  # no connection goes over to another process
    for batch, committed in ((1, False), (2, True), (1, False), (2, False)):
        assert killed(disturbed, rows, batch, committed=committed) == signal.SIGKILL
    ended = bring(disturbed, rows, size=7)

    assert ended.cursor == 60
    assert unaccounted(disturbed.database, 60) == []
    assert differences(undisturbed.database, disturbed.database) == []


def killed(desk: Desk, rows: Rows, batch: int, *, committed: bool) -> int:
    """Import in a process that dies in (or right after) its `batch`-th transaction; the signal it died of."""
    child = os.fork()
    if child == 0:
        try:
            _die_in(desk, rows, batch, committed=committed)
        finally:
            os._exit(1)
    return os.WTERMSIG(os.waitpid(child, 0)[1])


def _die_in(desk: Desk, rows: Rows, batch: int, *, committed: bool) -> None:
    done: list[int] = []

    def die_at_last(*_: Any) -> None:
        done.append(1)
        if len(done) == batch:
            os.kill(os.getpid(), signal.SIGKILL)

    if committed:
        bring(desk, rows, ImportMode.HISTORY, size=7, after=die_at_last)
    else:
        imports.add_counts = _then(imports.add_counts, die_at_last)
        bring(desk, rows, ImportMode.HISTORY, size=7)


def _then(deed: Callable[..., Any], after: Callable[[], None]) -> Callable[..., Any]:
    def both(*given: Any, **named: Any) -> Any:
        found = deed(*given, **named)
        after()
        return found

    return both
