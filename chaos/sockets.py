"""Socket Mode with a line that is cut in the middle of clicks, commands and leads: what Slack got acked is there, and
nothing happened twice.

The sandbox in this process is Slack; real Batons open their lines to it through a wire that can be cut and frozen.
What is not here: `kill -9` (`kill_demo`), two that want the same (`clicks`).
"""

from __future__ import annotations

import asyncio
import base64
import random
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from bot.demo import channels_of, people_of
from chaos.batons import batons, ready, send_leads
from chaos.books import Books, damage, misfits, open_books, step_faults, unguarded
from chaos.experiment import Experiment
from chaos.playbooks import agreement_of, playbook_text
from chaos.race import made_leads
from chaos.verdict import Verdict
from sandbox.app import Sandbox, SandboxConfig, create_sandbox
from sandbox.clock import ManualClock
from sandbox.config import DEFAULT_BOT_TOKEN
from sandbox.faults import SOCKET
from sandbox.interactions import Choice, elements_of, options_of
from sandbox.server import free_socket, serve
from sandbox.wire import Wire, wire_to
from sandbox.workspace import Workspace
from storage.database import Database

APP_TOKEN = "xapp-sandbox-1-chaos"  # noqa: S105 - the sandbox's own
Settle = Callable[[], Awaitable[None]]

#: What a rep does to one lead, in order: what the click is called, and the journal's word for its deed. The last one
#: is fenced by nothing else: a second time it would take back the other touch, too.
STEPS = (
    ("lead_accept", "offer_accepted"),
    ("lead_log_email", "touched email"),
    ("log_meeting", "touched meeting"),
    ("lead_undo_log", "touch_withdrawn"),
)
#: How long a rep waits for a card to change (seconds).
PATIENCE = 30.0
PEOPLE = 5


@dataclass(slots=True)
class Told:
    """What Slack told one rep about one offer: the clicks, and those that were acked, by step."""

    offer: str
    clicks: Counter[str] = field(default_factory=Counter)
    acked: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Place:
    """Where something can be clicked."""

    ts: str
    block_id: str
    action_id: str
    choice: Choice


def find_place(workspace: Workspace, channel: str, step: str, offer: str) -> Place | None:
    """The button, or the line of a menu, for this step of this offer."""
    for message in list(workspace.messages.get(channel, {}).values()):
        if message.deleted or message.ephemeral_to:
            continue
        for block, element in elements_of(message.blocks):
            if element.get("action_id") == step and element.get("value") == offer:
                return Place(message.ts, block["block_id"], step, None)
            for option in options_of(element):
                if option["value"] == f"{step}:{offer}":
                    return Place(
                        message.ts, block["block_id"], element["action_id"], option["value"]
                    )
    return None


def offers_in(workspace: Workspace) -> list[tuple[str, str]]:
    """(conversation, offer) of every card that waits for an answer."""
    return [
        (channel, str(element["value"]))
        for channel, messages in list(workspace.messages.items())
        for message in list(messages.values())
        if not message.deleted
        for _, element in elements_of(message.blocks)
        if element.get("action_id") == STEPS[0][0]
    ]


async def walk(workspace: Workspace, channel: str, told: Told, settle: Settle) -> None:
    """One rep works on one lead. Told that it did not work, they look at the card, and click again if need be."""
    user = next(u for u in workspace.people if workspace.dm_id(u) == channel)
    for number, (step, _) in enumerate(STEPS):
        after = STEPS[number + 1][0] if number + 1 < len(STEPS) else ""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            await settle()
            if told.clicks[step] and after and find_place(workspace, channel, after, told.offer):
                break  # it was done all the same
            place = find_place(workspace, channel, step, told.offer)
            if place is None:
                continue
            told.clicks[step] += 1
            outcome = await workspace.click(
                user, channel, place.ts, place.block_id, place.action_id, place.choice
            )
            if outcome.ok:
                told.acked[step] += 1
                break
            if not after:
                break  # whether an undo was done nobody can see: they leave it
            for _ in range(5):
                await settle()


