"""A click as Slack sends it, signed over HTTP, until it is answered after the commit; and clicks while leads come in.

The server runs in a process and on a core of its own, the client on the other (`load`), which PostgreSQL and the
stand-in for Slack share. Each accept is the first for its offer: card posted, clocks running, Home tabs seen. What is
not here: what the server is (`click_server`).
"""

from __future__ import annotations

import asyncio
import json
import secrets
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import text

from benchmarks.click_server import INTAKE, REPS, SIGNING
from benchmarks.load import Answers, client_pool, hurry, keep_time, request
from benchmarks.office import facts_of, message_of
from benchmarks.places import ROOT, Ground, NotMeasured, burning
from benchmarks.row import Bar, Figure, Found, Row, interleave
from bot.clock import Clock
from bot.demo import channels_of, people_of
from bot.services.apply_playbook import apply_playbook
from bot.services.receive_leads import receive_leads
from bot.services.runtime import Runtime
from bot.services.work import Work
from chaos.playbooks import agreement_of, playbook_text
from sandbox.app import Sandbox, SandboxConfig, create_sandbox
from sandbox.clock import ManualClock
from sandbox.dispatch import slack_signature, webhook_signature
from sandbox.model import APP_ID
from sandbox.server import serve
from storage import people
from storage.database import Database

CLICKS = 200
CONNECTIONS = 16
ALONE = 40
TEAM = "T0SANDBOX"
SECONDS = 20
CLICKS_A_SECOND = 50
LEADS_A_MINUTE = 1000
TEXT = playbook_text(REPS)


def throughput(ground: Ground) -> Found:
    """Clicks a second: Baton's beside an empty listener's, on both databases; and one click alone."""
    figures: dict[str, Figure] = {}
    for name, place in (("SQLite", ground.sqlite), ("PostgreSQL", ground.postgres)):
        figures |= asyncio.run(_throughput(name, place(), small=ground.small))
    notes = (
        f"{CLICKS} clicks a repetition over {CONNECTIONS} connections; alone: {ALONE} one after the other",
        "bare: a Bolt app without our doors (size, signature over raw bytes, JSON) in front of it",
    )
    return Found(figures, notes)


async def _throughput(
    name: str, place: AbstractContextManager[str], *, small: bool
) -> dict[str, Figure]:
    many, alone = (40, 30) if small else (CLICKS, ALONE)
    with place as url:
        async with scene(url, leads=7 * (many + alone)) as around:
            # In a thread: this loop is the stand-in for Slack.
            return await asyncio.to_thread(_measure, name, around, url, many, alone)


def _measure(name: str, around: Scene, url: str, many: int, alone: int) -> dict[str, Figure]:
    kinds = ("baton", "empty", "bare", "empty-slow")
    with client_pool() as pool, _servers(kinds, url, around.slack_url) as servers:

        def requests(kind: str, how_many: int) -> list[bytes]:
            return around.clicks(how_many) if kind == "baton" else around.for_nobody(how_many)

        def fast(kind: str) -> float:
            return many / _send(pool, servers[kind], requests(kind, many), CONNECTIONS).seconds

        def single(kind: str) -> float:
            answers = _send(pool, servers[kind], requests(kind, alone), 1)
            return statistics.median(answers.latencies) * 1000

        sides = interleave({kind: partial(fast, kind) for kind in kinds[:3]}, longest=20)
        lone = interleave(
            {kind: partial(single, kind) for kind in kinds if kind != "bare"}, longest=10
        )
    return {
        f"{name} click against an empty listener": sides.ratio("baton", "empty"),
        f"{name} click against a bare Bolt app": sides.ratio("baton", "bare"),
        f"{name} clicks": sides.figure("baton", "clicks/s"),
        f"{name} empty listener": sides.figure("empty", "clicks/s"),
        f"{name} bare Bolt": sides.figure("bare", "clicks/s"),
        f"{name} alone, empty, against no PBR": lone.ratio("empty", "empty-slow"),
        f"{name} alone, click, p50": lone.figure("baton", "ms"),
    }


def under_load(ground: Ground) -> Found:
    """p99 of a click while leads come in and cards go out."""
    figures: dict[str, Figure] = {}
    for name, place, kinds in (
        ("SQLite", ground.sqlite, ("house",)),
        ("PostgreSQL", ground.postgres, ("web", "worker")),
    ):
        figures |= asyncio.run(_under_load(name, place(), kinds, small=ground.small))
    said = f"{CLICKS_A_SECOND} clicks/s and {LEADS_A_MINUTE:,} leads/min, each its own webhook"
    return Found(
        figures,
        (
            f"{said}, for {SECONDS} s; cards are posted to a stand-in meanwhile, no process has a core of its own",
            "SQLite: web and worker in one process; PostgreSQL: a process each",
            "a lead that is told 503 is sent again, as its sender would, and counts from its first time",
        ),
    )


