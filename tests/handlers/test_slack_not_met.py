"""Before `auth.test` has answered, Baton does not know its workspace: it must not say "done" to what it did not do.

What is not here: clicks that are served.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from slack_bolt.request.async_request import AsyncBoltRequest

from bot.clock import Clock
from bot.gateways.slack import SlackGateway
from bot.services.runtime import Runtime
from chaos.playbooks import agreement_of, playbook_text
from chaos.signed import TEAM, click_request
from handlers.desk import Desk
from handlers.slack_app import build_slack_app
from storage.database import Database
from tests.schema import create_schema

SECRET = "s" * 32


@pytest.mark.parametrize(("team", "status"), [("", 503), (TEAM, 200)])
async def test_a_click_is_acked_only_once_we_know_our_workspace(
    tmp_path: Path, team: str, status: int
) -> None:
    url = f"sqlite:///{tmp_path / 'baton.db'}"
    create_schema(url)
    runtime = Runtime(Database(url), Clock(), agreement_of(playbook_text(1)))
    gateway = SlackGateway("xoxb-sandbox-x", "http://127.0.0.1:9/api/")
    await gateway.open()
    app = build_slack_app(
        Desk(runtime, gateway, lambda: team),
        signing_secret=SECRET,
        bot_user_id=lambda: "U0BATON",
        bot_id=lambda: "B0BATON",
    )
    body, headers = click_request(SECRET, "link", "U1", "D1", "1.000001", "")
    try:
        response = await app.async_dispatch(
            AsyncBoltRequest(
                body=body.decode(), headers={key: [value] for key, value in headers.items()}
            )
        )
    finally:
        await gateway.close()
        runtime.close()
    assert response.status == status
