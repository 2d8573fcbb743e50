"""A real Bolt app behind the sandbox: what Slack's own framework makes of the payloads, from card to modal to reply."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.app import create_sandbox
from sandbox.config import DEFAULT_BOT_TOKEN
from sandbox.server import free_socket, serve
from tests.unit.sandbox_kit import ANN, HELLO, SECRET, buttons, config, modal


def bolt_app(url: str, heard: list[str]) -> AsyncApp:
    """An app with a listener for each kind of payload."""
    client = AsyncWebClient(token=DEFAULT_BOT_TOKEN, base_url=f"{url}/api/", retry_handlers=[])
    app = AsyncApp(client=client, signing_secret=SECRET, process_before_response=True)

    @app.action("reject")
    async def reject(ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        await ack()
        await client.views_open(
            trigger_id=body["trigger_id"], view=modal(private_metadata=body["actions"][0]["value"])
        )

    @app.view("reject")
    async def rejected(ack: Any, view: dict[str, Any]) -> None:
        note = view["state"]["values"]["note"]["text"]["value"]
        if note == "no":
            await ack(response_action="errors", errors={"note": "Say more."})
        else:
            heard.append(f"{view['private_metadata']}: {note}")
            await ack()

    @app.command("/lead")
    async def lead(ack: Any, command: dict[str, Any]) -> None:
        await ack(f"You asked for {command['text']}.")

    @app.event("app_home_opened")
    async def home(event: dict[str, Any], client: AsyncWebClient) -> None:
        await client.views_publish(user_id=event["user"], view={"type": "home", "blocks": [HELLO]})

    return app


async def test_card_modal_error_submission_command_and_home(tmp_path: Path) -> None:
    sock, heard = free_socket(), list[str]()
    url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    sandbox = create_sandbox(config(url, record_path=tmp_path / "calls.jsonl"))
    handler = AsyncSlackRequestHandler(bolt_app(url, heard))

    async def receive(request: Request) -> Response:
        return await handler.handle(request)

    workspace = sandbox.workspace
    routes = [Route("/slack/events", receive, methods=["POST"]), *sandbox.routes]
    await sandbox.start()
    async with serve(Starlette(routes=routes), sock):
        dm = workspace.open_dm(ANN.user_id).id
        card = workspace.add_message(dm, "card", [HELLO, buttons("reject")])
        clicked = await workspace.click(ANN.user_id, dm, card.ts, "doings", "reject")
        assert clicked.ok
        (view,) = workspace.modals[ANN.user_id]
        assert view.private_metadata == "offer-reject"
        refused = await workspace.submit_view(ANN.user_id, view.id, {"note": {"text": "no"}})
        assert refused == {"note": "Say more."}
        taken = await workspace.submit_view(ANN.user_id, view.id, {"note": {"text": "too small"}})
        assert taken is None
        assert heard == ["offer-reject: too small"]
        assert workspace.modals[ANN.user_id] == []

        assert (await workspace.command(ANN.user_id, dm, "/lead", "acme")).ok
        assert workspace.timeline(dm, ANN.user_id)[-1].text == "You asked for acme."
        nobody = await workspace.command(ANN.user_id, dm, "/baton", "help")
        assert nobody.warning == '/baton failed with the error "dispatch_failed".'

        assert (await workspace.open_home(ANN.user_id)).ok
        async with asyncio.timeout(2):
            while ANN.user_id not in workspace.homes:
                await asyncio.sleep(0.01)
        assert await workspace.dispatch.verify_url()
    await sandbox.stop()
