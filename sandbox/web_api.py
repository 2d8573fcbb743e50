"""Slack's Web API over HTTP: token, scopes, rates, faults, then the method; every call is recorded.

JSON and form bodies and query strings are taken, as Slack does. What is not here: the methods (`methods_*`),
the faults (`faults`), the page for people.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Mapping
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from sandbox import methods_chat, methods_conversations, methods_views
from sandbox.answers import reply as apply_reply
from sandbox.calls import ApiError, Call, Method, Reply
from sandbox.faults import Fault
from sandbox.grants import NotGranted
from sandbox.model import BOT_ID, BOT_USER_ID
from sandbox.rates import SOLD_OUTSIDE, Rates
from sandbox.workspace import Workspace

MAX_BODY = 1_000_000

#: Method -> scopes it needs at any rate. Methods that are not listed need none.
SCOPES: dict[str, tuple[str, ...]] = {
    "chat.postMessage": ("chat:write",),
    "chat.update": ("chat:write",),
    "chat.delete": ("chat:write",),
    "chat.postEphemeral": ("chat:write",),
    "conversations.open": ("im:write",),
    "users.info": ("users:read",),
    "users.list": ("users:read",),
    "users.lookupByEmail": ("users:read", "users:read.email"),
}


class Dropped(Response):
    """Headers that promise a body, and then nothing: the server closes the connection in the middle."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})


def auth_test(call: Call) -> Reply:
    """auth.test"""
    config = call.workspace.config
    return {
        "url": config.base_url + "/",
        "team": config.team_name,
        "user": "baton",
        "team_id": config.team_id,
        "user_id": BOT_USER_ID,
        "bot_id": BOT_ID,
        "is_enterprise_install": False,
    }


def api_test(call: Call) -> Reply:
    """api.test: says back what it was told"""
    if call.text("error"):
        raise ApiError(call.text("error"), args=dict(call.args))
    return {"args": dict(call.args)}


def validate(call: Call) -> Reply:
    """blocks.validate: exactly one of blocks, message, view"""
    if sum(call.args.get(name) is not None for name in ("blocks", "message", "view")) != 1:
        raise ApiError("invalid_arguments")
    if call.args.get("view") is None:
        return methods_chat.validate_blocks(call)
    methods_views.check(call)
    return {}


def open_socket(call: Call) -> Reply:
    """apps.connections.open: an address for one WebSocket; without an app token the sandbox speaks HTTP only"""
    if not call.workspace.config.app_token:
        raise ApiError("not_allowed_token_type")
    return {"url": call.workspace.dispatch.sockets.new_url()}


METHODS: dict[str, Method] = {
    "auth.test": auth_test,
    "api.test": api_test,
    "blocks.validate": validate,
    "apps.connections.open": open_socket,
    **methods_chat.METHODS,
    **methods_conversations.METHODS,
    **methods_views.METHODS,
}


