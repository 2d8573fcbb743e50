"""The same events several times, shuffled, at once, and again after a restart; and bodies that cannot be used.

What is not here: two processes that are sent the same (`intake`), kills (`kills`).
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from chaos.books import damage, misfits, open_books, unguarded
from chaos.experiment import SQLITE, Experiment, Ground
from chaos.race import made_leads
from chaos.signed import leads_request
from chaos.town import Baton, Town, town
from chaos.verdict import Verdict
from sandbox.dispatch import webhook_signature
from storage.database import Database

AT_ONCE = 8
#: Of a hundred leads, so many cannot be used.
POISON = 5


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to a lead at the sender: a message of its own, with its own time."""

    name: str
    lead: Mapping[str, Any]


def copies(ground: Ground) -> Verdict:
    """`ground.size` events about a third as many leads, each sent one to five times."""
    return asyncio.run(_copies(ground))


async def _copies(ground: Ground) -> Verdict:
    verdict = Verdict(ground.size, ground.seed)
    rng = random.Random(ground.seed)
    events = _events(ground.size, rng)
    sends = [event for event in events for _ in range(rng.randint(1, 5))]
    rng.shuffle(sends)
    answers: Counter[str] = Counter()
    began = time.monotonic()
    async with town(ground) as here:
        door = here.place("run" if ground.kind == SQLITE else "web")
        for batch in (sends, rng.sample(sends, len(sends) // 5)):  # the second one after a restart
            here.start(door)
            await here.ready(door)
            answers.update(await _send_all(here, door, batch))
            door.kill()
    verdict.seconds = round(time.monotonic() - began, 1)
    database = Database(ground.url)
    try:
        books = open_books(database)
        newest = _newest(events)
        stored = {lead.external_id: lead for lead in books.leads}
        verdict.faults = [
            f"{key}: stored {_told(stored.get(key))}, newest was {lead['company']}"
            for key, lead in newest.items()
            if key not in stored or stored[key].company != lead["company"]
        ]
        if len(books.leads) != len(newest):
            verdict.faults.append(f"{len(newest)} people became {len(books.leads)} leads")
        if bad := {a: n for a, n in answers.items() if not a.startswith("202")}:
            verdict.faults.append(f"valid copies were answered {bad}")
        verdict.faults += misfits(books) + unguarded(books) + damage(database)
    finally:
        database.dispose()
    verdict.figures = {"events": len(events), "sent": sum(answers.values()), "leads": len(newest),
                       **{f"answered {a}": n for a, n in sorted(answers.items())}}  # fmt: skip
    return verdict


def _events(many: int, rng: random.Random) -> list[Event]:
    """Three a lead on average; some of the same second, where the id decides."""
    start = datetime.now(UTC) - timedelta(days=1)
    leads = made_leads(max(1, many // 3), name="copy")
    found = []
    for number in range(many):
        lead = leads[number % len(leads)]
        at = start + timedelta(seconds=rng.randint(0, 40))
        found.append(
            Event(
                f"event-{number:06d}",
                {**lead, "company": f"Company {number}", "occurred_at": at.isoformat()},
            )
        )
    return found


def _newest(events: list[Event]) -> dict[str, Mapping[str, Any]]:
    """By the rule of the house: the greatest (time, message id) wins, in whatever order they come."""
    found: dict[str, Event] = {}
    for event in events:
        key = str(event.lead["external_id"])
        held = found.get(key)
        if held is None or (event.lead["occurred_at"], event.name) > (
            held.lead["occurred_at"], held.name,
        ):  # fmt: skip
            found[key] = event
    return {key: event.lead for key, event in found.items()}


def _told(lead: Any) -> str:
    return "nothing" if lead is None else str(lead.company)


async def _send_all(here: Town, door: Baton, events: list[Event]) -> Counter[str]:
    waiting = list(reversed(events))
    said: Counter[str] = Counter()

    async def client() -> None:
        while waiting:
            event = waiting.pop()
            for _ in range(20):
                status, results = await here.send(door, event.name, [event.lead])
                if status != 503 and status != 0:
                    break
                await asyncio.sleep(0.2)
            said[f"{status} {results[0]['status']}" if results else str(status)] += 1

    await asyncio.gather(*(client() for _ in range(AT_ONCE)))
    return said


def poison(ground: Ground) -> Verdict:
    """`ground.size` leads, of which 5 % cannot be used."""
    return asyncio.run(_poison(ground))


async def _poison(ground: Ground) -> Verdict:
    verdict = Verdict(ground.size, ground.seed)
    rng = random.Random(ground.seed)
    good = made_leads(ground.size * (100 - POISON) // 100, name="good")
    bad = [_spoiled(rng, number) for number in range(ground.size - len(good))]
    bodies = [(f"g{n}", json.dumps([lead]).encode(), True) for n, lead in enumerate(good)]
    # Cards go out from the first lead on, beside what comes in: all that is compared comes in beside them.
    part = len(bodies) // 4
    early, calm, rest = bodies[:part], bodies[part : 2 * part], bodies[2 * part :]
    mixed = [*rest, *((f"b{n}", body, False) for n, body in enumerate(bad))]
    rng.shuffle(mixed)
    waits: dict[str, list[float]] = {"early": [], "calm": [], "mixed": []}
    answers: Counter[str] = Counter()

    async with town(ground) as here:
        door = here.place("run" if ground.kind == SQLITE else "web")
        here.start(door)
        await here.ready(door)
        began = time.monotonic()
        for name, these in (("early", early), ("calm", calm), ("mixed", mixed)):
            for message, body, is_good in these:
                _, headers = leads_request(here.secret, message, [])
                headers = _signed(here.secret, headers, message, body)
                sent = time.monotonic()
                status, results = await here.send_body(door, body, headers)
                if is_good:
                    waits[name].append(time.monotonic() - sent)
                what = "good" if is_good else "bad"
                answers[f"{what}: {status} {results[0]['status'] if results else ''}".strip()] += 1
        verdict.seconds = round(time.monotonic() - began, 1)
        if not door.is_up:
            verdict.faults.append("Baton ended")
    database = Database(ground.url)
    try:
        books = open_books(database)
        with database.read() as conn:
            kept = conn.exec_driver_sql(
                "SELECT count(*) FROM inbox WHERE state = 'quarantined' AND raw IS NOT NULL"
            ).scalar()
        verdict.faults += misfits(books) + unguarded(books) + damage(database)
    finally:
        database.dispose()
    slowest = {name: _p99(times) for name, times in waits.items()}
    verdict.figures = {"leads": len(books.leads), "in quarantine": kept, **dict(sorted(answers.items())),
                       **{f"p99 ms {name}": round(s * 1000, 1) for name, s in slowest.items()}}  # fmt: skip
    if len(books.leads) != len(good) or kept != len(bad):
        verdict.faults.append(
            f"{len(good)} good, {len(bad)} bad ones became {len(books.leads)} leads, {kept} in quarantine"
        )
    if slowest["mixed"] > 2 * slowest["calm"] + 0.02:
        verdict.faults.append(f"good ones wait for bad ones: {slowest}")
    return verdict


def _signed(secret: str, headers: Mapping[str, str], message: str, body: bytes) -> dict[str, str]:
    at = int(headers["webhook-timestamp"])
    signature = webhook_signature(secret, message, at, body)
    return {**headers, "webhook-signature": signature}


def _spoiled(rng: random.Random, number: int) -> bytes:
    """A body that some sender could send in earnest, and nobody can use."""
    lead = made_leads(1, name=f"bad{number}")[0]
    ways: list[bytes] = [
        json.dumps([{**lead, "company": "Glob\x00ex"}]).encode(),
        json.dumps([{**lead, "message": "x" * 200_000}]).encode(),
        b"[" * 2_000 + b"]" * 2_000,
        json.dumps([{**lead, "last_name": "\ud800"}]).encode(),
        json.dumps([{**lead, "employees": 10**40}]).encode(),
        json.dumps([{**lead, "employees": {"about": "many"}}]).encode(),
        json.dumps([{**lead, "email": ["a", "b"]}]).encode(),
        b'[{"external_id": "twice", "external_id": "once", "source": "race"}]',
        b"\xff\xfe not json",
        json.dumps([{**lead, "external_id": "", "email": ""}]).encode(),
    ]
    return ways[number % len(ways)] if number < len(ways) else rng.choice(ways)


def _p99(times: list[float]) -> float:
    return sorted(times)[max(0, round(len(times) * 0.99) - 1)] if times else 0.0


EXPERIMENTS = (
    Experiment(
        "copies",
        "events sent one to five times, shuffled, eight at once, again after a restart",
        "one lead a person with the fields of the newest event, every valid copy answered with 202",
        "news applied without comparing times: leads keep an older event's fields",
        everyday=300,
        full=2_000,
        run=copies,
    ),
    Experiment(
        "poison",
        "5 % of all bodies cannot be used",
        "the good ones become leads, the bad ones stand in quarantine, p99 of the good ones at most twice",
        "bodies that cannot be parsed refused instead of kept: they are missing in quarantine",
        everyday=400,
        full=5_000,
        run=poison,
    ),
)
