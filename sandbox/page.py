"""The sandbox's web page over HTTP: the page, its fragment, a stream of changes, and what a person does.

Everything answers on loopback names only, and whatever changes something wants the page's own origin
and a JSON body: a web page from elsewhere cannot drive the sandbox. What is not here: what stands on the
page (`rendering`), what a doing means (`workspace`).
"""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.block_html import environment
from sandbox.model import Change, Person
from sandbox.rendering import PageModel, resolve_place
from sandbox.samples import SAMPLES, SOURCES, lead_from_form
from sandbox.workspace import Workspace

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: dict[str, str] = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_STATIC = Path(__file__).parent / "static"
_STATIC_TYPES = {
    "page.css": "text/css",
    "blocks.css": "text/css",
    "page.js": "text/javascript",
    "morph.js": "text/javascript",
    "favicon.svg": "image/svg+xml",
}
_LARGEST_BODY = 256 * 1024
_LONGEST_MOVE = 400 * 24 * 3600
_HEARTBEAT_SECONDS = 15.0


class BadRequest(Exception):
    """A request that the page itself would never send."""


class Guard:
    """Only this machine's names, only the page's own origin, and strict headers on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on with the headers added."""
        refusal = self._refusal(Request(scope)) if scope["type"] == "http" else ""
        target: ASGIApp = PlainTextResponse(refusal, 403) if refusal else self._app

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                extra = [(k.lower().encode(), v.encode()) for k, v in HEADERS.items()]
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        await target(scope, receive, with_headers)

    @staticmethod
    def _refusal(request: Request) -> str:
        host = request.headers.get("host", "")
        if _host_name(host) not in LOOPBACK:
            # A name that somebody else's DNS points here (rebinding) must not reach the sandbox.
            return "The sandbox answers only under 127.0.0.1 or localhost."
        if request.method in ("GET", "HEAD"):
            return ""
        if request.headers.get("origin", "") != f"http://{host}":
            return "Only the sandbox's own page may do that."
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return "The sandbox's page sends JSON."
        return ""


def _host_name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def page_routes(workspace: Workspace) -> list[BaseRoute]:
    """`/`, and everything else under `/page/`."""
    page = SandboxPage(workspace)
    posts: dict[str, Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]] = {
        "click": page.click,
        "view/click": page.click_in_view,
        "view/submit": page.submit,
        "view/close": page.close,
        "command": page.command,
        "home": page.home,
        "read": page.read,
        "lead": page.lead,
        "clock": page.clock,
    }
    guard = [Middleware(Guard)]
    return [
        Route("/", page.show, methods=["GET"], middleware=guard, name="page"),
        Route("/page/app", page.fragment, methods=["GET"], middleware=guard),
        Route("/page/events", page.events, methods=["GET"], middleware=guard),
        Route("/page/static/{name}", static, methods=["GET"], middleware=guard),
        *(
            Route(f"/page/{path}", _posted(handler), methods=["POST"], middleware=guard)
            for path, handler in posts.items()
        ),
    ]