class WebApi:
    """The HTTP side of one workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        sold = SOLD_OUTSIDE if workspace.config.sold_outside else {}
        self.rates = Rates(workspace.config.real, sold)
        self._late: set[asyncio.Task[None]] = set()

    def routes(self) -> list[Route]:
        """`/api/<method>`, response_urls, and the switchboard for faults."""
        return [
            Route("/api/{method:path}", self.call, methods=["GET", "POST"]),
            Route("/sandbox/response/{token}", self.respond, methods=["POST"]),
            Route("/sandbox/faults", self.faults, methods=["GET", "POST", "DELETE"]),
            Route("/sandbox/messages", self.messages, methods=["GET"]),
        ]

    # ------------------------------------------------------------ /api/<method>

    async def call(self, request: Request) -> Response:
        """One call of the Web API."""
        method = request.path_params["method"]
        try:
            args = await _arguments(request)
        except ApiError as error:
            return self._answer(method, {}, error)
        token = _token(request, args)
        fault = self.workspace.faults.take(method)
        if fault:
            early = await self._before(method, args, fault)
            if early:
                return early
        if fault and fault.kind == "late_accept":
            late = asyncio.create_task(self._run_later(method, args, token, fault.seconds))
            self._late.add(late)
            late.add_done_callback(self._late.discard)
            return Dropped()
        response = self._run(method, args, token)
        if fault and fault.kind == "accept_then_reset":
            return Dropped()
        if fault and fault.kind == "accept_then_late":
            await asyncio.sleep(fault.seconds)
        return response

    async def _run_later(
        self, method: str, args: Mapping[str, Any], token: str, seconds: float
    ) -> None:
        await asyncio.sleep(seconds)
        self._run(method, args, token)

    async def _before(self, method: str, args: Mapping[str, Any], fault: Fault) -> Response | None:
        """The answer of a fault that keeps the method from running, None when it runs."""
        if fault.kind == "ratelimited":
            return self._limited(method, args, fault.retry_after)
        if fault.kind == "error":
            return self._answer(method, args, ApiError(fault.error))
        if fault.kind == "hang":
            await asyncio.sleep(fault.seconds)
        if fault.kind in ("hang", "http_500"):
            self.workspace.recorder.record(method, args, "http_500", status=500)
            return Response("", 500, self._headers())
        if fault.kind == "reset":
            self.workspace.recorder.record(method, args, "reset", status=0)
            return Dropped()
        return None

    def _run(self, method: str, args: Mapping[str, Any], token: str) -> Response:
        try:
            function = METHODS.get(method)
            if function is None:
                raise ApiError("unknown_method", req_method=method)
            if method != "api.test":
                self._authorize(method, token)
            wait = self._wait(method, args)
            if wait:
                return self._limited(method, args, wait)
            reply = function(Call(self.workspace, method, args))
        except ApiError as error:
            return self._answer(method, args, error)
        return self._answer(method, args, None, reply)

    def _authorize(self, method: str, token: str) -> None:
        config = self.workspace.config
        if not token:
            raise ApiError("not_authed")
        right, wrong = config.bot_token, config.app_token
        if method == "apps.connections.open" and config.app_token:
            right, wrong = wrong, right
        if wrong and secrets.compare_digest(token.encode(), wrong.encode()):
            raise ApiError("not_allowed_token_type")
        if not secrets.compare_digest(token.encode(), right.encode()):
            raise ApiError("invalid_auth")
        for scope in SCOPES.get(method, ()):
            if scope not in config.scopes:
                provided = ",".join(sorted(config.scopes))
                raise ApiError("missing_scope", needed=scope, provided=provided)

    def _wait(self, method: str, args: Mapping[str, Any]) -> int:
        if not self.workspace.config.enforce_rates:
            return 0
        channel = str(args.get("channel") or "")
        if channel in self.workspace.people:
            channel = self.workspace.dm_id(channel)
        return self.rates.take(method, channel)

    def _limited(self, method: str, args: Mapping[str, Any], seconds: int) -> Response:
        self.workspace.recorder.record(method, args, "ratelimited", status=429)
        headers = {**self._headers(), "Retry-After": str(seconds)}
        return JSONResponse({"ok": False, "error": "ratelimited"}, 429, headers)

    def _answer(
        self,
        method: str,
        args: Mapping[str, Any],
        error: ApiError | None,
        reply: Reply | None = None,
    ) -> Response:
        self.workspace.recorder.record(method, args, error.name if error else "")
        body = (
            {"ok": False, "error": error.name, **error.details}
            if error
            else {"ok": True, **(reply or {})}
        )
        return JSONResponse(body, headers=self._headers())

    def _headers(self) -> dict[str, str]:
        config = self.workspace.config
        return {
            "Date": formatdate(config.real() + self.workspace.faults.date_skew, usegmt=True),
            "X-OAuth-Scopes": ",".join(sorted(config.scopes)),
            "X-Slack-Req-Id": secrets.token_hex(16),
        }

    # ------------------------------------------------------------ /sandbox/...

    async def respond(self, request: Request) -> Response:
        """A post to a response_url."""
        try:
            payload = await _arguments(request)
            where = self.workspace.grants.use_response(request.path_params["token"])
        except (ApiError, NotGranted) as refusal:
            return JSONResponse({"ok": False, "error": str(refusal)}, 404)
        error = apply_reply(self.workspace, where, payload)
        self.workspace.recorder.record("response_url", payload, error)
        return JSONResponse({"ok": not error, **({"error": error} if error else {})})

    async def faults(self, request: Request) -> Response:
        """GET the plan, DELETE it, or POST `{"faults": [...], "seed": n, "date_skew": s, "clear": true}`."""
        plan = self.workspace.faults
        if request.method == "DELETE":
            plan.clear()
        elif request.method == "POST":
            try:
                value = await request.json()
                planned = [Fault.parse(item) for item in value.get("faults", [])]
                skew = float(value.get("date_skew", plan.date_skew))
                seed = int(value["seed"]) if "seed" in value else None
            except (ValueError, TypeError, AttributeError) as error:
                return JSONResponse({"ok": False, "error": str(error)}, 400)
            if value.get("clear"):
                plan.clear()
            if seed is not None:
                plan.seed(seed)
            plan.date_skew = skew
            plan.faults.extend(planned)
        return JSONResponse(
            {
                "ok": True,
                "waiting": [
                    {"method": f.method, "kind": f.kind, "count": f.count} for f in plan.faults
                ],
                "done": plan.done,
                "date_skew": plan.date_skew,
            }
        )

    async def messages(self, request: Request) -> Response:
        """Every message that was ever written, also deleted ones: what an experiment compares with."""
        found = [
            {
                **m.payload(),
                "channel": channel,
                "deleted": m.deleted,
                "ephemeral_to": m.ephemeral_to,
            }
            for channel, messages in self.workspace.messages.items()
            for m in messages.values()
        ]
        return JSONResponse({"ok": True, "messages": found})


async def _arguments(request: Request) -> dict[str, Any]:
    """Query string and body together; the body wins."""
    args: dict[str, Any] = dict(request.query_params)
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise ApiError("request_too_large")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not body:
        return args
    try:
        text = body.decode()
        if kind == "application/json":
            value = json.loads(text)
            if not isinstance(value, dict):
                raise ApiError("json_not_object")
            return args | {k: v for k, v in value.items() if v is not None}
    except (ValueError, RecursionError):
        raise ApiError(
            "invalid_json" if kind == "application/json" else "invalid_charset"
        ) from None
    if kind == "application/x-www-form-urlencoded":
        return args | dict(parse_qsl(text, keep_blank_values=True))
    raise ApiError("invalid_post_type")


def _token(request: Request, args: dict[str, Any]) -> str:
    """The bearer token, or the argument, which is taken out of the arguments."""
    given = str(args.pop("token", "") or "")
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else given
