"""`baton webhook`, its settings, and which processes tell the receiver. What is not here: delivery itself."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.clock import Clock
from bot.demo import Demo
from bot.gateways.webhook_out import key_of
from bot.services.runtime import Runtime
from bot.settings import SettingsFault, load_settings
from chaos.playbooks import agreement_of, playbook_text
from storage import hooks, outbox
from storage.database import Database
from tests.webhook_door import SECRET, Door, Letter, Reply, opened

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
Says = Callable[..., tuple[int, str, str]]
ADDRESS = "https://crm.example/hooks/path-secret?key=query-secret"


@contextmanager
def beside(answer: Callable[[Letter], Reply]) -> Iterator[Door]:
    """A receiver in a thread of its own: the command has its own loop."""
    found: list[Door] = []
    ready, over = threading.Event(), threading.Event()

    async def serve() -> None:
        async with opened(answer) as door:
            found.append(door)
            ready.set()
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert ready.wait(10)
        yield found[0]
    finally:
        over.set()
        thread.join()


def connected(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("BATON_WEBHOOK_URL", url)
    monkeypatch.setenv("BATON_WEBHOOK_SECRET", SECRET)


# --- baton webhook test ----------------------------------------------------------------------------------


def test_trying_the_receiver_says_in_one_line_what_happened(
    baton: Says, monkeypatch: pytest.MonkeyPatch
) -> None:
    replies = iter([Reply(204), Reply(302, {"Location": "https://sso.example/?t=1"})])
    page = Reply(200, {"Content-Type": "text/html"}, b"<html>Sign in")
    with beside(lambda _: next(replies, page)) as door:
        connected(monkeypatch, door.url)
        code, out, err = baton("webhook", "test")
        assert (code, err) == (0, "")
        assert out.startswith(f"http://127.0.0.1:{door.port} answered 204. (")
        door.letters[0].verify()
        assert b'"type":"baton.test"' in door.letters[0].body

        code, out, _ = baton("webhook", "test")
        assert code == 1
        assert "answered 302 and wants to redirect to https://sso.example; " in out

        code, out, _ = baton("webhook", "test")
        assert code == 0
        assert "if it is a login or error page, changes are lost there" in out
        assert "secret" not in out
    code, out, _ = baton("webhook", "test")
    assert code == 1
    assert "refuses connections" in out
    assert len(out.splitlines()) == 1


@pytest.mark.parametrize("command", ["test", "status", "enable"])
def test_without_a_receiver_there_is_nothing_to_try(
    command: str, baton: Says, named_database: Database
) -> None:
    code, _, err = baton("webhook", command)
    assert code == 2
    assert "set BATON_WEBHOOK_URL and BATON_WEBHOOK_SECRET" in err


# --- baton webhook status, enable ------------------------------------------------------------------------


def test_how_the_receiver_stands_and_enabling_it(
    baton: Says, named_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected(monkeypatch, ADDRESS)
    code, out, _ = baton("webhook", "status")
    assert code == 0
    assert out.splitlines()[:2] == ["receiver  https://crm.example", "state     not tried yet"]
    with named_database.write() as conn:
        for key in ("hook:1:4", "hook:1:9"):
            outbox.enqueue_post(
                conn, template="webhook", card_key=key, lane="hook:1", way=outbox.HOOK,
                priority=outbox.PRIORITY_REST, now=NOON, real=NOON,
            )  # fmt: skip
        hooks.note_failure(conn, key_of(ADDRESS), "http_410", real=NOON)
        hooks.disable(conn, key_of(ADDRESS), real=NOON)
    code, out, _ = baton("webhook", "status")
    assert code == 1
    assert "disabled since 2026-11-20 12:00Z (http_410)" in out
    assert "waiting   2 changes, the oldest since 2026-11-20 12:00Z" in out

    code, out, _ = baton("webhook", "enable")
    assert (code, out) == (0, "The receiver is enabled.\n2 waiting changes due now.\n")
    assert baton("webhook", "status")[0] == 0
    code, out, _ = baton("webhook", "enable", "--drop-waiting")
    assert (code, out) == (0, "The receiver was not disabled.\n2 waiting changes dropped.\n")


# --- settings --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.zapier.example/hooks/catch/1/abc/",
        "http://127.0.0.1:5678/webhook/baton",
        "http://n8n:5678/webhook/baton",
        "http://[::1]:5678/",
    ],
)
def test_addresses_of_receivers_stay_as_they_are(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    connected(monkeypatch, url)
    assert load_settings().webhook_url == url
    assert url not in repr(load_settings())


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("ftp://crm.example/", "web address"),
        ("https://", "web address"),
        ("https://crm.example:port/", "no web address"),
        ("https://crm.example/a b", "web address"),
        ("https://user:pass@crm.example/", "user name or password"),
        ("https://crm.example/#x", "after #"),
        ("http://93.184.216.34/", "use https"),
    ],
)
def test_what_is_no_address_of_a_receiver(
    url: str, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected(monkeypatch, url)
    with pytest.raises(SettingsFault) as caught:
        load_settings()
    assert fault in str(caught.value)
    assert "pass" not in str(caught.value).replace("password", "")


def test_address_and_secret_come_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATON_WEBHOOK_URL", ADDRESS)
    with pytest.raises(SettingsFault, match="BATON_WEBHOOK_URL needs BATON_WEBHOOK_SECRET"):
        load_settings()
    monkeypatch.setenv("BATON_WEBHOOK_SECRET", "whsec_short")
    with pytest.raises(SettingsFault, match="BATON_WEBHOOK_SECRET"):
        load_settings()
    monkeypatch.setenv("BATON_WEBHOOK_SECRET", SECRET)
    monkeypatch.delenv("BATON_WEBHOOK_URL")
    with pytest.raises(SettingsFault, match="BATON_WEBHOOK_SECRET needs BATON_WEBHOOK_URL"):
        load_settings()


# --- who tells it ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("url", "told"), [(ADDRESS, False), ("http://127.0.0.1:9/", True)])
def test_the_demo_tells_no_real_crm(
    url: str, told: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sqlite_template: Path
) -> None:
    connected(monkeypatch, url)
    runtime = Runtime(
        Database(f"sqlite:///{sqlite_template}"), Clock(), agreement_of(playbook_text(1))
    )
    try:
        demo = Demo(load_settings(), runtime, None, story=False)
        assert (demo.house.hooks is not None) is told
        assert runtime.tells_crm is told
    finally:
        runtime.close()
