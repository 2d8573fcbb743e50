"""The server under test: `python -m benchmarks.click_server KIND DATABASE_URL SLACK_URL`; it prints its port.

Kinds: `baton`, the web side as it is; `empty`, the same app, doors and Bolt with a listener that only acks;
`empty-slow`, that without `process_before_response`; `bare`, a Bolt app without our doors and an empty listener;
`house`, web and worker in one, as `baton run` has them; `web` and `worker`, each as the command of that name: these
three on whatever core is free. What is not here: who asks it (`clicks`).
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from typing import Any

import uvicorn
from pydantic import SecretStr
from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.context.ack.async_ack import AsyncAck
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from benchmarks.load import SERVER_CORE, pin
from bot.clock import Clock
from bot.services.apply_playbook import apply_playbook
from bot.services.runtime import Runtime
from bot.settings import Credential, Settings
from bot.wiring import House, SlackAccess
from chaos.playbooks import agreement_of, playbook_text
from handlers import clicks, slack_app
from sandbox.config import DEFAULT_BOT_TOKEN
from sandbox.server import serve
from storage.database import Database

SIGNING = "bench-signing-secret"
INTAKE = "whsec_YmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtYmVuY2ghIQ=="
REPS = 20


async def _empty(ack: AsyncAck, _body: Any, _desk: Any) -> None:
    await ack()


async def _serve(kind: str, url: str, slack_url: str) -> None:
    if kind == "bare":
        await _listen(_bare())
        return
    if kind.startswith("empty"):
        setattr(clicks, "on_click", _empty)  # noqa: B010 - the same app but for this
    if kind.endswith("slow"):

        def without(**named: Any) -> AsyncApp:
            return AsyncApp(**{**named, "process_before_response": False})

        setattr(slack_app, "AsyncApp", without)  # noqa: B010 - the same app but for this
    text = playbook_text(REPS)
    runtime = Runtime(Database(url), Clock(), agreement_of(text))
    runtime.agreement = runtime.write_now(lambda work: apply_playbook(work, text, "bench"))
    house = House(
        Settings(intake_secrets=(Credential("bench", SecretStr(INTAKE)),)),
        runtime,
        SlackAccess(SecretStr(DEFAULT_BOT_TOKEN), SecretStr(SIGNING), f"{slack_url}/api/"),
        web=kind != "worker",
        worker=kind in ("house", "worker"),
    )
    await house.start()
    while house.identity is None:
        await asyncio.sleep(0.02)
    await _listen(house.asgi, alone=kind == "baton" or kind.startswith("empty"))


async def _listen(app: ASGIApp, *, alone: bool = True) -> None:
    async with serve(app) as address:
        if alone:
            pin(SERVER_CORE)  # only now: starting takes a while, and any core will do for that
        print(address.rpartition(":")[2], flush=True)
        # Until whoever started us ends us, or is gone: then our standard input ends.
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        os._exit(0)


def _bare() -> ASGIApp:
    async def authorize(**_: Any) -> AuthorizeResult:
        return AuthorizeResult(
            enterprise_id=None, team_id="T0SANDBOX", bot_token=DEFAULT_BOT_TOKEN, bot_user_id="U0"
        )

    app = AsyncApp(signing_secret=SIGNING, authorize=authorize, process_before_response=True)

    async def clicked(ack: AsyncAck) -> None:
        await ack()

    app.action(re.compile(".*"))(clicked)
    handler = AsyncSlackRequestHandler(app)

    async def events(request: Request) -> Response:
        return await handler.handle(request)

    return Starlette(routes=[Route("/slack/events", events, methods=["POST"])])


if __name__ == "__main__":
    # The loop that `baton run` has, for every kind.
    factory = uvicorn.Config(Starlette()).get_loop_factory()
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(_serve(sys.argv[1], sys.argv[2], sys.argv[3]))
