"""A webhook receiver that fails three times in ten: every change of the leads arrives, in order, under one id.

It answers 500, redirects, hangs up before or after it took the change, answers too late, asks for patience. On SQLite
the deliverer is cut off in mid-flight now and then; on PostgreSQL two of them serve the same receiver. The schedule is
the real one but for its waits (`SCHEDULE`, `LIMITS`): seconds become hundredths. What is not here: single failures
(`tests.unit.test_webhook_out`).
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any

from bot.clock import Clock
from bot.gateways.webhook_out import Limits, WebhookReceiver
from bot.services import answer_offer, work_lead
from bot.services.deliver_hooks import HookDeliverer
from bot.services.hook_rules import HookRules
from bot.services.work import Work
from chaos.books import Books, open_books
from chaos.experiment import Experiment
from chaos.race import START, Hall, Put, made_leads
from chaos.verdict import Verdict
from storage import hooks
from tests.webhook_door import SECRET, Door, Letter, Reply, opened

SCHEDULE = HookRules(first_wait=0.02, longest_wait=0.5, first_probe=0.05, longest_probe=0.2)
LIMITS = Limits(total=0.4, connect=0.4, body=0.1)
#: What becomes of a lead, one change after the other.
_LIVES: tuple[tuple[str, ...], ...] = (
    ("accept", "call", "email", "qualify", "won"),
    ("accept", "call", "undo_call", "give_up"),
    ("accept", "undo", "accept", "call", "qualify", "lost"),
    ("sleep",),
    ("reject",),
)
Doing = Callable[[Work, Any, str], object]
_DOINGS: dict[str, Doing] = {
    "accept": answer_offer.accept,
    "undo": answer_offer.undo,
    "reject": partial(answer_offer.reject, reason="not_our_kind"),
    "sleep": partial(answer_offer.recycle, reason="no_budget", wake_on=None),
    "give_up": partial(answer_offer.recycle, reason="no_budget", wake_on=None),
    "call": partial(work_lead.log_touch, kind="call", outcome="reached"),
    "email": partial(work_lead.log_touch, kind="email"),
    "undo_call": work_lead.undo_touch,
    "qualify": work_lead.qualify,
    "won": partial(work_lead.close, outcome="won"),
    "lost": partial(work_lead.close, outcome="lost"),
}


class _Apart(Clock):
    """Retries need a time that passes; business stands still, so that nothing lapses however long it all takes."""

    def business(self) -> datetime:
        """Always the beginning."""
        return START


class Moody:
    """Answers badly in a share `fail` of all calls. `taken`: what it keeps, in order."""

    def __init__(self, seed: int, fail: float) -> None:
        self._random = random.Random(seed)
        self._fail = fail
        self.taken: list[Letter] = []
        self.moods: Counter[str] = Counter()

    def __call__(self, letter: Letter) -> Reply:
        """The answer to one call."""
        letter.verify()
        mood = "fine"
        if self._random.random() < self._fail:
            mood = self._random.choice(
                ("500", "redirect", "hangs up", "hangs up after taking it", "late", "patience")
            )
        self.moods[mood] += 1
        if mood in ("fine", "late", "hangs up after taking it"):
            self.taken.append(letter)
        return {
            "fine": Reply(),
            "500": Reply(500),
            "redirect": Reply(302, {"Location": "http://127.0.0.1:1/"}),
            "hangs up": Reply(hang_up=True),
            "hangs up after taking it": Reply(hang_up=True),
            "late": Reply(wait=LIMITS.total + 0.1),
            "patience": Reply(429, {"Retry-After": "0"}),
        }[mood]


def receiver_storm(url: str, *, leads: int, fail: float, seed: int) -> Verdict:
    """`leads` leads live while a receiver that fails in a share `fail` of all calls is told."""
    hall = Hall(url)
    try:
        began = time.monotonic()
        hall.runtime.clock = _Apart(lambda: START + timedelta(seconds=time.monotonic() - began))
        hall.runtime.tells_crm = True
        hall.receive(made_leads(leads))
        moody = Moody(seed, fail)
        figures, letters = asyncio.run(_storm(hall, moody, seed))
        books = open_books(hall.database)
    finally:
        hall.close()
    verdict = _judged(books, letters, moody, seed)
    verdict.seconds = round(time.monotonic() - began, 1)
    verdict.figures |= figures
    return verdict


async def _storm(hall: Hall, moody: Moody, seed: int) -> tuple[dict[str, Any], list[Letter]]:
    async with opened(moody) as door:
        receiver = WebhookReceiver(door.url, SECRET, limits=LIMITS)
        try:
            cuts = await _deliver_while(hall, receiver, door, seed)
        finally:
            await receiver.close()
        return {"deliverer cut off": cuts, "most calls at once": door.most_open}, door.letters


async def _deliver_while(hall: Hall, receiver: WebhookReceiver, door: Door, seed: int) -> int:
    """Live all the lives, deliver meanwhile, until nothing waits. How often the deliverer was cut off."""
    serving = [_Serving(hall, receiver, "w1")]
    if not hall.database.is_sqlite:
        serving.append(_Serving(hall, receiver, "w2"))
    living = asyncio.create_task(_live(hall, seed))
    cuts, cut_at = 0, 200
    while not living.done() or hall.runtime.read_now(lambda w: hooks.read_backlog(w.conn).waiting):
        await asyncio.sleep(0.2)
        if hall.database.is_sqlite and len(door.letters) >= cut_at:
            await serving[0].cut_off()
            hall.runtime.write_now(
                lambda work: hooks.end_leases_of_the_dead(work.conn, real=work.real)
            )
            serving = [_Serving(hall, receiver, f"w{cuts}")]
            cuts, cut_at = cuts + 1, cut_at * 2
    living.result()
    for each in serving:
        await each.deliverer.stop()
        await each.running
    return cuts


class _Serving:
    """One deliverer at work."""

    def __init__(self, hall: Hall, receiver: WebhookReceiver, worker: str) -> None:
        runtime = hall.runtime
        self.deliverer = HookDeliverer(
            database=runtime.database, receiver=receiver, make_work=runtime.make_work,
            clock=runtime.clock, run_in_thread=runtime.call, worker=worker, rules=SCHEDULE,
        )  # fmt: skip
        runtime.wakers.hooks = self.deliverer.wake
        self.running = asyncio.create_task(self.deliverer.run())

    async def cut_off(self) -> None:
        """As a crash would: between sending and settling, too."""
        await self.deliverer.stop(grace=0.001)
        await self.running


async def _live(hall: Hall, seed: int) -> None:
    """The lives of all leads, mixed: each lead's own order stays."""
    rng = random.Random(seed)
    lives = [(put, list(_LIVES[i % len(_LIVES)])) for i, put in enumerate(hall.offers())]
    while lives:
        place = rng.randrange(len(lives))
        put, ahead = lives[place]
        await hall.runtime.write(partial(_do, put=put, what=ahead.pop(0)))
        if not ahead:
            lives[place] = lives[-1]
            lives.pop()


