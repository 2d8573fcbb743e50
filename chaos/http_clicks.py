"""Two client processes click the same offers over signed HTTP: at two `baton web` on PostgreSQL, at one `baton run`
on SQLite. Each lead has one winner, each loser reads a sentence in Slack.

What is not here: the same without HTTP, in more flavours (`clicks`).
"""

from __future__ import annotations

import asyncio
import base64
import secrets
import time
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp

from bot.demo import channels_of, people_of
from chaos.batons import batons, ready, send_leads
from chaos.books import Books, damage, misfits, open_books, step_faults, unguarded
from chaos.experiment import Experiment
from chaos.http_racer import send_at_signal
from chaos.playbooks import agreement_of, playbook_text
from chaos.race import made_leads, near_order, race
from chaos.verdict import Verdict
from sandbox.app import Sandbox, SandboxConfig, create_sandbox
from sandbox.clock import ManualClock
from sandbox.config import DEFAULT_BOT_TOKEN
from sandbox.server import serve
from storage.database import Database


def http_click_race(url: str, folder: Path, *, offers: int, seed: int) -> Verdict:
    """Race over `offers` offers: half of them clicked twice by their rep, half by the rep and taken by the manager."""
    return asyncio.run(_race(url, folder, offers, seed))


async def _race(url: str, folder: Path, offers: int, seed: int) -> Verdict:
    verdict = Verdict(offers, seed)
    text = playbook_text(4)
    agreement = agreement_of(text)
    signing, intake = secrets.token_hex(16), "whsec_" + base64.b64encode(bytes(32)).decode()
    sandbox = create_sandbox(
        SandboxConfig(
            signing_secret=signing,
            events_url="http://127.0.0.1:9/",  # nobody clicks in this workspace but the racers
            intake_url="http://127.0.0.1:9/",
            intake_secret=intake,
            people=people_of(agreement),
            channels=channels_of(agreement),
            clock=ManualClock(),
        )
    )
    (folder / "playbook.yaml").write_text(text, encoding="utf-8")
    database = Database(url)
    roles = ["run"] if database.is_sqlite else ["web", "web"]
    await sandbox.start()
    try:
        async with serve(sandbox.asgi) as slack, aiohttp.ClientSession(trust_env=False) as session:
            env = {
                "DATABASE_URL": url, "SLACK_BOT_TOKEN": DEFAULT_BOT_TOKEN,
                "SLACK_SIGNING_SECRET": signing, "SLACK_API_URL": f"{slack}/api/",
                "BATON_INTAKE_SECRET": f"race:{intake}",
                "BATON_PLAYBOOK": str(folder / "playbook.yaml"),
            }  # fmt: skip
            with batons(roles, env, folder) as addresses:
                await ready(session, addresses, folder)
                await send_leads(session, addresses[0], intake, made_leads(offers))
                clicks = _clicks(database)
                began = time.monotonic()
                sides = await asyncio.to_thread(
                    race,
                    [
                        {
                            "url": addresses[side % len(addresses)],
                            "signing": signing,
                            "clicks": near_order([pair[side] for pair in clicks], seed + side),
                        }
                        for side in (0, 1)
                    ],
                    limit=120.0 + offers,
                    racer=send_at_signal,
                )
                verdict.seconds = round(time.monotonic() - began, 1)
                books = open_books(database)
                losers = _losers(books, clicks)
                told = await _told(sandbox, losers)
        _judge(verdict, clicks, sides, books, losers, told)
        verdict.faults += misfits(books) + unguarded(books) + step_faults(books) + damage(database)
    finally:
        await sandbox.stop()
        database.dispose()
    return verdict


def _clicks(database: Database) -> list[tuple[list[Any], list[Any]]]:
    """For each open offer the click of either side: [action, user, channel, offer]."""
    with database.read() as conn:
        rows = conn.exec_driver_sql(
            "SELECT o.id, p.slack_user_id, p.slack_channel_id, m.slack_user_id, m.slack_channel_id"
            " FROM offers o JOIN people p ON p.id = o.rep_id"
            " JOIN people m ON m.email = 'manager.' || o.team || '@acme.example'"
            " WHERE o.state = 'open' ORDER BY o.lead_id"
        ).all()
    pairs: list[tuple[list[Any], list[Any]]] = []
    for place, (offer, user, channel, manager, office) in enumerate(rows):
        mine = ["lead_accept", user, channel, offer]
        takes = ["escalation_take", manager, office, offer]
        pairs.append((mine, takes if place % 2 else list(mine)))
    return pairs


def _losers(books: Books, clicks: list[tuple[list[Any], list[Any]]]) -> Counter[str]:
    """Who must read how many refusals, by conversation, as the journal has it."""
    lead_of = {offer.id: offer.lead_id for offer in books.offers}
    found: Counter[str] = Counter()
    for mine, other in clicks:
        moves = [e.data["action"] for e in books.entries(lead_of[mine[3]], "moved")]
        # A manager may take an accepted lead too: then nobody was refused.
        if other[0] == "lead_accept" or "accept" not in moves:
            found[mine[2]] += 1
    return found


async def _told(sandbox: Sandbox, losers: Counter[str]) -> Counter[str]:
    """How many refusals each conversation got; waited for, since they are sent after the answer."""
    began = time.monotonic()
    while True:
        told = Counter(
            message.channel
            for messages in sandbox.workspace.messages.values()
            for message in messages.values()
            if message.ephemeral_to and message.text
        )
        if told.total() >= losers.total() or time.monotonic() - began > 30:
            return told
        await asyncio.sleep(0.1)


def _judge(
    verdict: Verdict,
    clicks: list[tuple[list[Any], list[Any]]],
    sides: list[list[dict[str, Any]]],
    books: Books,
    losers: Counter[str],
    told: Counter[str],
) -> None:
    if len(clicks) != verdict.n:
        verdict.faults.append(f"only {len(clicks)} of {verdict.n} leads were offered")
    first, second = ({answer["offer"]: answer for answer in side} for side in sides)
    offers = {offer.id: offer for offer in books.offers}
    met = winners = 0
    for mine, other in clicks:
        one, two = first[mine[3]], second[mine[3]]
        met += one["from"] < two["to"] and two["from"] < one["to"]
        offer = offers[mine[3]]
        moves = [
            entry.data["action"]
            for entry in books.entries(offer.lead_id, "moved")
            if entry.data["action"] != "judge"
        ]
        lawful = (["accept"],) if other[0] == "lead_accept" else (["take"], ["accept", "take"])
        winners += moves in lawful
        if moves not in lawful or {one["status"], two["status"]} != {200}:
            verdict.faults.append(f"{mine[3]}: {one['status']}, {two['status']}, moved by {moves}")
    if told != losers:
        verdict.faults.append(f"refusals by conversation: {losers} were due, {told} were shown")
    verdict.figures = {
        "winners": winners,
        "at the same time": met,
        "refusals shown": told.total(),
        "clicks a second": round(2 * verdict.n / verdict.seconds) if verdict.seconds else 0,
    }


EXPERIMENTS = (
    Experiment(
        "http",
        "two processes click the same offers over signed HTTP",
        "one winner an offer, every click is answered, the loser is told who has it",
        "the transition without its condition on the offer: two winners (PostgreSQL)",
        everyday=60,
        full=2_000,
        run=lambda ground: http_click_race(
            ground.url, ground.folder, offers=ground.size, seed=ground.seed
        ),
    ),
)
