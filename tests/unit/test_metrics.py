"""`/metrics`: who may ask, what is there, and that the alert rules speak of nothing else."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from ruamel.yaml import YAML
from starlette.applications import Starlette

from bot.clock import Clock
from bot.services.meter import Seen
from bot.services.runtime import Runtime
from handlers.metrics import MOST_SERIES, Metrics
from storage.database import Database
from tests.unit.playbook_kit import agreed

RULES = Path(__file__).parents[2] / "docs" / "alerts.yml"
#: As the meter's own names become those of histograms and counters.
PARTS = re.compile(r"_(bucket|total)$")


@pytest.fixture
def runtime(sqlite_template: Path, tmp_path: Path) -> Iterator[Runtime]:
    shutil.copyfile(sqlite_template, tmp_path / "baton.db")
    runtime = Runtime(Database(f"sqlite:///{tmp_path}/baton.db"), Clock(), agreed())
    yield runtime
    runtime.close()


async def asked(metrics: Metrics, client: str = "127.0.0.1", **headers: str) -> tuple[int, str]:
    app = Starlette(routes=[metrics.route()])
    transport = httpx.ASGITransport(app=app, client=(client, 5000))
    async with httpx.AsyncClient(transport=transport, base_url="http://baton") as caller:
        answer = await caller.get("/metrics", headers=headers)
    return answer.status_code, answer.text


async def test_without_a_token_only_this_machine_may_ask(runtime: Runtime) -> None:
    metrics = Metrics(runtime)
    assert (await asked(metrics))[0] == 200
    assert (await asked(metrics, "::1"))[0] == 200
    assert (await asked(metrics, "10.0.0.7"))[0] == 403
    # A reverse proxy on this machine asks for somebody else.
    assert (await asked(metrics, **{"x-forwarded-for": "10.0.0.7"}))[0] == 403


async def test_with_a_token_it_must_be_shown_from_everywhere(runtime: Runtime) -> None:
    metrics = Metrics(runtime, token="a token of sixteen")
    assert (await asked(metrics))[0] == 401
    assert (await asked(metrics, authorization="Bearer another of sixteen"))[0] == 401
    shown = {"authorization": "Bearer a token of sixteen"}
    assert (await asked(metrics, "10.0.0.7", **shown))[0] == 200


async def test_alert_rules_speak_of_what_there_is_and_say_what_to_do(runtime: Runtime) -> None:
    metrics = Metrics(runtime, about={"baton_clock_skew_seconds": ("", lambda: 0.0)})
    for what in Seen:
        labels = {Seen.SLACK_CALLED: ("m", "ok"), Seen.CLOCK_ENDED: ("accept", "met")}.get(what)
        metrics.meter.see(what, 1, *(labels or (() if what is Seen.TIMER_LATE else ("x",))))
    _, text = await asked(metrics)
    assert "_created" not in text
    there = {line.split(" ")[2] for line in text.splitlines() if line.startswith("# TYPE ")}
    rules = YAML(typ="safe").load(RULES)["groups"][0]["rules"]
    named = {name for rule in rules for name in re.findall(r"\bbaton_\w+", rule["expr"])}
    assert {
        name for name in named if name not in there and PARTS.sub("", name) not in there
    } == set()
    assert len({rule["alert"] for rule in rules}) == len(rules)
    assert all(rule["annotations"]["action"].strip().endswith(".") for rule in rules)


async def test_nobody_outside_can_make_series_without_end(runtime: Runtime) -> None:
    metrics = Metrics(runtime)
    for number in range(MOST_SERIES + 50):
        metrics.meter.see(Seen.REFUSED, 1, f"code_{number}")
    _, text = await asked(metrics)
    assert text.count("baton_refusals_total{") == MOST_SERIES + 1
    assert 'baton_refusals_total{code="other"} 50.0' in text
