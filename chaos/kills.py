"""`kill -9` during intake: whatever a sender was told is there, once, with its journal, its clocks and its card.

SQLite: `baton run` is killed. PostgreSQL: a `web` and a `worker`, one or both at a time. Senders retry until they are
answered, and write down, fsynced, what they were told. Leases are twelve times shorter than in production. What is not
here: clicks and moves of the clock (`kill_demo`).
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from chaos.books import Books, damage, misfits, open_books, step_faults, unguarded
from chaos.experiment import SQLITE, Experiment, Ground
from chaos.kill_demo import Notebook
from chaos.playbooks import UNHURRIED
from chaos.race import made_leads
from chaos.town import Baton, Town, town
from chaos.verdict import Verdict
from sandbox.model import Message
from storage.database import Database

CLIENTS = 4
BATCH = 5
#: Seconds; in production 60, which each run would wait for after its last kill.
LEASE = 5.0
#: After this long without progress something hangs.
STUCK_SECONDS = 120.0


def kill_intake(ground: Ground) -> Verdict:
    """`ground.size` kills at random moments."""
    return asyncio.run(_kill_intake(ground))


async def _kill_intake(ground: Ground) -> Verdict:
    verdict = Verdict(ground.size, ground.seed)
    rng = random.Random(ground.seed)
    notes = Notebook(ground.folder / "acknowledged")
    async with town(ground, env={"CHAOS_LEASE": str(LEASE)}, accept=UNHURRIED) as here:
        roles = ["run"] if ground.kind == SQLITE else ["web", "worker"]
        batons = [here.place(role) for role in roles]
        for baton in batons:
            here.start(baton)
        for baton in batons:
            await here.ready(baton)
        began = time.monotonic()
        senders = _Senders(here, batons[0], notes)
        killed = await _kills(ground.size, rng, here, batons, senders)
        await senders.end()
        database = Database(ground.url)
        try:
            if not await here.quiet(database, STUCK_SECONDS):
                verdict.faults.append("messages were still waiting after two minutes")
            verdict.seconds = round(time.monotonic() - began, 1)
            books = open_books(database)
            shown = [m for each in here.sandbox.workspace.messages.values() for m in each.values()]
            verdict.faults += lost(notes, books) + card_faults(books, shown)
            verdict.faults += misfits(books) + unguarded(books) + step_faults(books)
            verdict.faults += damage(database)
        finally:
            database.dispose()
            notes.close()
    verdict.figures = {
        "kills": killed, "leads acknowledged": len(notes.leads), "leads": len(books.leads),
        "messages sent again": senders.again, "cards": len(shown),
    }  # fmt: skip
    if killed < ground.size:
        verdict.faults.append(f"only {killed} of {ground.size} kills hit")
    return verdict


class _Senders:
    """Clients that send leads until they are told to end, each message until it is answered."""

    def __init__(self, here: Town, door: Baton, notes: Notebook) -> None:
        self._here, self._door, self._notes = here, door, notes
        self._number = 0
        self._ending = False
        self.again = 0
        self._tasks = [asyncio.create_task(self._send()) for _ in range(CLIENTS)]

    @property
    def acknowledged(self) -> int:
        """Leads so far."""
        return len(self._notes.leads)

    async def _send(self) -> None:
        while not self._ending:
            self._number += 1
            name = f"k{self._number}"
            leads = made_leads(BATCH, name=name)
            while True:
                status, results = await self._here.send(self._door, name, leads)
                if status == 202:
                    break
                self.again += 1
                await asyncio.sleep(0.1)
            for lead, result in zip(leads, results, strict=True):
                self._notes.lead(lead["external_id"], int(result["lead"]))
            await asyncio.sleep(0.05)

    async def end(self) -> None:
        """Finish what is under way."""
        self._ending = True
        await asyncio.wait_for(asyncio.gather(*self._tasks), STUCK_SECONDS)


async def _kills(
    many: int, rng: random.Random, here: Town, batons: list[Baton], senders: _Senders
) -> int:
    done = 0
    while done < many:
        before, since = senders.acknowledged, time.monotonic()
        while senders.acknowledged < before + BATCH:  # it works again, and is in the middle of it
            if time.monotonic() - since > STUCK_SECONDS:
                return done
            await asyncio.sleep(0.005)
        await asyncio.sleep(rng.uniform(0, 0.25))
        for baton in rng.sample(batons, rng.randint(1, len(batons))):
            baton.kill()
            here.start(baton)
        done += 1
    for baton in batons:
        await here.ready(baton)
    return done


def lost(notes: Notebook, books: Books) -> list[str]:
    """Acknowledged leads that are missing or are another one; leads that nobody sent."""
    known = {external: lead for (_, external), lead in books.keys.items()}
    found = [
        f"{external} was acknowledged as {lead}, stored as {known.get(external)}"
        for external, lead in notes.leads.items()
        if known.get(external) != lead
    ]
    if len(books.leads) != len(known):
        found.append(f"{len(books.leads)} leads for {len(known)} keys")
    for lead_id, many in Counter(
        lead.id for lead in books.leads for _ in books.entries(lead.id, "arrived")
    ).items():
        if many != 1:
            found.append(f"lead {lead_id} arrived {many} times")
    return found


def card_faults(books: Books, shown: list[Message]) -> list[str]:
    """Offers whose card is not there, or there twice. A kill between Slack's answer and our commit leaves a doubt. What
    stands in a card's thread is its reminder, and with somebody else an escalation, both with the same buttons."""
    standing: Counter[tuple[str, str]] = Counter()
    for message in shown:
        if message.deleted or message.thread_ts:
            continue
        for value in _values(message.blocks):
            standing[value, message.channel] += 1
    most = {offer: many for (offer, _), many in sorted(standing.items(), key=itemgetter(1))}
    return [
        f"offer {offer.id} of lead {offer.lead_id} was never shown"
        for offer in books.offers
        if offer.state == "open" and offer.delivered_at is None
    ] + [
        f"the card of offer {offer.id} stands {most[offer.id]} times"
        for offer in books.offers
        if most.get(offer.id, 0) > 1
    ]


def _values(blocks: Sequence[Mapping[str, Any]]) -> set[str]:
    """The values of a message's buttons: offer ids are among them."""
    return {
        str(element["value"])
        for block in blocks
        if block.get("type") == "actions"
        for element in block.get("elements", [])
        if element.get("value")
    }


EXPERIMENTS = (
    Experiment(
        "kills",
        "kill -9 during intake by four retrying senders",
        "0 acknowledged leads missing, 0 twice, each with its journal, a timer per running clock and one card",
        "the answer before the commit: 15 acknowledged leads missing or others after 4 kills",
        everyday=4,
        full=300,
        run=kill_intake,
    ),
)
