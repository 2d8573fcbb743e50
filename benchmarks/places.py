"""Where a row is measured: fresh databases, ports that are free, and how much CPU the measured process burned.

PostgreSQL is a server of our own, with fsync and synchronous_commit on; that of the tests is quick as it may forget.
What is not here: what is measured there (`row`, the rows).
"""

from __future__ import annotations

import os
import platform
import shutil
import socket
import sqlite3
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psutil
from sqlalchemy import text

from storage.database import Database
from tests.postgres import PostgresServer, running_server, stop_server
from tests.schema import create_schema

ROOT = Path(__file__).resolve().parent.parent
_DURABLE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}


class NotMeasured(Exception):
    """The row could not be measured honestly; the message says why."""


@dataclass(slots=True)
class Ground:
    """A folder of this row's own, and databases in it. `small`: a trial run, whose figures mean nothing."""

    folder: Path
    small: bool = False
    _server: PostgresServer | None = field(default=None, init=False)

    @contextmanager
    def sqlite(self, template: Path | None = None) -> Iterator[str]:
        """The URL of a fresh SQLite file with our tables in it, or of a copy of `template`."""
        path = self.folder / f"{uuid.uuid4().hex[:12]}.db"
        if template is None:
            template = self.folder / "template.db"
            if not template.exists():
                create_schema(f"sqlite:///{template}")
        shutil.copyfile(template, path)
        try:
            yield f"sqlite:///{path}"
        finally:
            for left in self.folder.glob(f"{path.name}*"):
                left.unlink()

    @contextmanager
    def postgres(self, template: str = "") -> Iterator[str]:
        """The URL of a fresh PostgreSQL database with our tables in it; `template`: a copy of that one ("template0":
        without tables, for peers)."""
        server = self.server()
        with server.database(template or server.template(self._shared, create_schema)) as url:
            yield url

    def server(self) -> PostgresServer:
        """The PostgreSQL server, started when first asked for; refused when it would not survive a power cut."""
        if self._server is None:
            self._server = running_server(self._shared, os.getpid(), _DURABLE)
            database = Database(self._server.url_of("postgres"))
            with database.read() as conn:
                for name, wanted in _DURABLE.items():
                    found = conn.execute(text(f"SHOW {name}")).scalar_one()
                    if found != wanted:
                        raise NotMeasured(f"PostgreSQL runs with {name}={found}, not {wanted}")
            database.dispose()
        return self._server

    @property
    def server_pid(self) -> int:
        """The PostgreSQL server's process, for `burning`."""
        self.server()
        home = Path((self._shared / "home").read_text())
        return int((home / "data" / "postmaster.pid").read_text().split()[0])

    def close(self) -> None:
        """Stop the server."""
        if self._server is not None:
            stop_server(self._shared)
            self._server = None

    @property
    def _shared(self) -> Path:
        folder = self.folder / "postgres"
        folder.mkdir(exist_ok=True)
        return folder


def cpu_seconds(pid: int) -> float:
    """CPU time of a process and of its children, also of those that ended."""
    process = psutil.Process(pid)
    while True:
        # A child that ends while we add up would be missed or counted twice: then once more.
        children = process.children()
        burned = 0.0
        for child in process.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                own = child.cpu_times()
                burned += own.user + own.system
        times = process.cpu_times()
        burned += times.user + times.system + times.children_user + times.children_system
        if process.children() == children:
            return float(burned)


@contextmanager
def burning(pid: int, at_least: float = 0.005) -> Iterator[None]:
    """Assert that this very process did the work: it burned so many seconds of CPU meanwhile."""
    before = cpu_seconds(pid)
    yield
    burned = cpu_seconds(pid) - before
    if burned < at_least:
        raise NotMeasured(f"process {pid} burned {burned:.3f} s of CPU: something else answered")


def free_port() -> int:
    """A port of this machine that nobody listens on, chosen by the system."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def refuse_taken(port: int) -> int:
    """The port, if nobody listens there: else an old server would be measured instead of ours."""
    with socket.socket() as one:
        if one.connect_ex(("127.0.0.1", port)) == 0:
            raise NotMeasured(f"port {port} is taken")
    return port


def machine(ground: Ground) -> dict[str, str]:
    """What the figures were measured on."""
    database = Database(ground.server().url_of("postgres"))
    with database.read() as conn:
        version = str(conn.execute(text("SHOW server_version")).scalar_one())
    database.dispose()
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cores": str(psutil.cpu_count()),
        "CPU": _cpu_name(),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GB",
        "file system": _file_system(ground.folder),
        "load": f"{os.getloadavg()[0]:.1f}",
        "Python": platform.python_version(),
        "PostgreSQL": f"{version}, fsync and synchronous_commit on",
        "SQLite": f"{sqlite3.sqlite_version}, WAL, synchronous=FULL",
        "commit": _commit(),
    }


def _cpu_name() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _file_system(folder: Path) -> str:
    mounted = [
        each for each in psutil.disk_partitions(all=True) if folder.is_relative_to(each.mountpoint)
    ]
    return max(mounted, key=lambda each: len(each.mountpoint)).fstype if mounted else "unknown"


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"],  # noqa: S607
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout.strip()
