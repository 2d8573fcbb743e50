"""The real demo as a subprocess, and a real Chromium in front of it. What is not here: what people do on the page."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

from bot.demo import demo_secrets
from tests.browser.slack_page import SlackPage, Watch

ROOT = Path(__file__).parents[2]
SCREENS = ROOT / "artifacts" / "screens"
WIDTHS = {"wide": (1280, 850), "phone": (390, 844)}
#: How Slack reaches Baton: on the desk by Socket Mode, as a newcomer has it, on the phone by signed requests.
WAYS = {"wide": "socket", "phone": "http"}
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
#: Variables that would turn the demo into something else.
_FOREIGN = ("DATABASE_URL", "SLACK_", "BATON_", "HOST", "PORT")
_STARTING_SECONDS = 60
#: The last card of the demo's opening story: once it is there, nothing moves by itself.
_STORY_ENDS_WITH = "Globex GmbH"


@dataclass(frozen=True, slots=True)
class RunningDemo:
    """The demo: its address, how wide it is looked at, the secret that leads are signed with, its record of calls."""

    url: str
    width: str
    intake_secret: str
    calls: Path


@contextmanager
def running_demo(
    home: Path,
    width: str,
    command: tuple[str, ...] = ("demo",),
    folder: str = "demo",
    told: str = _STORY_ENDS_WITH,
    patience: float = _STARTING_SECONDS,
) -> Iterator[RunningDemo]:
    """Start it with an empty home, wait until the opening story is `told`, end it by its id."""
    port = _free_port()
    calls = Path(os.environ.get("BATON_RECORD_CALLS") or home / "calls").resolve()
    calls.mkdir(parents=True, exist_ok=True)
    ours = {
        "PORT": str(port),
        "HOST": "127.0.0.1",
        "PYTHONPATH": str(ROOT),
        "BATON_PLAYBOOK": str(ROOT / "playbook.yaml"),
        "BATON_RECORD_CALLS": str(calls),
        **({"BATON_DEMO_SLACK": "http"} if WAYS[width] == "http" else {}),
    }
    kept = {key: value for key, value in os.environ.items() if not key.startswith(_FOREIGN)}
    url = f"http://127.0.0.1:{port}"
    log = home / "demo.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "bot", *command],
            cwd=home,  # the demo keeps everything under var of where it starts
            env=kept | ours,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_until_told(url, process, log, told, patience)
            secret = demo_secrets(home / "var" / folder)[1]
            yield RunningDemo(url, width, secret, calls / f"demo-{process.pid}.jsonl")
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)
    said = log.read_text(encoding="utf-8", errors="replace")
    assert "Traceback" not in said, said[-4000:]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_told(
    url: str, process: subprocess.Popen[bytes], log: Path, told: str, patience: float
) -> None:
    until = time.monotonic() + patience
    with httpx.Client(base_url=url, timeout=5) as client:
        while time.monotonic() < until:
            assert process.poll() is None, f"The demo ended:\n{log.read_text()[-4000:]}"
            try:
                up = all(client.get(path).status_code == 200 for path in ("/healthz", "/readyz"))
                if up and told in client.get("/").text:
                    return
            except httpx.TransportError:
                pass  # not listening yet
            time.sleep(0.2)
    raise AssertionError(f"The demo did not come up:\n{log.read_text()[-4000:]}")


@pytest.fixture(scope="session")
def driver() -> Iterator[Playwright]:
    """Playwright itself."""
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def chromium(driver: Playwright) -> Iterator[Browser]:
    """The system's Chromium, without a window."""
    path = next((found for name in _BROWSERS if (found := shutil.which(name))), None)
    assert path is not None, "No Chromium on PATH; scripts/ensure-chromium says how to get one."
    browser = driver.chromium.launch(executable_path=path, args=list(_FLAGS))
    yield browser
    browser.close()


@pytest.fixture(scope="session", params=WIDTHS)
def demo(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningDemo]:
    """One demo on a desk, over Socket Mode, and one on a phone, over HTTP; tests share it, those that move the clock
    come last."""
    with running_demo(tmp_path_factory.mktemp(f"demo-{request.param}"), request.param) as running:
        yield running


@contextmanager
def looking(chromium: Browser, demo: RunningDemo, *, dark: bool = False) -> Iterator[SlackPage]:
    """A fresh browser profile on the demo; at its end nothing may have gone wrong behind the scenes."""
    wide, high = WIDTHS[demo.width]
    context = chromium.new_context(
        viewport={"width": wide, "height": high},
        has_touch=demo.width == "phone",
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
        locale="en-GB",
    )
    context.set_default_timeout(20_000)
    watch = Watch(context, demo.url)
    page = context.new_page()
    watch.over(page)
    page.goto(demo.url)
    SCREENS.mkdir(parents=True, exist_ok=True)
    try:
        yield SlackPage(page, SCREENS, f"{demo.width}-dark" if dark else demo.width)
        watch.expect_quiet()
    finally:
        context.close()


@pytest.fixture
def slack(chromium: Browser, demo: RunningDemo) -> Iterator[SlackPage]:
    """The page as somebody sees who opens the address."""
    with looking(chromium, demo) as page:
        yield page