async def _under_load(
    name: str, place: AbstractContextManager[str], kinds: tuple[str, ...], *, small: bool
) -> dict[str, Figure]:
    seconds = 2 if small else SECONDS
    clicks, leads = seconds * CLICKS_A_SECOND, seconds * LEADS_A_MINUTE // 60
    with place as url:
        async with scene(url, leads=clicks) as around:
            found = await asyncio.to_thread(_keep_time, around, url, kinds, clicks, leads)
            _check_accepts(url, clicks)
    figures = {}
    for kind, answers in found.items():
        ordered = sorted(answers.latencies)
        for share in (50, 99):
            at = ordered[min(len(ordered) - 1, len(ordered) * share // 100)] * 1000
            figures[f"{name} {kind}, p{share}"] = Figure((at,), "ms")
    figures[f"{name} leads told 503"] = Figure((found["lead"].turned_away,), "")
    return figures


def _keep_time(
    around: Scene, url: str, kinds: tuple[str, ...], clicks: int, leads: int
) -> dict[str, Answers]:
    """What comes goes to the first of the servers."""
    with client_pool(alone=False) as pool, _servers(kinds, url, around.slack_url) as servers:
        server = servers[kinds[0]]
        plan = [(n / CLICKS_A_SECOND, "click", one) for n, one in enumerate(around.clicks(clicks))]
        plan += [(n * 60 / LEADS_A_MINUTE, "lead", _lead(n)) for n in range(leads)]
        with burning(server.pid, 1.0):
            return pool.submit(keep_time, server.port, plan, "lead").result()


# ------------------------------------------------------------------ the scene


@dataclass
class Scene:
    """A stand-in for Slack, and open offers that nobody clicked yet."""

    slack_url: str
    offers: list[tuple[str, str, str]]

    def clicks(self, many: int) -> list[bytes]:
        """Signed accepts, each of another offer by its rep."""
        taken, self.offers = self.offers[:many], self.offers[many:]
        if len(taken) < many:
            raise NotMeasured("there are not enough offers")
        return [_click(*offer) for offer in taken]

    def for_nobody(self, many: int) -> list[bytes]:
        """The same for a listener that does nothing: the offers stay open."""
        return [_click(*self.offers[-1]) for _ in range(many)]


@asynccontextmanager
async def scene(url: str, *, leads: int) -> AsyncIterator[Scene]:
    """A stand-in for Slack beside a database in which so many leads were just offered."""
    agreement = agreement_of(TEXT)
    sandbox = create_sandbox(
        SandboxConfig(
            signing_secret=SIGNING,
            events_url="http://127.0.0.1:9/",
            intake_url="http://127.0.0.1:9/",
            intake_secret=INTAKE,
            people=people_of(agreement),
            channels=channels_of(agreement),
            clock=ManualClock(),
        )
    )
    runtime = Runtime(Database(url), Clock(), agreement)
    runtime.agreement = runtime.write_now(lambda work: apply_playbook(work, TEXT, "bench"))
    runtime.write_now(lambda work: _meet(work, sandbox))
    for first in range(0, leads, 100):
        message = message_of(1_000_000 + first, min(100, leads - first))
        runtime.write_now(partial(receive_leads, message=message))
    runtime.write_now(_cards_stand)
    with runtime.database.read() as conn:
        offers = [(str(o), str(user), str(dm)) for o, user, dm in conn.execute(_OFFERS)]
    runtime.close()
    if len(offers) != leads:
        raise NotMeasured(f"{len(offers)} of {leads} leads were offered")
    await sandbox.start()
    try:
        async with serve(sandbox.asgi) as slack_url:
            yield Scene(slack_url, offers)
    finally:
        await sandbox.stop()


_OFFERS = text(
    "SELECT o.id, p.slack_user_id, p.slack_channel_id FROM offers o JOIN people p ON p.id = o.rep_id"
    " WHERE o.state = 'open' ORDER BY o.lead_id"
)


def _meet(work: Work, sandbox: Sandbox) -> None:
    """Everybody was found in Slack, and has looked at their Home tab."""
    for member in work.roster.by_id.values():
        person = sandbox.workspace.person_by_email(member.email)
        if person is not None:
            people.save_person(
                work.conn, member.id, slack_user_id=person.user_id, home_seen_at=work.now,
                slack_channel_id=sandbox.workspace.dm_id(person.user_id),
            )  # fmt: skip


def _cards_stand(work: Work) -> None:
    """Every offer's card was posted."""
    conn = work.conn
    conn.execute(
        text(
            "INSERT INTO cards (card_key, template, lead_id, offer_id, person_id, round, data, slack_channel,"
            " slack_ts, rendered_hash, posted_at, closed) SELECT o.card_key, o.template, o.lead_id, o.offer_id,"
            " o.person_id, 1, o.data, p.slack_channel_id, '1795424400.' || o.id, 'x', o.created_at, false"
            " FROM outbox o JOIN people p ON p.id = o.person_id WHERE o.template = 'lead_card'"
        )
    )
    conn.execute(text("UPDATE outbox SET state = 'sent', settled_at = created_at"))


@dataclass(frozen=True, slots=True)
class _Server:
    """A server under test."""

    pid: int
    port: int


@contextmanager
def _servers(kinds: tuple[str, ...], url: str, slack_url: str) -> Iterator[Mapping[str, _Server]]:
    running: list[subprocess.Popen[str]] = []
    try:
        for kind in kinds:
            command = [sys.executable, "-m", "benchmarks.click_server", kind, url, slack_url]
            running.append(
                subprocess.Popen(  # noqa: S603 - our own module
                    command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
                )
            )
        yield {kind: _ready(one) for kind, one in zip(kinds, running, strict=True)}
    finally:
        for one in running:  # nothing of it is kept
            one.kill()
            one.wait()


@contextmanager
def running_house(url: str, slack_url: str) -> Iterator[int]:
    """The process of a whole Baton over that database."""
    with _servers(("house",), url, slack_url) as servers:
        yield servers["house"].pid


def _ready(server: subprocess.Popen[str]) -> _Server:
    line = server.stdout.readline() if server.stdout is not None else ""
    if not line.strip().isdigit():
        raise NotMeasured("the server under test did not start")
    return _Server(server.pid, int(line))


def _send(
    pool: ProcessPoolExecutor, server: _Server, requests: list[bytes], connections: int
) -> Answers:
    with burning(server.pid, 0.005):
        return pool.submit(hurry, server.port, requests, connections).result()


def _click(offer: str, user: str, channel: str) -> bytes:
    """As large as Slack's own: about 3.2 KB, the message of the card comes with it."""
    payload: dict[str, Any] = {
        "type": "block_actions",
        "team": {"id": TEAM, "domain": "acme"},
        "user": {"id": user, "username": "rep", "name": "rep", "team_id": TEAM},
        "api_app_id": APP_ID,
        "token": "legacy",
        "container": {"type": "message", "message_ts": "1795424400.000001", "channel_id": channel},
        "channel": {"id": channel, "name": "directmessage"},
        "trigger_id": secrets.token_hex(12),
        "message": {
            "type": "message",
            "ts": "1795424400.000001",
            "blocks": [
                {"type": "section", "block_id": f"b{n}", "text": {"type": "mrkdwn", "text": "A line of a card. " * 12}}
                for n in range(7)
            ],
        },
        "actions": [
            {"type": "button", "action_id": "lead_accept", "block_id": "b", "value": offer,
             "action_ts": "1795424401.000001", "text": {"type": "plain_text", "text": "Accept"}}
        ],
    }  # fmt: skip
    body = urlencode({"payload": json.dumps(payload)}).encode()
    at = int(time.time())
    return request(
        "/slack/events",
        body,
        {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Slack-Request-Timestamp": str(at),
            "X-Slack-Signature": slack_signature(SIGNING, at, body),
        },
    )


def _lead(n: int) -> bytes:
    facts = facts_of(n)
    names = (
        "external_id",
        "email",
        "first_name",
        "last_name",
        "title",
        "company",
        "phone",
        "country",
        "message",
    )
    item = {name: getattr(facts, name) for name in names} | {"source_score": 60}
    body = json.dumps(item).encode()
    at = int(time.time())
    return request(
        "/leads",
        body,
        {
            "Content-Type": "application/json",
            "webhook-id": f"lead-{n}",
            "webhook-timestamp": str(at),
            "webhook-signature": webhook_signature(INTAKE, f"lead-{n}", at, body),
        },
    )


def _check_accepts(url: str, wanted: int) -> None:
    database = Database(url)
    with database.read() as conn:
        found = conn.execute(
            text("SELECT count(*) FROM offers WHERE state = 'accepted'")
        ).scalar_one()
    database.dispose()
    if found != wanted:
        raise NotMeasured(f"{found} of {wanted} clicks accepted their lead")


ROWS: tuple[Row, ...] = (
    Row(
        "clicks",
        "an accept, signed HTTP, whole transaction, ack after the commit; server on one core",
        "the same Bolt app with an empty listener; the same app without process_before_response",
        (
            Bar("SQLite click against an empty listener", ">=", 0.25),
            Bar("PostgreSQL click against an empty listener", ">=", 0.2),
            Bar("SQLite alone, empty, against no PBR", "<=", 0.2),
        ),
        throughput,
    ),
    Row(
        "clicks_under_load",
        f"a click at {CLICKS_A_SECOND}/s while {LEADS_A_MINUTE:,} leads/min come in",
        "",
        (Bar("SQLite click, p99", "<=", 100), Bar("PostgreSQL click, p99", "<=", 100)),
        under_load,
    ),
)
