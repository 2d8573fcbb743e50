"""`kill -9` of the demo in the middle of leads, clicks and moves of the clock; then everything is counted.

Clients retry until they are told that it is done, and write down, fsynced, what they were told. Whatever was
acknowledged must be there once, whatever was due must have happened once. What is not here: the process
(`demo_process`).
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from bot.clock import Clock
from bot.services.runtime import Runtime
from chaos.books import Books, damage, misfits, open_books, overdue, step_faults, unguarded
from chaos.demo_process import DemoProcess, Doors
from chaos.experiment import SQLITE, Experiment, Ground
from chaos.playbooks import agreement_of, playbook_text
from chaos.race import made_leads
from chaos.verdict import Verdict
from storage import outbox
from storage.database import Database

LEAD_CLIENTS, CLICK_CLIENTS = 4, 2
#: More than half of the time for an accept: every other move makes steps due.
MOVE_SECONDS = 11 * 60
#: After this long without progress something hangs.
STUCK_SECONDS = 120.0
MOST_LEADS = 300


class Notebook:
    """What the clients were told, one JSON line each, on the disk before anything else happens."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")
        self.leads: dict[str, int] = {}
        self.clicks: list[str] = []

    def lead(self, external_id: str, lead: int) -> None:
        """This lead was acknowledged under this number."""
        self.leads[external_id] = lead
        self._write({"lead": external_id, "id": lead})

    def click(self, offer: str) -> None:
        """This Accept was acknowledged."""
        self.clicks.append(offer)
        self._write({"click": offer})

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, line: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())


@dataclass(slots=True)
class Plan:
    """One round: so many leads, clicks and kills, at places that follow from the seed."""

    leads: int
    clicks: int
    kills: int
    seed: int
    moves: int = 5
    reps: int = 8


@dataclass(slots=True)
class Run:
    """A round under way."""

    plan: Plan
    demo: DemoProcess
    doors: Doors
    notes: Notebook
    rng: random.Random
    faults: list[str] = field(default_factory=list)
    figures: Counter[str] = field(default_factory=Counter)
    waits: list[float] = field(default_factory=list)

    @property
    def progress(self) -> int:
        """Leads and clicks that were acknowledged."""
        return len(self.notes.leads) + len(self.notes.clicks)

    @property
    def done(self) -> bool:
        """Whether all was acknowledged."""
        return (
            len(self.notes.leads) >= self.plan.leads and len(self.notes.clicks) >= self.plan.clicks
        )


def kill_round(home: Path, plan: Plan) -> Verdict:
    """One round in the folder `home`, which must be new."""
    return asyncio.run(_kill_round(home, plan))


async def _kill_round(home: Path, plan: Plan) -> Verdict:
    verdict = Verdict(plan.kills, plan.seed)
    began = time.monotonic()
    text = playbook_text(plan.reps)
    demo = DemoProcess(home, text)
    limit = aiohttp.ClientTimeout(total=15)
    async with aiohttp.ClientSession(trust_env=False, timeout=limit) as session:
        notes = Notebook(home / "acknowledged.jsonl")
        run = Run(plan, demo, Doors(demo, session), notes, random.Random(plan.seed))
        try:
            await demo.start(session)
            await _work_through(run, session)
            messages = await _catch_up(run, text)
            code = demo.stop()
            if code not in (0, -15):  # uvicorn ends by the signal itself, after its clean-up
                run.faults.append(f"the demo ended with {code}")
        finally:
            demo.end()
            notes.close()
    _judge(run, messages)
    verdict.seconds = round(time.monotonic() - began, 1)
    verdict.faults = run.faults
    verdict.figures = {
        "leads acknowledged": len(notes.leads),
        "clicks acknowledged": len(notes.clicks),
        **dict(run.figures),
        "longest restart, seconds": round(max(run.waits, default=0.0), 1),
    }
    return verdict


async def _work_through(run: Run, session: aiohttp.ClientSession) -> None:
    """Clients work; the killer strikes; until all is acknowledged and all kills are done."""
    queue = list(_messages(run))
    jobs = [asyncio.create_task(_send_leads(run, queue)) for _ in range(LEAD_CLIENTS)]
    claimed: set[str] = set()
    jobs += [asyncio.create_task(_click(run, claimed)) for _ in range(CLICK_CLIENTS)]
    jobs.append(asyncio.create_task(_move_clock(run)))
    killer = asyncio.create_task(_strike(run, session))
    try:
        await asyncio.gather(killer, *jobs)
    finally:
        for job in (killer, *jobs):
            job.cancel()


