"""One call of the webhook receiver, over real sockets: what is sent, what is believed, where nobody ever connects.

What is not here: order and retries (`tests.scenarios.test_webhook_out`), rows (`tests.storage.test_hooks`).
"""

from __future__ import annotations

import json
import logging
import ssl
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.gateways.addresses import is_local, may_be_called, parse
from bot.gateways.webhook_answers import Answer, place, retry_after
from bot.gateways.webhook_out import Limits, WebhookReceiver, key_of, resolve_by_system
from bot.services.hook_rules import HookPace, HookRules, is_about_message
from tests.webhook_door import CERTIFICATE, SECRET, Letter, Reply, opened

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
EVENT = {"type": "baton.test", "data": {"name": "Žofie"}}


@asynccontextmanager
async def calling(url: str, **more: Any) -> AsyncIterator[Callable[[], Any]]:
    receiver = WebhookReceiver(
        url, SECRET, **{"limits": Limits(total=0.5, connect=0.4, body=0.2), **more}
    )
    try:
        yield lambda: receiver.post("msg_1", EVENT, NOW)
    finally:
        await receiver.close()


async def called(url: str, **more: Any) -> Answer:
    async with calling(url, **more) as call:
        answer: Answer = await call()
        return answer


def found_at(*addresses: str) -> Callable[[str, int], Sequence[str]]:
    return lambda host, port: addresses


# ---------------------------------------------------------------- what is sent


async def test_what_is_sent_is_signed_and_connections_are_used_again() -> None:
    async with opened() as door:
        async with calling(door.url) as call:
            answers = [await call() for _ in range(3)]
        assert [a.code for a in answers] == ["http_200"] * 3
        assert answers[0].ok
        letter = door.letters[0]
        letter.verify()
        assert json.loads(letter.body) == EVENT
        assert letter.target == "/hooks/path-secret?key=query-secret"
        assert letter.headers["host"] == f"127.0.0.1:{door.port}"
        assert letter.headers["webhook-id"] == "msg_1"
        assert letter.headers["webhook-timestamp"] == str(int(NOW.timestamp()))


# ---------------------------------------------------------------- what is believed


@pytest.mark.parametrize(
    ("reply", "code", "ok"),
    [
        (Reply(204), "http_204", True),
        (Reply(500), "http_500", False),
        (Reply(410), "http_410", False),
        (Reply(hang_up=True), "reset", False),
        (Reply(wait=30), "timeout", False),
        (Reply(endless_head=0.02), "timeout", False),
        # A status that is there stands, however its body drips.
        (Reply(200, body=b"x" * 60, drip=0.05), "http_200", True),
    ],
)
async def test_each_answer_for_what_it_is(reply: Reply, code: str, ok: bool) -> None:
    async with opened(lambda _: reply) as door:
        began = time.monotonic()
        answer = await called(door.url)
        assert (answer.code, answer.ok) == (code, ok)
        assert time.monotonic() - began < 1.5
        assert "secret" not in answer.said


async def test_a_redirect_is_a_failure_and_nobody_goes_there() -> None:
    async with opened() as trap:
        elsewhere = f"http://127.0.0.1:{trap.port}/login?token=abc"
        async with opened(lambda _: Reply(307, {"Location": elsewhere})) as door:
            answer = await called(door.url)
        assert not answer.ok
        assert "wants to redirect to http://127.0.0.1; " in answer.said
        assert "token" not in answer.said
        assert trap.letters == []


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, {"Content-Type": "text/html; charset=utf-8"}, b"<p>Sign in"),
        Reply(200, {}, b"\n<!DOCTYPE html><title>Sign in</title>"),
    ],
)
async def test_a_web_page_is_a_success_that_is_remarked_on(reply: Reply) -> None:
    async with opened(lambda _: reply) as door:
        answer = await called(door.url)
    assert answer.ok
    assert answer.page
    assert "web page" in answer.said


async def test_an_endless_body_is_not_read() -> None:
    huge = Reply(200, body=b"x" * 5_000_000)
    async with opened(lambda _: huge) as door, calling(door.url) as call:
        assert (await call()).ok
        assert (await call()).ok


