"""The HTTP routes: leads and touches in, Slack in, health. Parse, call one service, answer.

Every intake request has come through the gate: its sender is known, its body within limits. What is not here: the
gate, Bolt's listeners, the sandbox's routes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from slack_bolt.app.async_app import AsyncApp
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from bot.domain.activity import LeadName
from bot.logs import get_logger
from bot.services.keep_message import PORTION, Received
from bot.services.meter import Meter, Seen
from bot.services.receive_leads import TOGETHER, Message, receive_leads
from bot.services.runtime import Runtime
from bot.services.spot_erased import LedgerLocked
from bot.services.take_touches import (
    TouchMessage,
    name_of_activity,
    names_of,
    take_touches,
)
from bot.services.work import Work
from handlers.acking import acked
from handlers.doors import Authenticated, authenticated
from handlers.intake_items import items_of, touches_of
from handlers.lead_body import TooMany
from handlers.waiting_touches import WaitingTouches

log = get_logger(__name__)

RETRY_AFTER = "5"


@dataclass(frozen=True, slots=True)
class _Intake:
    """What both doors need. `turn`: of all lists one at a time, so that they never take every writer of the pool."""

    runtime: Runtime
    waiting: WaitingTouches
    turn: asyncio.Lock


_Take = Callable[[_Intake, Authenticated], Awaitable[Response]]


async def nothing_wrong() -> list[str]:
    """Nobody has anything to say."""
    return []


@dataclass(frozen=True, slots=True)
class Health:
    """What `/healthz` and `/readyz` say: sentences of what is wrong, empty when all is well.

    `reached`: more for `/readyz` that is no reason to turn leads away, such as Slack's way to us.
    """

    alive: Callable[[], list[str]]
    ready: Callable[[], Awaitable[list[str]]]
    reached: Callable[[], list[str]] = list
    #: As `ready`, and the database is asked: for `/readyz` alone.
    stands: Callable[[], Awaitable[list[str]]] = nothing_wrong


def routes(runtime: Runtime, slack: AsyncApp | None, health: Health) -> list[BaseRoute]:
    """All routes of the product."""
    handler = AsyncSlackRequestHandler(slack) if slack is not None else None

    taken_in = _Intake(runtime, WaitingTouches(runtime), asyncio.Lock())

    async def leads(request: Request) -> Response:
        return await intake(request, _receive)

    async def touches(request: Request) -> Response:
        return await intake(request, _take)

    async def intake(request: Request, take: _Take) -> Response:
        found = authenticated(request.scope)
        if found is None:  # cannot happen behind the gate; never act on it
            return _error(401, "Not authenticated.")
        try:
            faults = await health.ready()
        except (DBAPIError, PoolTimeout):
            return _away()
        if faults:
            return _error(503, faults[0], {"Retry-After": RETRY_AFTER})
        with acked(runtime.meter, "intake"):
            return await take(taken_in, found)

    async def slack_events(request: Request) -> Response:
        if handler is None:
            return _error(404, "Slack reaches this Baton by Socket Mode.")
        try:
            with acked(runtime.meter, "slack"):
                return await handler.handle(request)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            # Bolt reads users and teams out of a payload before it asks any listener (whose faults it catches):
            # what it stumbles over was not made by Slack, whoever signed it.
            log.error("slack payload not readable", error=type(error).__name__)
            return _error(400, "The body is no Slack payload.")

    async def healthz(_: Request) -> Response:
        return _health(health.alive())

    async def readyz(_: Request) -> Response:
        return _health([*await health.stands(), *health.reached()])

    return [
        Route("/leads", leads, methods=["POST"]),
        Route("/touches", touches, methods=["POST"]),
        Route("/slack/events", slack_events, methods=["POST"]),
        Route("/healthz", healthz),
        Route("/readyz", readyz),
    ]


async def _receive(intake: _Intake, found: Authenticated) -> Response:
    items = items_of(found.data, source=found.source, now=intake.runtime.clock.business())
    if isinstance(items, TooMany):
        return _error(413, items.sentence)
    message = Message(
        source=found.source,
        msg_id=found.msg_id,
        sha256=found.sha256,
        raw=found.body,
        items=() if found.parse_error else items,
        parse_error=found.parse_error,
    )
    received = await _stored(
        intake,
        "leads",
        len(message.items),
        lambda work: receive_leads(work, message, most=TOGETHER),
    )
    if isinstance(received, Response):
        return received
    fresh = [
        names_of(LeadName(item.facts.source, item.facts.external_id, item.facts.email))
        for item, result in zip(message.items, received.results, strict=False)
        if item.facts is not None and result["status"] in ("accepted", "updated")
    ]
    intake.waiting.look_soon(frozenset().union(*fresh))
    return _answer(intake.runtime.meter, received)


async def _take(intake: _Intake, found: Authenticated) -> Response:
    items = touches_of(found.data, source=found.source, now=intake.runtime.clock.business())
    if isinstance(items, TooMany):
        return _error(413, items.sentence)
    message = TouchMessage(
        source=found.source,
        msg_id=found.msg_id,
        sha256=found.sha256,
        raw=found.body,
        items=() if found.parse_error else items,
        parse_error=found.parse_error,
    )
    received = await _stored(
        intake,
        "touches",
        len(message.items),
        lambda work: take_touches(work, message, most=PORTION),
    )
    if isinstance(received, Response):
        return received
    intake.waiting.look_soon(
        frozenset(
            name_of_activity(found.source, item.activity.external_id)
            for item, result in zip(message.items, received.results, strict=False)
            if item.activity is not None and result["status"] == "accepted"
        )
    )
    return _answer(intake.runtime.meter, received)


async def _stored(
    intake: _Intake, door: str, many: int, use_case: Callable[[Work], Received]
) -> Received | Response:
    try:
        while True:
            async with intake.turn if many > 1 else nullcontext():
                received = await intake.runtime.write(use_case)
            if received.done:
                return received
    except LedgerLocked as locked:
        return _error(503, str(locked), {"Retry-After": RETRY_AFTER})
    except (DBAPIError, PoolTimeout) as error:
        # Not all of it was applied, so nothing is acknowledged: the sender keeps it and comes again.
        log.error("message not stored", door=door, error=type(error).__name__)
        return _away()


def _answer(meter: Meter, received: Received) -> Response:
    if received.conflict:
        return _error(
            409,
            "This message id came before with another body. It is kept and flagged, not applied.",
        )
    for result in received.results:
        meter.see(Seen.TAKEN_IN, 1, str(result.get("status", "")))
    return JSONResponse({"results": list(received.results)}, status_code=202)


def _health(faults: list[str]) -> Response:
    body: dict[str, Any] = {"status": "ok" if not faults else "failing", "faults": faults}
    return JSONResponse(body, status_code=503 if faults else 200)


def _away() -> Response:
    return _error(503, "The database cannot be reached. Send it again.", {"Retry-After": "2"})


def _error(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"error": sentence}, status_code=status, headers=dict(headers or {}))
