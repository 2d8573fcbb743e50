"""Bolt put together: one workspace, our own gate in front, one dispatcher for clicks and one for forms.

`process_before_response=True`: the ack leaves when the listener returns, after the commit. What is not here: the
listeners themselves.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from bot.rendering.replies import refusal_text
from handlers import challenges, clicks, commands, events, forms
from handlers.desk import Desk
from handlers.payloads import team_of, text_at

log = logging.getLogger(__name__)
#: Bolt warns that our authorize takes the place of its own, and logs bodies of what it refuses: neither is wanted.
_quiet = logging.getLogger("baton.bolt")
_quiet.setLevel(logging.ERROR)


def build_slack_app(
    desk: Desk, *, signing_secret: str, bot_user_id: Callable[[], str], bot_id: Callable[[], str]
) -> AsyncApp:
    """The Bolt app. `desk.team_id()` is "" until `auth.test` has answered: until then nobody is served."""

    async def authorize(**_: Any) -> AuthorizeResult:
        # One workspace, one token from the environment: no look-up, no call to Slack on a click.
        return AuthorizeResult(
            enterprise_id=None,
            team_id=desk.team_id(),
            bot_token=desk.gateway.client.token,
            bot_id=bot_id(),
            bot_user_id=bot_user_id(),
        )

    app = AsyncApp(
        client=desk.gateway.client,
        signing_secret=signing_secret or secrets.token_hex(16),
        authorize=authorize,
        process_before_response=True,
        raise_error_for_unhandled_request=False,
        logger=_quiet,
    )

    @app.middleware
    async def only_our_workspace(
        req: AsyncBoltRequest,
        resp: BoltResponse,
        next: Callable[[], Awaitable[Any]],
    ) -> Any:
        if not desk.team_id():
            # No ack: nothing was done. Slack tells the person so, and sends an event again.
            return BoltResponse(status=503, body="")
        team = team_of(req.body)
        if team != desk.team_id():
            log.warning("refused: another workspace", extra={"team": team})
            return BoltResponse(
                status=200, body=refusal_text("wrong_workspace") if "command" in req.body else ""
            )
        return await next()

    async def clicked(ack: AsyncAck, body: dict[str, Any]) -> None:
        await clicks.on_click(ack, body, desk)

    async def submitted(ack: AsyncAck, body: dict[str, Any]) -> None:
        await forms.on_submit(ack, body, desk)

    async def closed(ack: AsyncAck) -> None:
        await ack()

    async def lead(ack: AsyncAck, body: dict[str, Any]) -> None:
        await commands.on_lead(ack, body, desk)

    async def baton(ack: AsyncAck, body: dict[str, Any]) -> None:
        await commands.on_baton(ack, body, desk)

    async def leaderboard(ack: AsyncAck, body: dict[str, Any]) -> None:
        await challenges.on_leaderboard(ack, body, desk)

    async def home_opened(event: dict[str, Any]) -> None:
        await events.on_home_opened(event, desk)

    async def user_change(event: dict[str, Any]) -> None:
        await events.on_user_change(event, desk)

    app.action(re.compile(".*"))(clicked)
    app.view(re.compile(".*"))(submitted)
    app.view_closed(re.compile(".*"))(closed)
    app.command("/lead")(lead)
    app.command("/baton")(baton)
    app.command("/leaderboard")(leaderboard)
    app.event("app_home_opened")(home_opened)
    app.event("user_change")(user_change)
    app.event("app_uninstalled")(events.on_app_removed)
    app.event("tokens_revoked")(events.on_app_removed)

    @app.error
    async def failed(error: Exception, body: dict[str, Any]) -> BoltResponse:
        """A bug of ours: the person gets a sentence with a reference, the log gets the traceback."""
        reference = secrets.token_hex(4)
        log.error("a listener failed", exc_info=error, extra={"reference": reference})
        sentence = refusal_text("error", {"reference": reference})
        user, channel = text_at(body, "user", "id"), text_at(body, "container", "channel_id")
        if text_at(body, "command"):
            return BoltResponse(status=200, body=sentence)
        if text_at(body, "type") == "view_submission":
            block = next(iter(_inputs(body)), "")
            if block:
                return BoltResponse(
                    status=200,
                    body={"response_action": "errors", "errors": {block: sentence}},
                    headers={"content-type": ["application/json"]},
                )
        elif user and channel:
            desk.answer_click(user, channel, "", sentence)
        elif text_at(body, "event", "type"):
            # Slack sends an event again when it is not acked; all of ours may be repeated.
            return BoltResponse(status=500, body="")
        return BoltResponse(status=200, body="")

    return app


def _inputs(body: dict[str, Any]) -> list[str]:
    view = body.get("view")
    blocks = view.get("blocks") if isinstance(view, dict) else None
    return [text_at(b, "block_id") for b in blocks or [] if text_at(b, "type") == "input"]
