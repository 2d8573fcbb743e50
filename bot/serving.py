"""Processes: which roles this one has, its socket, its signals, and the lock that keeps SQLite to one worker.

What is not here: what the roles do (`wiring`), the demo (`demo`).
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import logging
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

import uvicorn
from pydantic import SecretStr
from starlette.types import ASGIApp

from bot.clock import Clock
from bot.logs import configure_logging
from bot.services.runtime import Runtime
from bot.settings import Settings
from bot.wiring import House, SlackAccess, open_runtime
from storage.database import Database
from storage.schema import migrate, require_head

log = logging.getLogger(__name__)

DRAIN_SECONDS = 20


class CannotServe(Exception):
    """The process cannot take this role; the message says why and what to do."""


def serve_all(settings: Settings) -> int:
    """`baton run`: web and worker in one process; migrates a SQLite file by itself."""
    database = open_database(settings)
    if database.is_sqlite:
        migrate(database)
    with worker_lock(database):
        return _serve(settings, database, "run", web=True, worker=True)


def serve_web(settings: Settings) -> int:
    """`baton web`: takes leads and clicks; needs PostgreSQL, because a worker runs elsewhere."""
    return _serve(settings, _shared_database(settings), "web", web=True, worker=False)


def serve_worker(settings: Settings) -> int:
    """`baton worker`: fires timers and delivers; needs PostgreSQL."""
    return _serve(settings, _shared_database(settings), "worker", web=False, worker=True)


def open_database(settings: Settings) -> Database:
    """The database of the environment, fit for production."""
    database = Database(settings.database_url.get_secret_value())
    database.check()
    return database


@contextmanager
def bound(settings: Settings, command: str) -> Iterator[list[socket.socket]]:
    """The sockets of HOST and PORT, before anything is said or started. `command` is for the advice."""
    host, port = settings.host, settings.port
    with ExitStack() as stack:
        try:
            taken = [stack.enter_context(one) for one in _sockets(host, port)]
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                other = port + 1 if port < 65_535 else port - 1
                raise CannotServe(
                    f"Port {port} is taken. Another one: PORT={other} {command}"
                ) from None
            raise CannotServe(
                f"HOST {host}, PORT {port} cannot be used: {error.strerror or error}."
            ) from None
        yield taken


def _sockets(host: str, port: int) -> Iterator[socket.socket]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    for family, kind, protocol, _, address in dict.fromkeys(found):
        one = socket.socket(family, kind, protocol)
        try:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.bind(address)
        except OSError:
            one.close()
            raise
        yield one


def run_server(app: ASGIApp, sockets: list[socket.socket], *, date_header: bool = True) -> int:
    """Serve until a signal; requests and sends in flight get time to end."""
    config = uvicorn.Config(
        app,
        log_config=None,
        server_header=False,
        date_header=date_header,
        access_log=False,
        lifespan="on",
        timeout_graceful_shutdown=10,
        timeout_keep_alive=30,
        limit_concurrency=1000,
        h11_max_incomplete_event_size=64 * 1024,
    )
    server = uvicorn.Server(config)
    # uvicorn shuts down in order, then raises the signal once more: to whoever started us that looks like a crash.
    signal.signal(signal.SIGTERM, _leave)
    asyncio.run(server.serve(sockets))
    return 0 if server.started else 1


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


@contextmanager
def worker_lock(database: Database) -> Iterator[None]:
    """One worker to a SQLite file. The lock goes with the process, also when that is killed."""
    name = database.url.database
    if not database.is_sqlite or not name or name == ":memory:":
        yield
        return
    path = Path(f"{name}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CannotServe(
                f"Another Baton runs on {name}. Stop it first: SQLite serves one process, PostgreSQL several."
            ) from None
        yield


def _shared_database(settings: Settings) -> Database:
    database = open_database(settings)
    if database.is_sqlite:
        raise CannotServe(
            "SQLite serves one process: use `baton run`, or set DATABASE_URL to PostgreSQL."
        )
    return database


def _serve(settings: Settings, database: Database, command: str, *, web: bool, worker: bool) -> int:
    configure_logging()
    require_head(database)
    token = settings.slack_bot_token
    if token is None:
        raise CannotServe(
            "SLACK_BOT_TOKEN is not set. Without it only the demo runs (`baton run` or `baton demo`)."
        )
    access = SlackAccess(
        token,
        settings.slack_signing_secret or SecretStr(""),
        settings.slack_api_url,
        settings.slack_app_token,  # set: Socket Mode
    )
    with bound(settings, f"baton {command}") as sockets:
        runtime = make_runtime(settings, database)
        try:
            house = House(settings, runtime, access, web=web, worker=worker)
            return run_server(house.asgi, sockets)
        finally:
            runtime.close()


def make_runtime(settings: Settings, database: Database, *, movable_clock: bool = False) -> Runtime:
    """The runtime with the playbook file of the settings in force."""
    try:
        text = settings.playbook.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CannotServe(f"{settings.playbook} cannot be read: {error}") from None
    return open_runtime(database, Clock(), text, movable_clock=movable_clock)
