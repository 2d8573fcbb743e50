"""Timers that several processes see: each step fires once; and a click at the very moment at which its clock is due.

What is not here: timers across a kill (`kill_demo`).
"""

from __future__ import annotations

import random
import time
from collections import Counter
from datetime import timedelta
from typing import Any

from bot.services.fire_timers import fire_due
from chaos.books import Books, damage, misfits, open_books, overdue, step_faults, unguarded
from chaos.clicks import silent
from chaos.experiment import Experiment
from chaos.race import Hall, Put, made_leads, race
from chaos.verdict import Verdict

#: The accept clock of the experiments' playbook.
ACCEPT = timedelta(minutes=20)


def tick_race(url: str, *, leads: int, seed: int, workers: int = 2) -> Verdict:
    """`workers` processes tick over the same due timers: remind, escalate and reoffer of `leads` offers."""
    verdict = Verdict(leads, seed)
    hall = Hall(url)
    try:
        hall.receive(made_leads(leads))
        hall.now += ACCEPT + timedelta(seconds=1)
        due = len([t for t in open_books(hall.database).timers if t.due_at <= hall.now])
        began = time.monotonic()
        pause = 0.05 if hall.database.is_sqlite else 0.0
        task = hall.task("tick", seconds=60 + leads, idle=20, batch=6, pause=pause)
        found = race([task] * workers, limit=120 + leads)
        verdict.seconds = round(time.monotonic() - began, 1)
        books = open_books(hall.database)
        states = Counter(t.state for t in books.timers if t.due_at <= hall.now)
        verdict.figures = {
            "due": due, "settled by each process": [f["fired"] for f in found],
            "timers": dict(sorted(states.items())), "ticks that gave up": sum(f["errors"] for f in found),
            "offers lapsed": sum(o.state == "lapsed" for o in books.offers),
        }  # fmt: skip
        if verdict.figures["offers lapsed"] != leads:
            verdict.faults.append("not every silent offer lapsed once")
        for lead in books.leads:
            many = len(
                [e for e in books.entries(lead.id, "escalated") if e.data["kind"] == "accept"]
            )
            if many != 1:
                verdict.faults.append(f"lead {lead.id}: {many} escalations of one breach")
        verdict.faults += overdue(books, hall.now) + step_faults(books)
        verdict.faults += misfits(books) + unguarded(books) + damage(hall.database)
    finally:
        hall.close()
    return verdict


def due_race(url: str, *, offers: int, seed: int, group: int = 6, gap: float = 0.25) -> Verdict:
    """Each offer is accepted within 50 ms of the instant at which it lapses, while another process ticks."""
    verdict = Verdict(offers, seed)
    rng = random.Random(seed)
    hall = Hall(url)
    try:
        leads = made_leads(offers)
        at: dict[int, float] = {}
        first = hall.now
        for start in range(0, offers, group):
            for lead in hall.receive(leads[start : start + group]):
                at[lead] = (hall.now - first).total_seconds() + 1
            hall.now += timedelta(seconds=gap)
        puts = hall.offers()
        clicks: list[list[Any]] = [
            ["accept", put.rep, put.offer, at[put.lead] + _beside(number, rng)]
            for number, put in enumerate(puts)
        ]
        clicks.sort(key=lambda click: float(click[3]))
        hall.now = first + ACCEPT - timedelta(seconds=1)
        span = max(at.values()) + 3
        began = time.monotonic()
        answers, ticks = race([
            hall.task("click", clicks=clicks, threads=3, still=False),
            hall.task("tick", seconds=span, batch=10, still=False),
        ], limit=span + 120)  # fmt: skip
        verdict.seconds = round(time.monotonic() - began, 1)
        # What a lock held up until after the last tick is fired now, as any later tick would.
        hall.now += timedelta(seconds=span + 60)
        while hall.runtime.write_now(fire_due):
            pass
        books = open_books(hall.database)
        _judge(verdict, puts, answers, books)
        verdict.figures["settled by the ticks"] = ticks["fired"]
        verdict.faults += overdue(books, hall.now) + step_faults(books)
        verdict.faults += misfits(books) + unguarded(books) + damage(hall.database)
    finally:
        hall.close()
    return verdict


def _beside(number: int, rng: random.Random) -> float:
    """How long after the lapse a click comes, in seconds. Most come at the same moment; a few well before and well
    after, so that both ends are seen on a machine where one side is always late by more than the moment."""
    return {0: -0.6, 1: 0.6}.get(number % 6, rng.uniform(-0.05, 0.05))


def _judge(verdict: Verdict, puts: list[Put], answers: list[dict[str, Any]], books: Books) -> None:
    said = {answer["offer"]: answer for answer in answers}
    state = {offer.id: offer.state for offer in books.offers}
    clock_of = {clock.offer_id: clock.id for clock in books.clocks if clock.kind == "accept"}
    counts: Counter[str] = Counter()
    for put in puts:
        answer = said[put.offer]
        counts[answer["said"]] += 1
        told = [
            entry
            for entry in books.entries(put.lead, "escalated")
            if entry.data["clock"] == clock_of[put.offer]
        ]
        lapses = [
            entry
            for entry in books.entries(put.lead, "offer_ended")
            if entry.data == {"offer": put.offer, "state": "lapsed"}
        ]
        accepts = books.entries(put.lead, "offer_accepted")
        seen = (answer["said"] == "done", state[put.offer], len(accepts), len(lapses), len(told))
        if seen not in ((True, "accepted", 1, 0, 0), (False, "lapsed", 0, 1, 1)):
            verdict.faults.append(
                f"{put.offer}: answered {answer['said']}, {state[put.offer]}, {len(accepts)} accepts, "
                f"{len(lapses)} lapses, {len(told)} escalations"
            )
        verdict.faults += silent(answer)
    verdict.figures = {
        "accepted": counts["done"],
        "reoffered": len(puts) - counts["done"],
        "answers": dict(sorted(counts.items())),
    }


EXPERIMENTS = (
    Experiment(
        "timers",
        "two processes tick over the same timers",
        "each step happens once",
        "timers claimed without locking their leads: steps happen twice (PostgreSQL)",
        everyday=300,
        full=10_000,
        run=lambda ground: tick_race(ground.url, leads=ground.size, seed=ground.seed),
    ),
    Experiment(
        "due",
        "a click at the moment the offer lapses (due ± 50 ms)",
        "exactly one of accepted and reoffered; no escalation is created after an accept",
        "an accept that leaves its clocks running: escalations after the accept",
        everyday=120,
        full=10_000,
        run=lambda ground: due_race(ground.url, offers=ground.size, seed=ground.seed),
    ),
)