# ---------------------------------------------------------------- certificates


@pytest.fixture(scope="module")
def vouched() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(CERTIFICATE))


async def test_a_certificate_that_nobody_vouches_for() -> None:
    async with opened(tls=True) as door:
        answer = await called(f"https://127.0.0.1:{door.port}/")
        assert answer.code == "tls"
        assert "self-signed" in answer.said
        assert door.letters == []


async def test_the_certificate_is_that_of_the_name_not_of_the_address(
    vouched: ssl.SSLContext,
) -> None:
    at_home = found_at("127.0.0.1")
    async with opened(tls=True) as door:
        right = f"https://receiver.test:{door.port}/in"
        wrong = f"https://elsewhere.test:{door.port}/in"
        assert (await called(right, trust=vouched, resolve=at_home)).ok
        assert door.letters[0].headers["host"] == f"receiver.test:{door.port}"
        answer = await called(wrong, trust=vouched, resolve=at_home)
        assert answer.code == "tls"
        assert "elsewhere.test" in answer.said
        assert len(door.letters) == 1


# ---------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    "address",
    [
        *("169.254.169.254", "fe80::1%eth0", "224.0.0.1", "ff02::1", "0.1.2.3", "::"),
        *("255.255.255.255", "100.100.100.200", "fd00:ec2::254", "192.0.0.192", "168.63.129.16"),
        *("::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "::169.254.169.254"),
        "::ffff:0:169.254.169.254",
    ],
)
def test_where_no_receiver_is(address: str) -> None:
    assert not may_be_called(parse(address))


@pytest.mark.parametrize(
    ("address", "local"),
    [
        *((a, True) for a in ("127.0.0.1", "::1", "10.1.2.3", "192.168.0.9", "fd12::1", "100.64.0.7")),
        *((a, False) for a in ("8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8")),
    ],
)  # fmt: skip
def test_where_a_receiver_may_be(address: str, local: bool) -> None:
    assert may_be_called(parse(address))
    assert is_local(parse(address)) is local


async def test_a_name_that_leads_to_the_metadata_address_is_not_called() -> None:
    async with opened() as trap:
        for address in ("169.254.169.254", "::ffff:169.254.169.254"):
            answer = await called(f"https://evil.test:{trap.port}/", resolve=found_at(address))
            assert answer.code == "forbidden_address"
        # The resolver understands the odd spellings of addresses; what it says is judged.
        assert list(resolve_by_system("2852039166", 80)) == ["169.254.169.254"]
        answer = await called(f"http://0xa9fea9fe:{trap.port}/")
        assert answer.code == "forbidden_address"
        assert trap.letters == []


async def test_a_name_is_looked_up_once_a_call_and_exactly_that_address_is_connected_to() -> None:
    """Rebinding: the second look-up would lead elsewhere, but there is none between check and connection."""
    asked: list[str] = []

    def rebinding(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    async with opened() as door:
        async with calling(f"http://rebinding.test:{door.port}/", resolve=rebinding) as call:
            assert (await call()).ok
            assert asked == ["rebinding.test"]
            assert (await call()).code == "forbidden_address"
        assert len(door.letters) == 1


async def test_plain_http_stays_in_the_house() -> None:
    answer = await called("http://public.test/", resolve=found_at("93.184.216.34"))
    assert answer.code == "not_encrypted"


async def test_nothing_there() -> None:
    def unknown(host: str, port: int) -> Sequence[str]:
        raise OSError("no such name")

    assert (await called("https://nowhere.test/", resolve=unknown)).code == "dns"
    async with opened() as door:
        gone = door.url
    answer = await called(gone)
    assert answer.code == "refused"
    assert "nothing listens there" in answer.said


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened() as trap, opened() as door:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{trap.port}")
        assert (await called(door.url)).ok
        assert trap.letters == []


async def test_nothing_secret_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with opened(lambda _: Reply(500)) as door:
        await called(door.url)
    for secret in ("path-secret", "query-secret", SECRET.removeprefix("whsec_"), "Žofie"):
        assert secret not in caplog.text
    assert "secret" not in key_of(door.url)


# ---------------------------------------------------------------- the schedule


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        ("Sun, 22 Nov 2026 12:01:00 GMT", 60.0),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0.0),
        *((bad, None) for bad in ("", "-5", "soon", "1e9", "٣")),
        # What Python's date parser lets through as an OverflowError: a 2xx with it was sent again for three days.
        *((f"Sun, 22 Nov {year} 11:00:00 GMT", None) for year in ("9" * 14, "9" * 40)),
    ],
)
def test_retry_after(header: str, seconds: float | None) -> None:
    assert retry_after(header, NOW) == seconds