def _posted(
    handler: Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]],
) -> Callable[[Request], Awaitable[Response]]:
    """A JSON object in, a JSON object out; 400 for anything else, never a 500 for odd input."""

    async def endpoint(request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > _LARGEST_BODY:
                return JSONResponse({"error": "too large"}, 413)
        try:
            data = json.loads(body)
            if not isinstance(data, dict):
                raise BadRequest("not an object")
            return JSONResponse(await handler(data))
        except (ValueError, RecursionError, BadRequest) as error:
            return JSONResponse({"error": f"The page sent something odd: {error}"}, 400)

    return endpoint


async def static(request: Request) -> Response:
    """A file of the page; nothing outside the list."""
    name = request.path_params["name"]
    if name not in _STATIC_TYPES:
        return PlainTextResponse("Not found", 404)
    # No caching: a demo is restarted with another version under the same address.
    headers = {"Cache-Control": "no-cache"}
    return FileResponse(_STATIC / name, media_type=_STATIC_TYPES[name], headers=headers)


class SandboxPage:
    """The endpoints. Each post names the person as whom it acts."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._env: Environment = environment()
        #: How often each sample lead was posted: it is another person every time.
        self._turns = [0] * len(SAMPLES)

    # ------------------------------------------------------------ reading

    async def show(self, request: Request) -> Response:
        """The whole page."""
        return self._draw(request, "page.html")

    async def fragment(self, request: Request) -> Response:
        """The part of the page that changes."""
        return self._draw(request, "app.html")

    def _draw(self, request: Request, template: str) -> Response:
        query = request.query_params
        place = resolve_place(
            self._workspace, query.get("as", ""), query.get("at", ""), query.get("thread", "")
        )
        values = PageModel(self._workspace, self._env, place).values() | {
            "samples": [(s, s.values(turn)) for s, turn in zip(SAMPLES, self._turns, strict=True)],
            "sources": SOURCES,
        }
        html = self._env.get_template(template).render(values)
        return HTMLResponse(html, headers={"Cache-Control": "no-store"})

    async def events(self, request: Request) -> Response:
        """Server-sent events: `change` whenever something may look different, `warning` with its text."""
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(self._stream(), media_type="text/event-stream", headers=headers)

    async def _stream(self) -> AsyncIterator[str]:
        subscription = self._workspace.subscribe()
        try:
            yield "retry: 1000\nevent: change\ndata: {}\n\n"
            while True:
                change = await subscription.get(_HEARTBEAT_SECONDS)
                if change is None:
                    if subscription not in self._workspace.watchers:
                        return
                    yield ": still here\n\n"
                    continue
                if change.kind == "warning":
                    people = sorted(change.people)
                    data = json.dumps({"text": change.text, "people": people})
                    yield f"event: warning\ndata: {data}\n\n"
                    continue
                yield f"event: change\ndata: {json.dumps({'kind': change.kind})}\n\n"
        finally:
            subscription.close()

    # ------------------------------------------------------------ doing

    async def click(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """An element of a message."""
        outcome = await self._workspace.click(
            self._person(data).user_id,
            _text(data, "channel"),
            _text(data, "ts"),
            _text(data, "block_id"),
            _text(data, "action_id"),
            _choice(data.get("choice")),
        )
        return {"ok": outcome.ok, "warning": outcome.warning}

    async def click_in_view(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """An element of a modal or of the Home tab."""
        outcome = await self._workspace.click_in_view(
            self._person(data).user_id,
            _text(data, "view"),
            _text(data, "block_id"),
            _text(data, "action_id"),
            _choice(data.get("choice")),
            _choices(data.get("values")),
        )
        return {"ok": outcome.ok, "warning": outcome.warning}

    async def submit(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """A modal's form; `errors` by block_id, "" for the whole form."""
        errors = await self._workspace.submit_view(
            self._person(data).user_id, _text(data, "view"), _choices(data.get("values"))
        )
        return {"ok": not errors, "errors": errors or {}}

    async def close(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """A modal without sending it."""
        await self._workspace.close_view(self._person(data).user_id, _text(data, "view"))
        return {"ok": True}

    async def command(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """A slash command, typed in a conversation."""
        person = self._person(data)
        command, _, text = _text(data, "text").strip().partition(" ")
        channel = _text(data, "channel")
        if channel not in {c.id for c in self._workspace.conversations_of(person.user_id)}:
            raise BadRequest("no such conversation")
        if not command.startswith("/"):
            return {"ok": False, "warning": "Only commands work here, such as /lead mine."}
        outcome = await self._workspace.command(person.user_id, channel, command, text.strip())
        return {"ok": outcome.ok, "warning": outcome.warning}

    async def home(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Somebody looks at the Home tab."""
        outcome = await self._workspace.open_home(self._person(data).user_id)
        return {"ok": outcome.ok, "warning": outcome.warning}

    async def read(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Somebody has seen a conversation."""
        self._workspace.mark_read(self._person(data).user_id, _text(data, "channel"))
        return {"ok": True}

    async def lead(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """A lead from the form, sent as marketing's systems would: signed, to the intake."""
        fields = data.get("lead")
        if not isinstance(fields, Mapping):
            raise BadRequest("no lead")
        at = self._workspace.now().isoformat()
        lead = lead_from_form(fields, f"sandbox-{secrets.token_hex(5)}", at)
        status, answer = await self._workspace.post_lead(lead)
        sample = data.get("sample")
        following: dict[str, str] = {}
        if status == 202 and type(sample) is int and 0 <= sample < len(SAMPLES):
            self._turns[sample] += 1
            following = SAMPLES[sample].values(self._turns[sample])
        return {"ok": status == 202, "status": status, "answer": answer, "following": following}

    async def clock(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Move the business clock: by seconds, or to the next step."""
        clock = self._workspace.config.clock
        move = data.get("move")
        if move == "next":
            following = clock.next_step_at()
            if following is None:
                return {"ok": False, "warning": "No step is waiting: post a lead first."}
            # One second past it, so that the step is due and not about to be.
            move = max(1, int((following - clock.now()).total_seconds()) + 1)
        if not isinstance(move, int) or isinstance(move, bool) or not 0 < move <= _LONGEST_MOVE:
            raise BadRequest("no such move")
        await clock.advance(move)
        self._workspace.publish(Change("clock"))
        return {"ok": True}

    def _person(self, data: Mapping[str, Any]) -> Person:
        person = self._workspace.person_by_email(_text(data, "person"))
        if person is None:
            raise BadRequest("no such person")
        return person


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    if not isinstance(value, str):
        raise BadRequest(f"{key} must be a text")
    return value


def _choice(value: object) -> str | list[str] | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(v, str) for v in value):
        return list(value)
    raise BadRequest("a choice is a text or a list of texts")


def _choices(value: object) -> dict[str, dict[str, str | list[str] | None]]:
    if not isinstance(value, dict):
        raise BadRequest("values must be an object")
    filled: dict[str, dict[str, str | list[str] | None]] = {}
    for block_id, actions in value.items():
        if not isinstance(actions, dict):
            raise BadRequest("values must hold objects")
        filled[block_id] = {action_id: _choice(v) for action_id, v in actions.items()}
    return filled