def _messages(run: Run) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    leads = made_leads(run.plan.leads, name=f"s{run.plan.seed}")
    while leads:
        many = run.rng.randint(1, 4)
        yield f"message-{leads[0]['external_id']}", leads[:many]
        del leads[:many]


async def _send_leads(run: Run, queue: list[tuple[str, list[dict[str, Any]]]]) -> None:
    while queue:
        message_id, leads = queue.pop(0)
        results = await _until_taken(run, message_id, leads)
        for lead, result in zip(leads, results, strict=True):
            run.notes.lead(lead["external_id"], int(result.get("lead", -1)))
        if run.rng.random() < 0.1:  # the sender lost our answer and comes again
            again = await _until_taken(run, message_id, leads)
            if [r.get("lead") for r in again] != [r.get("lead") for r in results] or any(
                r["status"] != "duplicate" for r in again
            ):
                run.faults.append(f"{message_id}: first {results}, then {again}")
        # Spread over the round, so that kills meet leads, clicks and moves alike.
        await asyncio.sleep(run.rng.uniform(0, 0.05))


async def _until_taken(
    run: Run, message_id: str, leads: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    while True:
        answer = await run.doors.leads(message_id, leads)
        if answer is not None and answer[0] == 202:
            return answer[1]
        if answer is not None and answer[0] != 503:
            run.faults.append(f"{message_id} was answered with {answer[0]}")
        run.figures["requests sent again"] += 1
        await asyncio.sleep(run.rng.uniform(0.05, 0.3))


async def _click(run: Run, claimed: set[str]) -> None:
    """Accept what stands in the workspace, each offer once, by the person it was offered to."""
    while len(run.notes.clicks) < run.plan.clicks:
        fresh = [
            button
            for button in buttons_of(await run.doors.messages() or [])
            if button[2] not in claimed and button[0] in run.demo.user_of
        ]
        run.rng.shuffle(fresh)
        for channel, ts, offer in fresh[:10]:
            if offer in claimed or len(run.notes.clicks) >= run.plan.clicks:
                continue
            claimed.add(offer)
            while (status := await run.doors.accept(channel, ts, offer)) != 200:
                if status is not None and status != 503:
                    run.faults.append(f"a click was answered with {status}")
                run.figures["requests sent again"] += 1
                await asyncio.sleep(run.rng.uniform(0.05, 0.2))
            run.notes.click(offer)
        await asyncio.sleep(run.rng.uniform(0.1, 0.3))


def buttons_of(messages: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """(channel, ts, offer) of every Accept, and of every line of a list, which opens a card with an Accept."""
    return [
        (message["channel"], message["ts"], part["value"])
        for message in messages
        if not message["deleted"] and not message["ephemeral_to"]
        for block in message.get("blocks", ())
        for part in (*block.get("elements", ()), block.get("accessory") or {})
        if part.get("action_id") in ("lead_accept", "list_open")
    ]


async def _move_clock(run: Run) -> None:
    """Steps become due while everything else goes on: moves, spread over the leads."""
    for part in range(1, run.plan.moves + 1):
        while len(run.notes.leads) < run.plan.leads * part / (run.plan.moves + 1):
            await asyncio.sleep(0.05)
        # Again when nobody answers: how far a killed move came is in the database, it only goes on from there.
        while await run.doors.move_clock(MOVE_SECONDS) != 200:
            await asyncio.sleep(0.1)
        run.figures["moves of the clock"] += 1


async def _strike(run: Run, session: aiohttp.ClientSession) -> None:
    """The kills, spread over the round; each after a moment that the seed chooses."""
    total = run.plan.leads + run.plan.clicks
    places = sorted(run.rng.uniform(0.05, 0.9) * total for _ in range(run.plan.kills))
    seen, since = run.progress, time.monotonic()
    while places or not run.done:
        if run.progress != seen:
            seen, since = run.progress, time.monotonic()
        if time.monotonic() - since > STUCK_SECONDS:
            raise RuntimeError(f"nothing was acknowledged for {STUCK_SECONDS} seconds")
        if places and (run.progress >= places[0] or run.done):
            places.pop(0)
            await asyncio.sleep(run.rng.uniform(0, 0.15))
            run.demo.kill()
            run.figures["kills"] += 1
            run.waits.append(await run.demo.start(session))
        await asyncio.sleep(0.01)


async def _catch_up(run: Run, text: str) -> list[dict[str, Any]]:
    """A last move over everything that is due within minutes, then wait until nothing waits. All messages."""
    while await run.doors.move_clock(MOVE_SECONDS) != 200:
        await asyncio.sleep(0.2)
    runtime = Runtime(
        Database(run.demo.database_url), Clock(), agreement_of(text), movable_clock=True
    )
    try:
        began = time.monotonic()
        while waiting := runtime.read_now(lambda work: outbox.count_due(work.conn, work.now)):
            if time.monotonic() - began > STUCK_SECONDS:
                run.faults.append(f"{waiting} messages were never settled")
                break
            await asyncio.sleep(0.1)
        run.figures["seconds until all was delivered"] = round(time.monotonic() - began)
        now = runtime.read_now(lambda work: work.now)
        books = open_books(runtime.database)
        run.faults += overdue(books, now)
    finally:
        runtime.close()
    return await run.doors.messages() or []


def _judge(run: Run, messages: list[dict[str, Any]]) -> None:
    database = Database(run.demo.database_url)
    try:
        books = open_books(database)
        run.faults += damage(database)
    finally:
        database.dispose()
    _judge_leads(run, books)
    _judge_clicks(run, books)
    _judge_messages(run, books, messages)
    run.faults += misfits(books) + unguarded(books) + step_faults(books)
    run.figures["steps fired"] = sum(t.state == "fired" for t in books.timers)
    run.figures["offers lapsed"] = sum(o.state == "lapsed" for o in books.offers)


def _judge_leads(run: Run, books: Books) -> None:
    stored = {external: lead for (_, external), lead in books.keys.items()}
    for external, lead in run.notes.leads.items():
        if stored.get(external) != lead:
            run.faults.append(
                f"{external} was acknowledged as {lead}, stored as {stored.get(external)}"
            )
        if len(books.entries(lead, "arrived")) != 1:
            run.faults.append(f"lead {lead} arrived {len(books.entries(lead, 'arrived'))} times")
    if not len(books.leads) == len(books.keys) == len(run.notes.leads):
        run.faults.append(
            f"{len(run.notes.leads)} leads were acknowledged, {len(books.leads)} stand there "
            f"under {len(books.keys)} keys"
        )
    for lead_row in books.leads:
        if lead_row.status == "received":
            run.faults.append(f"lead {lead_row.id} was never offered")


def _judge_clicks(run: Run, books: Books) -> None:
    """An acknowledged Accept either holds, or came after the offer had lapsed; it is never forgotten."""
    offers = {offer.id: offer for offer in books.offers}
    for clicked in run.notes.clicks:
        offer = offers[clicked]
        accepts = [
            e for e in books.entries(offer.lead_id, "offer_accepted") if e.data["offer"] == clicked
        ]
        seen = (offer.state, len(accepts))
        run.figures[f"clicks: {offer.state}"] += 1
        if seen not in (("accepted", 1), ("lapsed", 0)):
            run.faults.append(f"offer {clicked} was accepted by a click: {seen}")


def _judge_messages(run: Run, books: Books, messages: list[dict[str, Any]]) -> None:
    shown: Counter[str] = Counter()
    for message in messages:
        delivery = (message.get("metadata") or {}).get("event_payload", {}).get("d")
        if delivery and not message["deleted"]:
            shown[delivery] += 1
    lost = [d for d, state in books.posts.items() if state == "sent" and not shown[d]]
    run.faults += [f"the message {d} counts as sent and stands nowhere" for d in lost]
    left = Counter(state for state in books.posts.values() if state in ("sending", "dead"))
    run.faults += [f"{many} messages are {state}" for state, many in left.items()]
    run.figures["messages shown"] = len(shown)
    run.figures["shown twice"] = sum(many - 1 for many in shown.values() if many > 1)
    strangers = [d for d in shown if d not in books.posts]
    run.faults += [f"the message {d} was never decided" for d in strangers]


def _kills(ground: Ground) -> Verdict:
    # More would only wait longer for Slack's pace: the demo keeps to it while its clock is moved.
    leads, clicks = min(ground.size * 15, MOST_LEADS), min(ground.size * 6, MOST_LEADS // 2)
    plan = Plan(leads, clicks, ground.size, seed=ground.seed)
    return kill_round(ground.folder / "demo", plan)


EXPERIMENTS = (
    Experiment(
        "demo",
        "kill -9 of the whole demo in the middle of leads, clicks and moves of the clock",
        "nothing acknowledged is missing, nothing happened twice, no card is lost",
        "the answer before the commit: acknowledged leads are missing",
        everyday=6,
        full=100,
        run=_kills,
        kinds=(SQLITE,),
    ),
)
