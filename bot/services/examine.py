"""`baton doctor`'s round: which checks there are, their order, and what is skipped when something below is broken.

The order is that of causes: what comes later may follow from what came before, never the other way round. So the first
fault names the cause. What is not here: the checks (`examine_*`), printing (`bot.commands.doctor`).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import exc

from bot.clock import Clock
from bot.domain.agreement import Agreement
from bot.gateways.slack_look import SlackLook
from bot.services.examine_agreement import examine_playbook
from bot.services.examine_doors import (
    examine_intake,
    examine_listener,
    examine_receiver,
    examine_second_way,
)
from bot.services.examine_findings import Finding, broken, fault, note, ok, skip
from bot.services.examine_ground import examine_database, examine_software
from bot.services.examine_members import examine_channels, examine_people
from bot.services.examine_running import examine_running, is_running
from bot.services.examine_slack import examine_http, examine_socket, examine_token
from bot.settings import Settings
from storage import people
from storage.database import Database
from storage.people import PersonRow


@dataclass(frozen=True, slots=True)
class Round:
    """All findings in the order of causes; `agreement` and `usable` (the database) for what comes after them."""

    findings: tuple[Finding, ...]
    agreement: Agreement | None
    usable: bool
    runs: bool


async def examine(
    settings: Settings, database: Database, clock: Clock, scopes: frozenset[str]
) -> Round:
    """Look at everything; `scopes` are those of app.yaml. Never raises for what may be wrong with an installation."""
    found = examine_software()
    demo = settings.slack_mode == "sandbox"
    own = demo and "DATABASE_URL" not in os.environ
    ground = await asyncio.to_thread(examine_database, database, clock, demo=own)
    usable = not broken(ground)
    asked = database if usable else None
    playbook = await asyncio.to_thread(examine_playbook, settings.playbook, asked, clock)
    agreement = playbook.agreement
    known, runs = await asyncio.to_thread(_known, asked, clock)
    slack, receiver, listener = await asyncio.gather(
        _slack(settings, agreement, known, clock, scopes),
        examine_receiver(settings, asked, clock),
        examine_listener(settings, runs=runs),
    )
    running = (
        await asyncio.to_thread(examine_running, database, clock, demo=demo)
        if usable
        else [skip("running", "needs the database")]
    )
    found += [*ground, *playbook.findings, *slack, *examine_intake(settings), *receiver]
    found += examine_second_way(settings)
    return Round((*found, *running, *listener), agreement, usable, runs)


async def _slack(
    settings: Settings,
    agreement: Agreement | None,
    known: Mapping[str, PersonRow],
    clock: Clock,
    scopes: frozenset[str],
) -> list[Finding]:
    token = settings.slack_bot_token
    if token is None:
        return [
            note(
                "Slack",
                "SLACK_BOT_TOKEN is not set here: this is the demo, whose Slack is the sandbox.",
                "For your own workspace follow the README, and run the doctor with the same environment.",
            ),
            *_in_demo(agreement, known),
        ]
    look = SlackLook(token.get_secret_value(), settings.slack_api_url)
    async with look:
        asked = await examine_token(look, settings, clock, scopes)
        if asked.token is None:
            rest = [skip(topic, "needs the token") for topic in ("scopes", "people", "channels")]
            return [*asked.findings, *rest]
        by_socket = settings.slack_mode == "socket"
        way = await examine_socket(look, settings) if by_socket else examine_http(settings)
        if agreement is None:
            rest = [skip(topic, "needs a playbook") for topic in ("people", "channels")]
        else:
            met, rooms = await asyncio.gather(
                examine_people(look, agreement, known, asked.scopes),
                examine_channels(look, agreement, asked.scopes),
            )
            rest = [*met, *rooms]
        return [*asked.findings, *way, *rest]


def _in_demo(agreement: Agreement | None, known: Mapping[str, PersonRow]) -> list[Finding]:
    """The sandbox is asked by nobody but its own Baton: what that found out stands in the rows."""
    if agreement is None or not known:
        return [skip("people", "the demo has not met them yet")]
    lost = [
        row for email in sorted(agreement.people) if (row := known.get(email)) and row.resolve_error
    ]
    if not lost:
        return [ok("people", f"all {len(agreement.people)} are in the sandbox")]
    return [
        fault(
            "people",
            f"{row.email} is not in the sandbox ({row.resolve_error}).",
            "Begin anew: make fresh",
        )
        for row in lost
    ]


def _known(database: Database | None, clock: Clock) -> tuple[dict[str, PersonRow], bool]:
    """Everybody as stored, and whether a worker ticks."""
    if database is None:
        return {}, False
    try:
        with database.read() as conn:
            rows = people.list_people(conn)
        return {row.email: row for row in rows}, is_running(database, clock.real())
    except (exc.DBAPIError, exc.TimeoutError):
        return {}, False
