"""Time that does not have to be waited for: an event loop whose clock jumps to whatever comes next, and a whole Baton's
delivery in it, against the stand-in Slack.

An hour passes in seconds, with Slack's real limits and our real timeouts; what is counted is waiting, not computing.
Everything runs in one thread, database calls too: two workers here have nothing in common but the database, yet their
transactions never overlap (`workers` and the tests of storage let them). What is not here: what happens to them.
"""

from __future__ import annotations

import asyncio
import json
import random
import selectors
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

import aiohttp

from bot.agreements import bring_in_force
from bot.clock import Clock
from bot.demo import channels_of, people_of
from bot.domain.agreement import Agreement
from bot.gateways.slack import SlackGateway
from bot.services.runtime import Runtime
from bot.services.work import Work
from chaos.playbooks import agreement_of
from chaos.race import START
from sandbox.app import Sandbox, SandboxConfig, create_sandbox
from sandbox.config import DEFAULT_BOT_TOKEN
from storage.database import Database

T = TypeVar("T")

#: As the gateway's session has it (seconds); how long Slack takes for a call on a good day.
TIMEOUT = 10.0
LATENCY = (0.06, 0.2)


class _Selector(selectors.DefaultSelector):
    """Instead of waiting, time goes on."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            raise RuntimeError("everybody waits for something that will never come")
        self.passed += max(0.0, timeout)
        return super().select(0)


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumps = _Selector()
        super().__init__(self._jumps)

    def time(self) -> float:
        return self._jumps.passed


def run_virtually(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run`, in time that jumps."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(main)


def clock_of_loop() -> Clock:
    """A Monday morning when the loop began."""
    loop = asyncio.get_running_loop()
    return Clock(lambda: START + timedelta(seconds=loop.time()))


class InlineRuntime(Runtime):
    """Use cases run here and now: a thread would take time that does not pass."""

    async def write(self, use_case: Callable[[Work], T]) -> T:
        result, wake = self._transact(use_case)
        if wake:
            self.wakers.ring()
        return result

    async def read(self, query: Callable[[Work], T]) -> T:
        return self.read_now(query)

    async def in_thread(self, work: Callable[[], T]) -> T:
        return work()


async def inline(call: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
    """For delivery, which runs its database work in a pool."""
    return call(*args, **kwargs)


@dataclass(slots=True)
class Spoken:
    """One call that Slack was asked. `status` 0: no answer; times in seconds since the beginning."""

    method: str
    channel: str
    at: float
    ended: float = 0.0
    status: int = 0
    error: str = ""
    retry_after: float = 0.0
    delivery: str = ""
    ts: str = ""
    by: str = ""


@dataclass(slots=True)
class Slack:
    """The stand-in, and a record of all that it was asked. `prepare`: what is done to a call as it arrives."""

    sandbox: Sandbox
    calls: list[Spoken] = field(default_factory=list)
    dice: random.Random = field(default_factory=lambda: random.Random(1))
    prepare: Callable[[Spoken], None] = lambda call: None

    def gateway(self, name: str) -> SlackGateway:
        """A worker's own way to it."""
        gateway = SlackGateway(DEFAULT_BOT_TOKEN, "http://127.0.0.1:9/api/")

        async def request(
            *, http_verb: str, api_url: str, req_args: Mapping[str, Any]
        ) -> dict[str, Any]:
            return await asyncio.wait_for(self._ask(name, api_url, req_args), TIMEOUT)

        gateway.client._request = request  # type: ignore[method-assign]
        return gateway

    async def _ask(self, name: str, url: str, given: Mapping[str, Any]) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        args = {
            **(given.get("params") or {}),
            **(given.get("data") or {}),
            **(given.get("json") or {}),
        }
        method = url.rpartition("/")[2]
        metadata = args.get("metadata") or {}
        if isinstance(metadata, str):
            metadata = json.loads(metadata)
        call = Spoken(
            method, str(args.get("channel") or ""), loop.time(), by=name,
            delivery=str(metadata.get("event_payload", {}).get("d", "")),
        )  # fmt: skip
        self.calls.append(call)
        try:
            await asyncio.sleep(self.dice.uniform(*LATENCY))
            self.prepare(call)  # nothing comes between this and its arrival
            answer = await self._over_asgi(method, args, given.get("headers") or {})
            call.status = answer["status_code"]
            data = answer["data"]
            call.error = str(data.get("error") or "") if isinstance(data, dict) else ""
            call.ts = str(data.get("ts") or "") if isinstance(data, dict) else ""
            call.retry_after = float(answer["headers"].get("Retry-After", 0))
            return answer
        finally:
            call.ended = loop.time()

    async def _over_asgi(
        self, method: str, args: Mapping[str, Any], headers: Mapping[str, str]
    ) -> dict[str, Any]:
        body = json.dumps({k: v for k, v in args.items() if v is not None}).encode()
        sent: list[Mapping[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        wanted = {k.lower(): v for k, v in headers.items()} | {"content-type": "application/json"}
        wanted.pop("content-length", None)
        scope = {
            "type": "http", "method": "POST", "path": f"/api/{method}", "query_string": b"",
            "raw_path": b"", "root_path": "", "http_version": "1.1", "scheme": "http",
            "headers": [(k.encode(), v.encode()) for k, v in wanted.items()],
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 9),
        }  # fmt: skip
        await self.sandbox.asgi(scope, receive, send)
        raw = b"".join(m.get("body", b"") for m in sent if m["type"] == "http.response.body")
        if not any(m["type"] == "http.response.body" for m in sent):
            raise aiohttp.ServerDisconnectedError
        found = {k.decode().title(): v.decode() for k, v in sent[0]["headers"]}
        data = json.loads(raw) if raw.startswith(b"{") else {}
        status = int(sent[0]["status"])
        return {"data": data, "headers": found, "status_code": status}


def slack_of(agreement: Agreement, *, rates: bool, seed: int) -> Slack:
    """A workspace with everybody in it. `rates`: it enforces Slack's tiers."""
    loop, clock = asyncio.get_running_loop(), clock_of_loop()
    config = SandboxConfig(
        signing_secret="not-used",  # noqa: S106 - nobody signs here
        events_url="http://127.0.0.1:9/", intake_url="http://127.0.0.1:9/",
        intake_secret="not-used",  # noqa: S106
        people=people_of(agreement), channels=channels_of(agreement), clock=_Standing(clock),
        enforce_rates=rates, real=lambda: START.timestamp() + loop.time(),
    )  # fmt: skip
    slack = Slack(create_sandbox(config), dice=random.Random(seed))
    slack.sandbox.workspace.faults.seed(seed)
    return slack


def runtime_on(database: Database, text: str) -> InlineRuntime:
    """A runtime with this playbook in force."""
    runtime = InlineRuntime(database, clock_of_loop(), agreement_of(text))
    bring_in_force(runtime, text)
    return runtime


class _Standing:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now(self) -> datetime:
        return self._clock.business()

    async def advance(self, seconds: int) -> None:
        raise AssertionError("it moves by itself")

    def next_step_at(self) -> datetime | None:
        return None
