"""Processes: which roles this one has, its socket, its signals, and the lock that keeps SQLite to one worker.

What is not here: what the roles do (`wiring`), the demo (`demo`).
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from pydantic import SecretStr
from starlette.types import ASGIApp

from bot.clock import Clock, SteadyTime
from bot.logs import configure_logging
from bot.services.back_up import Nightly
from bot.services.keep_house import Housekeeping
from bot.services.keep_room import Room
from bot.services.runtime import Runtime
from bot.settings import Settings
from bot.wiring import House, SlackAccess, open_runtime
from storage.database import Database
from storage.reserves import reserve_of
from storage.schema import migrate, require_fit

log = logging.getLogger(__name__)

Leave = Callable[[], Coroutine[Any, Any, None]]

#: Seconds from a signal: requests and sends in flight get the first, whatever hangs is cut off after the last. What is
#: cut off then is as safe as after a kill, and comes back later.
GRACE = 8
DRAIN_SECONDS = 18
#: Who stops a whole group of processes signals some of them twice.
SAME_SIGNAL = 0.5


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


def run_server(
    app: ASGIApp,
    sockets: list[socket.socket],
    *,
    date_header: bool = True,
    leave: Leave | None = None,
) -> int:
    """Serve until a signal; requests and sends in flight get time to end. A second signal ends at once.

    `leave`: told of the signal, beside the requests that still run; must take up no more work.
    """
    config = uvicorn.Config(
        app,
        log_config=None,
        server_header=False,
        date_header=date_header,
        access_log=False,
        lifespan="on",
        timeout_graceful_shutdown=GRACE,
        timeout_keep_alive=30,
        limit_concurrency=1000,
        h11_max_incomplete_event_size=64 * 1024,
    )
    server = _Server(config, leave)
    # uvicorn shuts down in order, then raises the signal once more: to whoever started us that looks like a crash.
    signal.signal(signal.SIGTERM, _leave)
    # uvicorn's own choice: uvloop, where it is installed.
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(server.serve(sockets))
    return 0 if server.started else 1


class _Server(uvicorn.Server):
    """uvicorn's, that leaves its work at once, not after the last request, and for certain."""

    def __init__(self, config: uvicorn.Config, leave: Leave | None) -> None:
        super().__init__(config)
        self._on_leave = leave
        self._asked_at: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal begins the end, a second one is it."""
        now = time.monotonic()
        if self._asked_at is None:
            self._asked_at = now
            last = threading.Timer(DRAIN_SECONDS, _cut_off)
            last.daemon = True
            last.start()
            super().handle_exit(sig, frame)
        elif now - self._asked_at > SAME_SIGNAL:
            os._exit(128 + sig)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's."""
        leaving = asyncio.create_task(self._on_leave()) if self._on_leave is not None else None
        closing = asyncio.create_task(self._close_idle())
        await super().shutdown(sockets)
        closing.cancel()
        await asyncio.gather(closing, *([leaving] if leaving else []), return_exceptions=True)

    async def _close_idle(self) -> None:
        """uvicorn closes idle connections once. One that was accepted in that very moment would keep us for `GRACE`."""
        while True:
            await asyncio.sleep(0.1)
            for connection in list(self.server_state.connections):
                connection.shutdown()


def _cut_off() -> None:
    """Something hangs: a call, a thread, the database. All that was acknowledged is committed."""
    log.error("cut off after %d s: what was in flight is taken up again later", DRAIN_SECONDS)
    os._exit(0)


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
    require_fit(database)
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
            house.look_after(housekeeping_of(settings, runtime, house, worker=worker))
            return run_server(house.asgi, sockets, leave=house.leave)
        finally:
            runtime.close()


def housekeeping_of(
    settings: Settings, runtime: Runtime, house: House, *, worker: bool
) -> Housekeeping:
    """What this process looks after: every one its tables and the disk, a worker the nightly backup."""
    database = runtime.database
    nightly = None
    if worker and settings.backups is not None:
        nightly = Nightly(
            database, runtime.clock, settings.backups, lambda: runtime.agreement.timezone
        )
    return Housekeeping(
        runtime, room=Room(database, reserve_of(database)), nightly=nightly, leave=house.leave
    )


def make_runtime(settings: Settings, database: Database, *, movable_clock: bool = False) -> Runtime:
    """The runtime with the playbook file of the settings in force."""
    try:
        text = settings.playbook.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CannotServe(f"{settings.playbook} cannot be read: {error}") from None
    return open_runtime(database, Clock(SteadyTime()), text, movable_clock=movable_clock)
