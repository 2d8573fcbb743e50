"""The sandbox's page is for this machine and its own script alone: names, origins, odd bodies, strict headers."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from sandbox.page import HEADERS
from tests.unit.sandbox_kit import ANN, Stage, stage
from tests.unit.sandbox_page_kit import client_of


@pytest.fixture
async def slack() -> AsyncIterator[Stage]:
    async with stage() as found:
        yield found


@pytest.fixture
async def browser(slack: Stage) -> AsyncIterator[httpx.AsyncClient]:
    """What the page's own script would be: its origin, its JSON."""
    headers = {"Origin": slack.url}
    async with client_of(slack, headers) as client:
        yield client


@pytest.mark.parametrize("path", ["/", "/page/app", "/page/static/page.js", "/page/static/nothing"])
async def test_every_answer_carries_the_strict_headers(
    browser: httpx.AsyncClient, path: str
) -> None:
    answer = await browser.get(path)
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy


async def test_the_page_holds_no_inline_code_or_style(browser: httpx.AsyncClient) -> None:
    html = (await browser.get("/")).text
    assert "style=" not in html
    assert "<style" not in html
    assert html.count("<script") == html.count('<script type="module" src=') == 1
    assert "http://" not in html.replace("http://www.w3.org", "")
    assert "https://" not in html.replace("https://evil.example|click", "")


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "", "[::1"]
)
async def test_other_names_of_this_machine_are_refused(slack: Stage, host: str) -> None:
    async with client_of(slack) as client:
        for path in ("/", "/page/app", "/page/events", "/page/static/page.css"):
            assert (await client.get(path, headers={"Host": host})).status_code in (400, 403)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8080", "[::1]:8080", "LOCALHOST:1"])
async def test_loopback_names_are_taken(slack: Stage, host: str) -> None:
    async with client_of(slack) as client:
        assert (await client.get("/", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "null"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://127.0.0.1.evil.example"},
    ],
)
async def test_a_page_from_elsewhere_cannot_drive_the_sandbox(
    slack: Stage, headers: dict[str, str]
) -> None:
    before = slack.workspace.now()
    async with client_of(slack) as client:
        for path in ("click", "view/click", "view/submit", "view/close", "command", "home",
                     "read", "lead", "clock"):  # fmt: skip
            body = {"person": ANN.email, "move": 600, "lead": {}}
            answer = await client.post(f"/page/{path}", json=body, headers=headers)
            assert answer.status_code == 403
    assert slack.workspace.now() == before
    assert slack.bot.requests == []


async def test_a_form_from_elsewhere_is_no_json(browser: httpx.AsyncClient) -> None:
    answer = await browser.post(
        "/page/clock", content=b'{"move": 600}', headers={"Content-Type": "text/plain"}
    )
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("clock", b"\xff{"),
        ("clock", b"[]"),
        ("clock", b"[" * 50_000),
        ("clock", b'{"move": -5}'),
        ("clock", b'{"move": true}'),
        ("clock", b'{"move": 99999999999}'),
        ("read", b'{"person": "nobody@acme.example", "channel": "C0REVIEW"}'),
        ("read", b'{"person": ["ann@acme.example"]}'),
        ("lead", b'{"lead": "Jana"}'),
        ("command", b'{"person": "ben@acme.example", "channel": "C0REVIEW", "text": "/lead"}'),
        ("view/submit", b'{"person": "ann@acme.example", "view": "V1", "values": {"a": 1}}'),
        ("view/submit", b'{"person": "ann@acme.example", "view": "V1", "values": {"a": {"b": 1}}}'),
    ],
)
async def test_odd_input_is_a_plain_400(
    browser: httpx.AsyncClient, slack: Stage, path: str, body: bytes
) -> None:
    answer = await browser.post(
        f"/page/{path}", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 400
    assert slack.bot.requests == []


async def test_a_body_without_end_is_cut_off(browser: httpx.AsyncClient) -> None:
    answer = await browser.post("/page/lead", json={"lead": {"message": "x" * 300_000}})
    assert answer.status_code == 413


@pytest.mark.parametrize("name", ["../page.py", "..%2Fpage.py", "page.html", ""])
async def test_only_the_pages_own_files_are_served(browser: httpx.AsyncClient, name: str) -> None:
    assert (await browser.get(f"/page/static/{name}")).status_code == 404