def test_retry_after_is_honoured_within_limits_and_only_where_it_means_that() -> None:
    rules = HookRules()
    assert rules.pause(Answer("", "", 429, retry_after=30.0)) == 30.0
    assert rules.pause(Answer("", "", 503, retry_after=9e8)) == rules.longest_pause
    assert rules.pause(Answer("", "", 500, retry_after=30.0)) is None
    assert rules.pause(Answer("", "", 429)) is None


def test_three_days_of_trying() -> None:
    rules = HookRules()
    tries, waited = 1, 0.0
    while waited < 3 * 86_400:
        waited += rules.backoff(tries, 0.5)
        tries += 1
    assert rules.backoff(1, 0.5) == 2.0
    assert rules.backoff(500, 1.0) == 4500.0
    assert 75 < tries < 90
    assert not rules.gives_up(NOW, NOW + timedelta(days=3) - SECOND)
    assert rules.gives_up(NOW, NOW + timedelta(days=3))


def test_who_is_left_alone() -> None:
    rules = HookRules()
    day = NOW - timedelta(days=1)
    assert rules.is_gone(Answer("", "", 410), None, 1, NOW)
    assert rules.is_gone(Answer("timeout", ""), day, 1, NOW)
    assert not rules.is_gone(Answer("timeout", ""), day + SECOND, 50, NOW)
    # One lead that the receiver does not want is no reason; a whole day of refusals for everybody is.
    assert is_about_message(Answer("", "", 422))
    assert not rules.is_gone(Answer("", "", 422), day, 1, NOW)
    assert rules.is_gone(Answer("", "", 422), day, 3, NOW)
    assert not any(is_about_message(Answer("", "", s)) for s in (302, 401, 404, 429, 500))


def test_the_breaker_lets_one_probe_through_at_a_time() -> None:
    pace = HookPace(HookRules(breaks_at=3, first_probe=2.0, longest_probe=5.0))
    assert pace.room(NOW, 0, 8) == 8
    for _ in range(3):
        pace.failed(NOW)
    assert (pace.room(NOW, 0, 8), pace.wait(NOW, 60)) == (0, 2.0)
    pace.failed(NOW)  # one that was under way changes nothing
    later = NOW + 2 * SECOND
    assert (pace.room(later, 0, 8), pace.room(later, 1, 8)) == (1, 0)
    waits = []
    for _ in range(3):
        pace.failed(later)
        waits.append(pace.wait(later, 60))
        later += 10 * SECOND
    assert waits == [4.0, 5.0, 5.0]
    pace.answered()
    assert pace.room(later, 0, 8) == 8
    pace.pause(later + 30 * SECOND)
    pace.pause(later + 10 * SECOND)
    assert pace.wait(later, 60) == 30.0


def test_where_a_redirect_leads_is_told_without_what_may_be_secret() -> None:
    assert place("https://u:p@login.test/x?t=1") == "https://login.test"
    assert place("//login.test/x") == "login.test"
    assert place("/signin?next=1") == "another path"
    assert place("http://[bad") == ""


def test_a_letter_can_be_checked() -> None:
    letter = Letter("/", {"webhook-id": "m", "webhook-timestamp": "1", "webhook-signature": "v1,x"}, b"")  # fmt: skip
    with pytest.raises(AssertionError):
        letter.verify()
