"""What every test may ask for. The rest lives beside the tests that use it.

Tests about rows run on both databases, all others on SQLite alone: `database_url` is parametrised by the folder.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.postgres import PostgresServer, running_server, stop_server
from tests.quiet import plain_logs
from tests.schema import create_schema

plain_logs()

_ROOT = Path(__file__).parent
_ON_BOTH = ("storage", "concurrency", "scenarios")

# No deadline: the first example pays for imports, a busy machine for everything, and frozen time lies.
settings.register_profile("baton", deadline=None)
settings.load_profile("baton")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database_url" in metafunc.fixturenames:
        folder = metafunc.definition.path.relative_to(_ROOT).parts[0]
        kinds = [pytest.param("sqlite")]
        if folder in _ON_BOTH:
            kinds.append(pytest.param("postgres", marks=pytest.mark.postgres))
        metafunc.parametrize("database_url", kinds, indirect=True)


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def _shared_folder(config: pytest.Config, base: Path) -> Path:
    """One folder for all workers: a worker's own base lies in that of the main process."""
    return (base.parent if _is_worker(config) else base) / "shared"


def pytest_sessionfinish(session: pytest.Session) -> None:
    # The main process stops the server, also when only its workers ever used it.
    factory = getattr(session.config, "_tmp_path_factory", None)
    if factory is not None and not _is_worker(session.config):
        shared = _shared_folder(session.config, factory.getbasetemp())
        if shared.exists():
            stop_server(shared)


@pytest.fixture(scope="session")
def shared_folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the workers of this session share."""
    shared = _shared_folder(request.config, tmp_path_factory.getbasetemp())
    shared.mkdir(exist_ok=True)
    return shared


@pytest.fixture(scope="session")
def postgres_server(request: pytest.FixtureRequest, shared_folder: Path) -> PostgresServer:
    """The session's PostgreSQL, started by whoever asks first."""
    main_process = os.getppid() if _is_worker(request.config) else os.getpid()
    return running_server(shared_folder, main_process)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the schema in it; each test gets a copy."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    create_schema(f"sqlite:///{path}")
    return path


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database with the schema in it, this test's own."""
    if request.param == "sqlite":
        path = tmp_path / "baton.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    template = server.template(request.getfixturevalue("shared_folder"), create_schema)
    with server.database(template) as url:
        yield url