def _do(work: Work, put: Put, what: str) -> None:
    answer = _DOINGS[what](work, work.roster.by_email[put.rep], put.offer)
    if not isinstance(answer, answer_offer.Done):
        raise TypeError(f"{what} on lead {put.lead} was refused: {answer}")


def _judged(books: Books, letters: Sequence[Letter], moody: Moody, seed: int) -> Verdict:
    told = {lead.id: _expected(books, lead.id) for lead in books.leads}
    verdict = Verdict(sum(len(seqs) for seqs in told.values()), seed)
    came: dict[int, list[int]] = defaultdict(list)
    ids: dict[tuple[int, int], set[str]] = defaultdict(set)
    for letter in letters:
        data = json.loads(letter.body)["data"]
        lead, seq = int(data["lead"]["id"]), int(data["seq"])
        came[lead].append(seq)
        ids[lead, seq].add(letter.id)
    taken: Counter[tuple[int, int]] = Counter()
    for letter in moody.taken:
        data = json.loads(letter.body)["data"]
        taken[int(data["lead"]["id"]), int(data["seq"])] += 1
    disorder = 0
    for lead, seqs in came.items():
        backwards = [pair for pair in pairwise(seqs) if pair[0] > pair[1]]
        disorder += len(backwards)
        verdict.faults += [f"lead {lead}: {late} came after {early}" for early, late in backwards]
    by_lead: dict[int, set[int]] = defaultdict(set)
    for lead, seq in taken:
        by_lead[lead].add(seq)
    for lead, expected in told.items():
        got = by_lead[lead]
        if got != expected:
            verdict.faults.append(f"lead {lead}: told {sorted(got)}, changed {sorted(expected)}")
    verdict.faults += [
        f"{what} came under {len(of)} ids" for what, of in ids.items() if len(of) > 1
    ]
    if len(set().union(*ids.values())) != len(ids):
        verdict.faults.append("two changes share an id")
    verdict.figures = {
        "leads": len(books.leads), "changes": verdict.n, "calls": len(letters),
        "taken twice": sum(taken.values()) - len(taken), "out of order": disorder,
        "moods": dict(sorted(moody.moods.items())),
    }  # fmt: skip
    return verdict


def _expected(books: Books, lead_id: int) -> set[int]:
    """From the journal alone: moves to another status or rep, and touches."""
    found: set[int] = set()
    rep: object = None
    for entry in books.journal.get(lead_id, []):
        if entry.kind == "moved":
            if entry.data["from"] != entry.data["to"] or entry.data["rep"] != rep:
                found.add(entry.seq)
            rep = entry.data["rep"]
        elif entry.kind in ("touched", "touch_withdrawn"):
            found.add(entry.seq)
    return found


EXPERIMENTS = (
    Experiment(
        "receiver",
        "a webhook receiver that fails in 30 % of all calls",
        "every change arrives, once to a receiver that knows its ids, in the lead's order",
        "rows sent past an unsettled one of the same lead: changes arrive out of order",
        everyday=100,
        full=1_000,
        run=lambda ground: receiver_storm(
            ground.url, leads=ground.size, fail=0.3, seed=ground.seed
        ),
    ),
)
