"""The command line as an operator meets it: what it says, and how it ends when it cannot do as told."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from sqlalchemy import text

from bot.cli import main
from bot.commands import starting
from bot.demo_home import demo_database_url, forget_demo
from bot.serving import worker_lock
from bot.settings import Settings
from storage.database import Database
from tests.unit.playbook_kit import SMALL, USUAL_REPORTS, with_changes

ROOT = Path(__file__).parents[2]
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

Says = Callable[..., tuple[int, str, str]]


# --- how it ends ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        *(
            "run",
            "demo",
            "demo-history",
            "web",
            "worker",
            "migrate",
            "import",
            "audit",
            "report",
            "check",
            "manifest",
            "doctor",
        ),
        *("playbook apply", "quarantine list", "quarantine show", "quarantine replay"),
        "quarantine drop",
        *("erase", "export", "purge"),
        *("backup", "restore", "held list", "held release", "held drop"),
    ],
)
def test_every_command_is_listed_and_explains_itself(baton: Says, command: str) -> None:
    *group, name = command.split()

    assert f"│ {name} " in baton(*group, "--help")[1]
    code, out, err = baton(*command.split(), "--help")
    assert (code, err) == (0, "")
    assert f"Usage: baton {command}" in out


def test_help_imports_no_command() -> None:
    asked = "import sys; from bot.cli import main; main(['--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True
    )

    imported = set(done.stderr.split())
    assert "bot.commands.failing" in imported
    assert not imported & {
        "bot.commands.checking",
        "sqlalchemy",
        "pydantic",
        "slack_bolt",
        "alembic",
    }


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("fly", 'Unknown command "fly"'),
        ("check --loud", "Unknown option: --loud"),
        ("quarantine show seven", "seven"),
        ("quarantine replay", "baton quarantine replay ID, or --all"),
        ("quarantine replay 1 --all", "baton quarantine replay ID, or --all"),
    ],
)
def test_a_wrong_line_gets_one_sentence(baton: Says, line: str, sentence: str) -> None:
    code, out, err = baton(*line.split())

    assert (code, out) == (2, "")
    assert err.startswith("baton: ")
    assert sentence in err
    assert err.count("\n") == 1


def test_a_reader_that_has_seen_enough_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    reads, writes = os.pipe()
    os.close(reads)  # as `head` does
    with os.fdopen(writes, "w") as out:
        monkeypatch.setattr(sys, "stdout", out)
        assert main(["check", str(ROOT / "playbook.yaml")]) == 141


@pytest.mark.parametrize(
    "command", ["run", "web", "worker", "migrate", "check", "playbook apply", "quarantine list"]
)
def test_a_wrong_environment_is_told_in_full_without_secrets(
    baton: Says, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "wrong-kind-of-token-12345")
    monkeypatch.setenv("DATABASE_URL", "mysql://root:hunter2@db/baton")

    code, out, err = baton(*command.split())

    assert (code, out) == (2, "")
    assert "SLACK_BOT_TOKEN: must start with xoxb-" in err
    assert "DATABASE_URL: must start with sqlite: or postgresql:" in err
    assert "12345" not in err
    assert "hunter2" not in err


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://baton:hunter2@127.0.0.1:1/baton",  # nobody listens
        "postgresql+nodriver://baton:hunter2@127.0.0.1/baton",
        "postgresql+psycopg2://baton:hunter2@127.0.0.1/baton",  # not installed
        "postgresql://baton:hunter2@[broken/baton",
        "sqlite:///no/such/folder/baton.db",
    ],
)
@pytest.mark.parametrize("command", ["migrate", "quarantine list", "web"])
def test_a_database_that_cannot_be_used_is_one_sentence(
    baton: Says, monkeypatch: pytest.MonkeyPatch, url: str, command: str
) -> None:
    if command == "web" and url.startswith("sqlite"):
        pytest.skip("web refuses SQLite whatever the file")
    monkeypatch.setenv("DATABASE_URL", url)

    code, out, err = baton(*command.split())

    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "hunter2" not in err
    assert "cannot be used" in err or "no tables yet" in err


def test_a_file_that_is_no_database_is_told(baton: Says, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("letter.db").write_text("Dear Sir or Madam, " * 100)
    monkeypatch.setenv("DATABASE_URL", "sqlite:///letter.db")

    for command in ("migrate", "quarantine list"):
        assert baton(*command.split()) == (
            *(2, ""),
            "baton: The database cannot be used: file is not a database.\n",
        )


@pytest.mark.parametrize(
    "command", ["playbook apply", "quarantine list", "quarantine show 1", "quarantine replay --all"]
)
def test_without_tables_it_says_what_to_run(baton: Says, command: str) -> None:
    assert baton(*command.split()) == (
        *(2, ""),
        "baton: The database has no tables yet; run: baton migrate\n",
    )
    assert not Path("baton.db").exists()


# --- the processes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["web", "worker"])
def test_single_roles_refuse_sqlite(baton: Says, named_database: Database, role: str) -> None:
    code, out, err = baton(role)

    assert (code, out) == (2, "")
    assert err.startswith("baton: SQLite serves one process")


def test_the_demo_refuses_to_run_beside_a_real_token(
    baton: Says, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-real")
    monkeypatch.setenv("SLACK_SIGNING_SECRET", "real")

    code, out, err = baton("demo")

    assert (code, out) == (2, "")
    assert "The demo does not start beside a real Slack token" in err
    assert list(Path().iterdir()) == []


def test_a_taken_port_is_said_before_anything_else(
    baton: Says, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        monkeypatch.setenv("PORT", str(port))

        assert baton("demo") == (
            *(2, ""),
            f"baton: Port {port} is taken. Another one: PORT={port + 1} make run\n",
        )


def test_a_fresh_demo_never_empties_the_folder_of_a_running_one(
    baton: Says, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Path("elsewhere")
    home.mkdir()
    monkeypatch.setenv("BATON_DEMO_HOME", str(home))
    for name in ("baton.db", "baton.db-wal", "workspace.db", "secret", "notes.txt"):
        (home / name).write_text("kept")

    with worker_lock(Database(demo_database_url(home))):
        code, out, err = baton("demo", "--fresh")

    assert (code, out) == (2, "")
    assert "Another Baton runs on elsewhere/baton.db. Stop it first" in err
    assert (home / "baton.db").read_text() == "kept"

    forget_demo(home)
    assert {path.name for path in home.iterdir()} == {"notes.txt", "baton.db.lock"}


@pytest.mark.parametrize(("token", "expected"), [("", "demo"), ("xoxb-real", "all")])
def test_run_is_the_demo_until_there_is_a_token(
    baton: Says, monkeypatch: pytest.MonkeyPatch, token: str, expected: str
) -> None:
    started: list[str] = []

    def pretend(name: str) -> Callable[[Settings], int]:
        def serve(_: Settings) -> int:
            started.append(name)
            return 3

        return serve

    monkeypatch.setattr(starting, "serve_demo", pretend("demo"))
    monkeypatch.setattr(starting, "serve_all", pretend("all"))
    monkeypatch.setenv("SLACK_BOT_TOKEN", token)
    if token:
        monkeypatch.setenv("SLACK_SIGNING_SECRET", "real")

    assert baton("run")[0] == 3
    assert started == [expected]


# --- migrate -------------------------------------------------------------------------------------------


def test_migrate_makes_the_tables_once(baton: Says) -> None:
    assert baton("migrate") == (0, "migrated: 0001, 0002, 0003, 0004, 0005, 0006, 0007\n", "")
    assert baton("migrate") == (0, "at revision 0007, nothing to do\n", "")
    assert baton("quarantine", "list")[0] == 0


def test_migrate_leaves_the_tables_of_a_newer_baton_alone(
    baton: Says, named_database: Database
) -> None:
    with named_database.write() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        conn.execute(text("UPDATE admitted SET oldest = '9999'"))

    code, out, err = baton("migrate")

    assert (code, out) == (2, "")
    assert "a newer Baton" in err


# --- check ---------------------------------------------------------------------------------------------


def test_the_playbook_that_ships_is_fine() -> None:
    """As a process of its own, as people start it."""
    done = subprocess.run(
        [sys.executable, "-m", "bot", "check"],
        cwd=ROOT,
        env={"PATH": os.environ.get("PATH", "")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "playbook.yaml: 14 people, 3 teams, 2 SLAs: fine",
        "  " + USUAL_REPORTS.replace("C0REVIEW", "C0REVIEW1"),
    ]


def test_check_names_every_fault_with_its_line(baton: Says) -> None:
    Path("mine.yaml").write_text(
        with_changes(
            ("timezone: Europe/Berlin", "timezone: Europe/Berln"), ("C0REVIEW", '"#leads"')
        )
    )

    code, out, err = baton("check", "mine.yaml")

    assert (code, err) == (1, "")
    first, second, summary = out.splitlines()
    assert first.startswith("mine.yaml:1: company.timezone: ")
    assert second.startswith("mine.yaml:20: marketing.channel: ")
    assert summary == "mine.yaml: 2 faults"


def test_warnings_do_not_stand_in_the_way(baton: Says) -> None:
    Path("playbook.yaml").write_text(with_changes(('    when: source == "contact_me"\n', "")))

    code, out, _ = baton("check")

    assert code == 0
    warning, summary, _ = out.splitlines()
    assert warning.startswith("playbook.yaml:")
    assert ": warning: slas.hand raiser: " in warning
    assert summary == "playbook.yaml: 7 people, 2 teams, 2 SLAs: 1 warning"


def test_check_takes_the_playbook_of_the_environment(
    baton: Says, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("theirs.yaml").write_text(SMALL)
    monkeypatch.setenv("BATON_PLAYBOOK", "theirs.yaml")

    assert baton("check") == (
        *(0, f"theirs.yaml: 7 people, 2 teams, 2 SLAs: fine\n  {USUAL_REPORTS}\n"),
        "",
    )


def test_a_playbook_that_cannot_be_read_is_one_sentence(baton: Says) -> None:
    Path("latin.yaml").write_bytes("company: {name: Müller}".encode("latin-1"))

    assert baton("check") == (
        *(2, ""),
        "baton: playbook.yaml cannot be read: No such file or directory.\n",
    )
    assert baton("check", ".") == (2, "", "baton: . cannot be read: Is a directory.\n")
    assert baton("check", "latin.yaml")[2] == (
        "baton: latin.yaml cannot be read: byte 17 is not UTF-8.\n"
    )


# --- manifest ------------------------------------------------------------------------------------------


def test_the_manifest_is_printed_as_it_ships(baton: Says) -> None:
    assert baton("manifest") == (0, (ROOT / "app.yaml").read_text(), "")


def test_over_http_slack_calls_one_address_and_all_else_is_the_same(baton: Says) -> None:
    code, out, _ = baton("manifest", "--http", "https://baton.example.com/")
    assert code == 0

    url = "https://baton.example.com/slack/events"
    http, shipped = (YAML(typ="safe").load(t) for t in (out, (ROOT / "app.yaml").read_text()))
    assert http["settings"].pop("socket_mode_enabled") is False
    assert shipped["settings"].pop("socket_mode_enabled") is True
    assert http["settings"]["event_subscriptions"].pop("request_url") == url
    assert http["settings"]["interactivity"].pop("request_url") == url
    assert [c.pop("url") for c in http["features"]["slash_commands"]] == [url, url, url]
    assert http == shipped
    assert "Socket Mode" not in out
    assert "# cards, reminders, escalations" in out


@pytest.mark.parametrize(
    "address",
    ["baton.example.com", "http://baton.example.com", "https://a b", "https://x.example/\nbot: 1"],
)
def test_slack_calls_only_public_addresses(baton: Says, address: str) -> None:
    code, out, err = baton("manifest", "--http", address)

    assert (code, out) == (2, "")
    assert err.startswith("baton: --http takes a public address such as https://")
    assert err.count("\n") == 1
