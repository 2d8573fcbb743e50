"""The whole house on one PostgreSQL: two `web` and three `worker` processes, thousands of leads over signed HTTP, some
of them accepted at once. Each fourth message of leads and each click come to both `web`s at the same moment: a sender
that doubts, and Slack that sends again. Afterwards each lead's journal, its cards in the stand-in Slack and its clocks
agree, and no message was ever posted twice.

The oracle stands outside: what the senders were told, what the stand-in shows, and the journal replayed. What is not
here: faults (`kills`, `workers`, `databases`).
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from typing import Any

import aiohttp

from chaos.books import Books, misfits, open_books, step_faults, unguarded
from chaos.due_timers import introduce
from chaos.experiment import POSTGRES, Experiment, Ground
from chaos.kill_demo import Notebook
from chaos.kills import lost
from chaos.race import made_leads
from chaos.signed import click_request
from chaos.town import Baton, Town, town
from chaos.verdict import Verdict
from sandbox.interactions import elements_of
from sandbox.model import Message
from storage.database import Database

WEBS, WORKERS = 2, 3
REPS = 60
BATCH = 50
CLIENTS = 4
#: Of so many cards that came, one is accepted; of so many messages of leads, one comes twice.
CLICKED, DOUBTED = 5, 4
STUCK_SECONDS = 600.0


def whole_house(ground: Ground) -> Verdict:
    """`ground.size` leads."""
    return asyncio.run(_whole_house(ground))


async def _whole_house(ground: Ground) -> Verdict:
    verdict = Verdict(ground.size, ground.seed)
    notes = Notebook(ground.folder / "acknowledged")
    database = Database(ground.url)
    async with town(ground, reps=REPS) as here:
        try:
            webs = [here.place("web") for _ in range(WEBS)]
            workers = [here.place("worker") for _ in range(WORKERS)]
            await asyncio.to_thread(introduce, ground, here, REPS)
            for baton in (
                *webs,
                *workers,
            ):  # one after the other: it is not the start that is tried here
                here.start(baton)
                await here.ready(baton)
            began = time.monotonic()
            rep = _Reps(here, webs)
            clicking = asyncio.create_task(rep.click_while_they_come())
            again = await _send(here, webs, notes, ground.size, verdict.faults)
            taken = time.monotonic() - began
            quiet = await here.quiet(database, STUCK_SECONDS)
            delivered = time.monotonic() - began
            rep.ending = True
            await clicking
            quiet = quiet and await here.quiet(database, STUCK_SECONDS)
            verdict.seconds = round(time.monotonic() - began, 1)
            books = open_books(database)
            shown = [m for each in here.sandbox.workspace.messages.values() for m in each.values()]
            shares = _shares(database)
        finally:
            for baton in here.batons:
                baton.kill()
            database.dispose()
            notes.close()
    if not quiet:
        verdict.faults.append(f"messages were still waiting after {STUCK_SECONDS:.0f} seconds")
    verdict.figures = {
        "leads": len(books.leads), "leads a second": round(ground.size / taken, 1),
        "until all was delivered, s": round(delivered, 1), "sent again by senders": again,
        "messages of leads sent twice": -(-ground.size // (BATCH * DOUBTED)),
        "accepted by a click": rep.accepted, "messages shown": len(shown),
        "messages sent by each worker": shares,
        "arrival to card p50, p99, s": _card_times(books),
    }  # fmt: skip
    verdict.faults += lost(notes, books) + rep.faults
    if len(notes.leads) != ground.size or len(books.leads) != ground.size:
        verdict.faults.append(f"{len(notes.leads)} acknowledged, {len(books.leads)} stand there")
    verdict.faults += disagreements(books, shown, rep.clicked) + posted_twice(shown)
    verdict.faults += misfits(books) + unguarded(books) + step_faults(books)
    return verdict


async def _send(
    here: Town, webs: list[Baton], notes: Notebook, many: int, faults: list[str]
) -> int:
    """All leads in batches, by four senders at two doors; each batch until it is taken."""
    leads = made_leads(many, name="h")
    batches = [leads[at : at + BATCH] for at in range(0, many, BATCH)]
    again = 0

    async def sender(number: int) -> None:
        nonlocal again
        for place in range(number, len(batches), CLIENTS):
            batch = batches[place]
            while True:
                doors = [webs[place % WEBS], *([webs[(place + 1) % WEBS]] * (place % DOUBTED == 0))]
                answers = await asyncio.gather(
                    *(here.send(door, f"h-{place}", batch) for door in doors)
                )
                if all(status == 202 for status, _ in answers):
                    break
                again += 1
                await asyncio.sleep(0.2)
            for lead, *told in zip(batch, *(results for _, results in answers), strict=True):
                numbers = {int(result["lead"]) for result in told}
                if len(numbers) > 1:
                    faults.append(f"{lead['external_id']} was acknowledged as {sorted(numbers)}")
                notes.lead(lead["external_id"], min(numbers))

    await asyncio.gather(*(sender(number) for number in range(CLIENTS)))
    return again


class _Reps:
    """They accept one card of five, as it comes."""

    def __init__(self, here: Town, webs: list[Baton]) -> None:
        self._here, self._webs = here, webs
        self._user_of = {
            here.sandbox.workspace.dm_id(user): user for user in here.sandbox.workspace.people
        }
        self.ending = False
        self.clicked: set[str] = set()
        self.accepted = 0
        self.faults: list[str] = []

    async def click_while_they_come(self) -> None:
        """Until told to end."""
        known: set[str] = set()
        while not self.ending:
            for channel, ts, offer in self._cards():
                if offer in known:
                    continue
                known.add(offer)
                if len(known) % CLICKED == 0:
                    await self._accept(channel, ts, offer)
            await asyncio.sleep(0.2)

    def _cards(self) -> list[tuple[str, str, str]]:
        return [
            (channel, message.ts, str(element["value"]))
            for channel, messages in list(self._here.sandbox.workspace.messages.items())
            if channel in self._user_of
            for message in list(messages.values())
            if not message.deleted
            for _, element in elements_of(message.blocks)
            if element.get("action_id") == "lead_accept"
        ]

    async def _accept(self, channel: str, ts: str, offer: str) -> None:
        body, headers = click_request(
            self._here.signing, "lead_accept", self._user_of[channel], channel, ts, offer
        )
        await asyncio.gather(*(self._post(web, body, headers) for web in self._webs))
        self.clicked.add(offer)
        self.accepted += 1

    async def _post(self, web: Baton, body: bytes, headers: dict[str, str]) -> None:
        try:
            async with self._here.session.post(
                f"{web.address}/slack/events", data=body, headers=headers
            ) as answer:
                if answer.status != 200:
                    self.faults.append(f"a click was answered with {answer.status}")
        except (aiohttp.ClientError, TimeoutError) as error:
            self.faults.append(f"a click was not answered: {type(error).__name__}")


def disagreements(books: Books, shown: list[Message], clicked: set[str]) -> list[str]:
    """Leads whose offer, clocks and what Slack shows do not tell the same."""
    cards: Counter[str] = Counter()
    lists = 0
    for message in shown:
        if message.deleted or message.ephemeral_to:
            continue
        actions = [
            (e.get("action_id"), str(e.get("value", ""))) for _, e in elements_of(message.blocks)
        ]
        lists += any(name == "list_open" for name, _ in actions)
        for button in {value for _, value in actions}:
            cards[button] += 1
    running: dict[int, set[str]] = defaultdict(set)
    for clock in books.clocks:
        if clock.ended_at is None:
            running[clock.lead_id].add(clock.kind)
    wanted = {
        "offered": {"accept", "shelf_life"},
        "accepted": {"first_touch", "decide", "shelf_life"},
    }
    found = []
    for lead in books.leads:
        if lead.status not in wanted:
            found.append(f"lead {lead.id} is {lead.status}")
        elif running[lead.id] != wanted[lead.status]:
            found.append(
                f"lead {lead.id} is {lead.status}, its clocks are {sorted(running[lead.id])}"
            )
    for offer in books.offers:
        if offer.id in clicked and offer.state != "accepted":
            found.append(f"offer {offer.id} was clicked, it is {offer.state}")
        if offer.state == "accepted" and offer.id not in clicked:
            found.append(f"offer {offer.id} was accepted by nobody")
        if offer.delivered_at is None:
            found.append(f"offer {offer.id} of lead {offer.lead_id} was never delivered")
        # A flood to one person goes as a list: then the card has no message of its own until it is opened.
        if cards[offer.id] != 1 and not (cards[offer.id] == 0 and lists):
            found.append(f"the card of offer {offer.id} stands {cards[offer.id]} times")
    return found


def posted_twice(shown: list[Message]) -> list[str]:
    """No call fails here, so no message is ever in doubt: none may be posted twice, be it only for a while."""
    posts = Counter(
        str(((message.metadata or {}).get("event_payload") or {}).get("d") or "")
        for message in shown
        if not message.ephemeral_to
    )
    return [
        f"message {delivery} was posted {many} times"
        for delivery, many in posts.items()
        if delivery and many > 1
    ]


def _card_times(books: Books) -> list[float]:
    taken = sorted(
        (offer.delivered_at - offer.offered_at).total_seconds()
        for offer in books.offers
        if offer.delivered_at is not None
    )
    return [round(taken[int(len(taken) * share)], 1) for share in (0.5, 0.99)] if taken else []


def _shares(database: Database) -> list[int]:
    with database.read() as conn:
        rows: list[Any] = list(
            conn.exec_driver_sql(
                "SELECT count(*) FROM outbox WHERE state = 'sent' GROUP BY claimed_by ORDER BY 1"
            ).scalars()
        )
    return [int(row) for row in rows]


EXPERIMENTS = (
    Experiment(
        name="house",
        about="two web and three worker processes take, offer and deliver leads",
        criterion="each acknowledged lead is there once; its journal, card and clocks agree; no message posted twice",
        broken_by="claims of messages without their turn, row lock and state (400 leads): 51 cards stood there twice",
        everyday=400,
        full=5000,
        run=whole_house,
        kinds=(POSTGRES,),
    ),
)