def judge(told: Sequence[Told], books: Books) -> list[str]:
    """Acked means done; and nothing was done more often than it was clicked."""
    offers = {offer.id: offer for offer in books.offers}
    faults = []
    for each in told:
        done: Counter[str] = Counter()
        for entry in books.journal.get(offers[each.offer].lead_id, []):
            if entry.kind != "offer_accepted" or entry.data["offer"] == each.offer:
                done[f"{entry.kind} {entry.data.get('kind') or ''}".strip()] += 1
        for step, kind in STEPS:
            if not min(each.acked[step], 1) <= done[kind] <= each.clicks[step]:
                faults.append(
                    f"{each.offer}: {step} clicked {each.clicks[step]} times, acked {each.acked[step]} times, "
                    f"done {done[kind]} times"
                )
    return faults


async def trouble(sandbox: Sandbox, wire: Wire | None, kind: str, rng: random.Random) -> None:
    """One cut, of its kind. The first three meet a payload that is on its way."""
    sockets = sandbox.workspace.dispatch.sockets
    if kind in ("accept_then_reset", "reset", "accept_then_late"):
        sandbox.workspace.faults.add(SOCKET, kind, seconds=3.5, skip=rng.randint(0, 1))
    elif kind == "all":
        await sockets.cut()
    elif kind == "refresh" and sockets.lines:
        await sockets.ask_to_leave(line=rng.choice(sockets.lines))
    elif kind == "wire" and wire is not None:
        wire.cut()
    elif kind == "freeze" and wire is not None:
        wire.freeze()
        await asyncio.sleep(4.0)
        wire.thaw()


KINDS = ("accept_then_reset", "wire", "reset", "all", "refresh", "accept_then_reset", "freeze",
         "accept_then_reset", "accept_then_late")  # fmt: skip


def socket_race(url: str, folder: Path, *, offers: int, cuts: int, seed: int) -> Verdict:
    """`offers` leads are sent, accepted and worked on while the lines are cut `cuts` times."""
    return asyncio.run(_race(url, folder, offers, cuts, seed))


async def _race(url: str, folder: Path, offers: int, cuts: int, seed: int) -> Verdict:
    verdict = Verdict(cuts, seed)
    rng = random.Random(seed)
    text = playbook_text(8)
    agreement = agreement_of(text)
    intake = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    sock = free_socket()
    config = SandboxConfig(
        signing_secret=secrets.token_hex(16),
        events_url=f"http://127.0.0.1:{sock.getsockname()[1]}/",
        intake_url="http://127.0.0.1:9/",
        intake_secret=intake,
        people=people_of(agreement),
        channels=channels_of(agreement),
        clock=ManualClock(),
        app_token=APP_TOKEN,
    )
    sandbox = create_sandbox(config)
    (folder / "playbook.yaml").write_text(text, encoding="utf-8")
    database = Database(url)
    roles = ["run"] if database.is_sqlite else ["web", "web", "worker"]
    await sandbox.start()
    try:
        async with (
            serve(sandbox.asgi, sock) as slack,
            wire_to(slack) as wire,
            aiohttp.ClientSession(trust_env=False) as session,
        ):
            config.socket_url = wire.url
            env = {
                "DATABASE_URL": url, "SLACK_BOT_TOKEN": DEFAULT_BOT_TOKEN, "SLACK_APP_TOKEN": APP_TOKEN,
                "SLACK_API_URL": f"{slack}/api/", "BATON_INTAKE_SECRET": f"race:{intake}",
                "BATON_PLAYBOOK": str(folder / "playbook.yaml"),
            }  # fmt: skip
            # At Slack's pace a card would be edited a minute late: reps would wait, and nothing be cut off.
            with batons(roles, env, folder, module="chaos.unpaced") as addresses:
                await ready(session, addresses, folder)
                sockets = sandbox.workspace.dispatch.sockets
                began = time.monotonic()
                while not sockets.lines and time.monotonic() - began < PATIENCE:
                    await asyncio.sleep(0.05)
                run = _Run(sandbox, wire, rng, offers, cuts)
                began = time.monotonic()
                sending = asyncio.create_task(run.send(session, addresses[0], intake))
                cutting = asyncio.create_task(run.cut())
                await asyncio.gather(*(run.work() for _ in range(PEOPLE)))
                await asyncio.gather(sending, cutting)
                verdict.seconds = round(time.monotonic() - began, 1)
        books = open_books(database)
        verdict.faults = judge(run.told, books)
        if len(books.leads) != offers:
            verdict.faults.append(f"{offers} leads were acknowledged, {len(books.leads)} are there")
        verdict.faults += misfits(books) + unguarded(books) + step_faults(books) + damage(database)
        verdict.figures = run.figures()
    finally:
        await sandbox.stop()
        database.dispose()
    return verdict


