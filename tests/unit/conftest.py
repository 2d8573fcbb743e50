"""Fixtures of the command line's tests: `baton` runs a line in an empty folder and a bare environment."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bot.cli import main
from storage.database import Database
from tests.unit.playbook_kit import SMALL


@pytest.fixture
def baton(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., tuple[int, str, str]]:
    """Run a command line: exit code, standard output, standard error."""
    for name in os.environ:
        if name.startswith(("SLACK_", "BATON_", "DATABASE_URL")):
            monkeypatch.delenv(name)
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def run(*tokens: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(tokens)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def named_database(
    baton: object, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Database]:
    """The database that the environment names, and the small playbook in the folder."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    Path("playbook.yaml").write_text(SMALL, encoding="utf-8")
    database = Database(database_url)
    yield database
    database.dispose()
