"""Processes whose clocks differ by two and by three seconds: nothing happens twice, no live lease is stolen, and who is
too far off is named.

What is not here: a clock that jumps while a process runs (`jumps`).
"""

from __future__ import annotations

import asyncio
import time

import aiohttp

from chaos.books import misfits, open_books, step_faults, unguarded
from chaos.due_timers import (
    STEPS_OF_AN_OFFER,
    called,
    introduce,
    overdue_now,
    place_witness,
    prepare,
    seen,
)
from chaos.experiment import POSTGRES, Experiment, Ground
from chaos.town import Baton, Town, town
from chaos.verdict import Verdict
from sandbox.model import Message
from storage import playbooks
from storage.database import Database

#: Seconds ahead of the database server's clock, and whether that must be said.
SHIFTS = ((1.5, False), (-1.5, False), (3.0, True), (-3.0, True))
RATE = 40.0
AHEAD = 4.0
#: Seconds that the stand-in takes for each message: a lease is seen by the others while it lives.
SLOW = 0.8
#: A step may be early by what the fastest clock is ahead, and not more.
EARLY = 3.5
STUCK_SECONDS = 90.0


def clock_offsets(ground: Ground) -> Verdict:
    """`ground.size` timers, by four workers whose clocks differ."""
    return asyncio.run(_clock_offsets(ground))


async def _clock_offsets(ground: Ground) -> Verdict:
    verdict = Verdict(ground.size, ground.seed)
    offers = max(4, ground.size // STEPS_OF_AN_OFFER)
    async with town(ground, reps=20) as here:
        span = ground.size / RATE
        await asyncio.to_thread(introduce, ground, here, 20)
        database = Database(ground.url)
        pids: dict[str, set[int]] = {}
        began = time.monotonic()
        await asyncio.to_thread(place_witness, database)
        try:
            batons = [_start(here, ground, shift, pids) for shift, _ in SHIFTS]
            for baton, (shift, named) in zip(batons, SHIFTS, strict=True):
                verdict.faults += await _named(here, baton, shift, named=named)
            for method in ("chat.postMessage", "chat.update"):
                here.sandbox.workspace.faults.add(
                    method, "accept_then_late", count=None, seconds=SLOW
                )
            # Only now, with all of them up: else the first would have done it all.
            ahead = AHEAD + offers / 150
            await asyncio.to_thread(prepare, ground, here, offers, reps=20, span=span, ahead=ahead)
            await asyncio.sleep(AHEAD + span)
            since = time.monotonic()
            while await asyncio.to_thread(overdue_now, database):
                if time.monotonic() - since > STUCK_SECONDS:
                    verdict.faults.append("timers were still waiting after a minute and a half")
                    break
                await asyncio.sleep(0.2)
            await here.quiet(database, 20.0)
            verdict.seconds = round(time.monotonic() - began, 1)
            told, books = seen(database, pids), open_books(database)
            with database.read() as conn:
                skews = sorted(b.skew_ms for b in playbooks.list_beats(conn))
                stolen = conn.exec_driver_sql(
                    "SELECT count(*) FROM outbox WHERE doubts > 0"
                ).scalar_one()
        finally:
            for baton in here.batons:
                baton.kill()
            database.dispose()
        shown = [m for each in here.sandbox.workspace.messages.values() for m in each.values()]
    twice = _twice(shown)
    verdict.n = told.fired
    verdict.figures = {
        "offers": offers, "steps settled": told.fired, "messages sent": told.sent,
        "shown twice": twice, "skews measured, ms": skews,
        "earliest step, s": round(-told.late[0], 2) if told.late else None,
    }  # fmt: skip
    if told.late and -told.late[0] > EARLY:
        verdict.faults.append(f"a step fired {-told.late[0]:.1f} s early")
    if twice:
        verdict.faults.append(f"{twice} messages stand twice")
    if stolen:  # nobody died, and every call was answered
        verdict.faults.append(f"{stolen} live leases were taken for lost")
    if len(skews) != len(SHIFTS):
        verdict.faults.append(f"{len(skews)} of {len(SHIFTS)} workers ever ticked")
    for want, got in zip(sorted(s for s, _ in SHIFTS), skews, strict=False):
        if abs(want * 1000 - got) > 300:
            verdict.faults.append(f"a clock {want} s off was measured as {got} ms")
    waiting = [o for o in books.offers if (o.round, o.n) == (1, 1) and o.state != "lapsed"]
    if waiting:
        one = waiting[0]
        steps = {t.step: (t.state, str(t.due_at)) for t in books.timers if t.lead_id == one.lead_id}
        verdict.faults.append(
            f"{len(waiting)} of {offers} silent offers did not lapse: one is {one.state}, {steps}"
        )
    verdict.faults += told.doubled + told.old_fences + step_faults(books)
    verdict.faults += misfits(books) + unguarded(books)
    return verdict


def _start(here: Town, ground: Ground, shift: float, pids: dict[str, set[int]]) -> Baton:
    baton = here.place("worker")
    baton.module = "chaos.odd_worker"
    name = f"w{len(pids)}"
    here.start(baton, {"DATABASE_URL": called(ground.url, name), "CHAOS_SHIFT": str(shift)})
    assert baton.process is not None  # noqa: S101 - just started
    pids[name] = {baton.process.pid}
    return baton


async def _named(here: Town, baton: Baton, shift: float, *, named: bool) -> list[str]:
    """Within a minute `/readyz` names the process whose clock is off, and no other."""
    assert baton.process is not None  # noqa: S101 - just started
    said: list[str] = ["nothing yet"]
    for _ in range(300):
        try:
            async with here.session.get(f"{baton.address}/readyz") as answer:
                said = (await answer.json())["faults"]
        except (aiohttp.ClientError, TimeoutError, ValueError):
            pass
        about = [s for s in said if "clock" in s]
        if named and about:
            way = "ahead of" if shift > 0 else "behind"
            if f":{baton.process.pid} is" in about[0] and way in about[0]:
                return []
        elif not named and not said:
            return []
        await asyncio.sleep(0.2)
    return [f"the clock is {shift} s off, /readyz says {said}"]


def _twice(shown: list[Message]) -> int:
    seen_ids: set[str] = set()
    twice = 0
    for message in shown:
        delivery = str((message.metadata or {}).get("event_payload", {}).get("d", ""))
        if delivery and not message.deleted:
            twice += delivery in seen_ids
            seen_ids.add(delivery)
    return twice


EXPERIMENTS = (
    Experiment(
        name="offsets",
        about="workers whose clocks differ by seconds",
        criterion="each step once, none earlier than the fastest clock, no lease stolen (0 messages twice); who is more"
        " than 2 s off is named by /readyz",
        broken_by="leases of 2 s, shorter than the clocks differ: 32 live leases taken for lost in 160 timers",
        everyday=320,
        full=4000,
        run=clock_offsets,
        kinds=(POSTGRES,),
    ),
)