class _Run:
    """One run: leads come in, reps work, lines are cut."""

    def __init__(
        self, sandbox: Sandbox, wire: Wire, rng: random.Random, offers: int, cuts: int
    ) -> None:
        self._sandbox, self._wire, self._rng = sandbox, wire, rng
        self._offers, self._cuts = offers, cuts
        self._sent = False
        self._done = Counter[str]()
        self._claimed: set[str] = set()
        self.told: list[Told] = []

    async def send(self, session: aiohttp.ClientSession, address: str, secret: str) -> None:
        """The leads, a few at a time, so that each gets a card of its own."""
        leads = made_leads(self._offers)
        for start in range(0, len(leads), 6):
            await send_leads(session, address, secret, leads[start : start + 6])
            await asyncio.sleep(0.8)
        self._sent = True

    async def work(self) -> None:
        """Take a card, work on it, ask for the own leads; until there are no more."""
        workspace = self._sandbox.workspace
        idle = 0
        while idle < 40:
            fresh = [each for each in offers_in(workspace) if each[1] not in self._claimed]
            if not fresh:
                idle += self._sent
                await asyncio.sleep(0.1)
                continue
            idle = 0
            channel, offer = self._rng.choice(fresh)
            self._claimed.add(offer)
            told = Told(offer)
            self.told.append(told)
            await walk(workspace, channel, told, _soon)
            user = next(u for u in workspace.people if workspace.dm_id(u) == channel)
            asked = await workspace.command(user, channel, "/lead", "mine")
            self._done["commands answered" if asked.ok else "commands not answered"] += 1

    async def cut(self) -> None:
        """The cuts, spread over the work; the kinds in turn."""
        steps = self._offers * len(STEPS)
        for number in range(self._cuts):
            place = steps * (number + 0.5) / (self._cuts + 1)
            since = time.monotonic()
            while sum(t.clicks.total() for t in self.told) < place:
                if time.monotonic() - since > PATIENCE / 3:
                    break
                await asyncio.sleep(0.02)
            kind = KINDS[number % len(KINDS)]
            await trouble(self._sandbox, self._wire, kind, self._rng)
            self._done[f"cuts: {kind}"] += 1

    def figures(self) -> dict[str, int]:
        """What was done."""
        clicks = sum(t.clicks.total() for t in self.told)
        acked = sum(t.acked.total() for t in self.told)
        return {
            "offers worked on": len(self.told),
            "clicks": clicks,
            "clicks acked": acked,
            "sent again by Slack": self._sandbox.workspace.dispatch.sockets.resent,
            **dict(sorted(self._done.items())),
        }


async def _soon() -> None:
    await asyncio.sleep(0.05)


EXPERIMENTS = (
    Experiment(
        "sockets",
        "the lines of Socket Mode are cut in the middle of clicks, commands and leads",
        "every click that was acknowledged acted once, none acts twice",
        "payloads that come twice are not noted: a command acts twice",
        everyday=20,
        full=200,
        run=lambda ground: socket_race(
            ground.url,
            ground.folder,
            offers=max(6, ground.size),
            cuts=ground.size,
            seed=ground.seed,
        ),
    ),
)
