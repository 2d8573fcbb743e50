"""Stories: a whole Baton and a whole Slack stand-in over real HTTP, told in the words of the business.

    async def test_a_rep_accepts(story: Story) -> None:
        await story.lead_arrives("Acme", source="contact_me")
        card = await story.expect_dm("ann", "Acme", buttons=["Accept", "Reject…", "Recycle…"])
        await card.click("Accept")
        assert story.lead("Acme").status == "accepted"

People are named by the first part of their address in `story_playbook.yaml` (ann, ben; dana is their manager; eve,
fay, gus in the americas; vp; cmo, ops, pia in marketing); `zoe` is in the workspace but not in the playbook.

**Time stands still** but for `fast_forward(minutes=…|hours=…|days=…|to="2026-03-31 09:29")` (Vienna time), which stops
at every due step on the way, and `jump`, which does not (Baton was down). A story begins on Tuesday 2026-03-24, 10:00.

**Nothing unexpected**: each message that Baton sends must be taken by `expect_dm`, `expect_channel`, `expect_said`
(seen by one person only) or a command's answer; what is left fails the story at its end, as `expect_nothing_else` does
at once. Edits of messages are free: look at `card(…)`, `message.text`, `message.buttons`.

With BATON_RECORD_CALLS=<folder> every story leaves its calls of Slack there as <test>.jsonl. What is not here: what a
person sees and clicks (`tests.story_screen`).
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from datetime import time as dt_time
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

import aiohttp
from pydantic import SecretStr
from slack_sdk.signature import Clock as BoltClock
from sqlalchemy import func, select

from bot.clock import Clock
from bot.demo import channels_of, people_of
from bot.domain.agreement import Agreement
from bot.services.apply_playbook import apply_playbook
from bot.services.runtime import Runtime
from bot.services.work import Work
from bot.settings import Credential, Settings
from bot.wiring import House, SlackAccess, agreement_from_text, bring_in_force
from sandbox.app import Sandbox, SandboxConfig, create_sandbox
from sandbox.config import DEFAULT_BOT_TOKEN
from sandbox.dispatch import Answer, webhook_signature
from sandbox.model import BOT_USER_ID, Message, Person, View
from sandbox.server import free_socket, serve
from sandbox.workspace import Workspace
from storage import clocks, journal, leads, offers, outbox, people
from storage.clocks import ClockRow
from storage.database import Database
from storage.journal import JournalRow
from storage.leads import LeadRow
from storage.models import Leads, Outbox
from storage.offers import OfferRow
from storage.rows import as_row, table_of
from tests.story_screen import Form, Home, Shown, click_payload, words_of

VIENNA = ZoneInfo("Europe/Vienna")
START = "2026-03-24 10:00"
PLAYBOOK = Path(__file__).with_name("story_playbook.yaml")
SIGNING_SECRET = "story-signing-secret"
INTAKE_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ZOE = Person.of("zoe@acme.example", "Zoe Hart", "no part in the playbook", "Europe/Vienna")
MOST_STEPS = 400
SETTLED_AFTER = 40

_outbox = table_of(Outbox)
_leads = table_of(Leads)


def vienna(text: str) -> datetime:
    """ "2026-03-31 09:29" as an instant."""
    return datetime.fromisoformat(text).replace(tzinfo=VIENNA).astimezone(UTC)


@cache
def playbook_text() -> str:
    """The playbook of the stories."""
    return PLAYBOOK.read_text(encoding="utf-8")


class Frozen:
    """The only time there is: business and real, Baton's and Slack's."""

    def __init__(self, now: datetime) -> None:
        self.instant = now

    def now(self) -> datetime:
        """The instant it stands at."""
        return self.instant

    async def advance(self, seconds: int) -> None:
        """The page's button; stories use `fast_forward`."""
        self.instant += timedelta(seconds=seconds)

    def next_step_at(self) -> datetime | None:
        """For the page."""
        return None


class Story:
    """A whole Baton with its workspace. Made by `story_of`."""

    def __init__(self, house: House, sandbox: Sandbox, time: Frozen, url: str) -> None:
        self.house = house
        self.sandbox = sandbox
        self.time = time
        self.url = url
        self._taken: set[tuple[str, str]] = set()
        self._settling = asyncio.Lock()
        self._sent = 0

    # ------------------------------------------------------------ who and when

    @property
    def workspace(self) -> Workspace:
        """The Slack stand-in."""
        return self.sandbox.workspace

    @property
    def agreement(self) -> Agreement:
        """The playbook in force."""
        return self.house.runtime.agreement

    @property
    def now(self) -> str:
        """Vienna time, as `fast_forward` takes it."""
        return self.local(self.time.instant)

    @staticmethod
    def local(instant: datetime) -> str:
        """An instant as a person in Vienna reads it; seconds only when there are some."""
        shown = instant.astimezone(VIENNA)
        return f"{shown:%Y-%m-%d %H:%M:%S}" if shown.second else f"{shown:%Y-%m-%d %H:%M}"

    def user(self, who: str) -> str:
        """The Slack id of somebody."""
        found = self.workspace.person_by_email(f"{who}@acme.example")
        assert found is not None, f"nobody is called {who}"
        return found.user_id

    def dm(self, who: str) -> str:
        """The conversation of somebody with Baton."""
        return self.workspace.dm_id(self.user(who))

    def name(self, who: str) -> str:
        """Their whole name."""
        return self.workspace.people[self.user(who)].name

    # ------------------------------------------------------------ time

    async def fast_forward(
        self, *, minutes: float = 0, hours: float = 0, days: float = 0, to: str = ""
    ) -> None:
        """Let time pass, stopping at each due step on the way. `to` is Vienna time."""
        span = timedelta(minutes=minutes, hours=hours, days=days)
        target = vienna(to) if to else self.time.instant + span
        assert target >= self.time.instant, f"{to} is past: it is {self.now}"
        for _ in range(MOST_STEPS):
            await self.settle()
            step = self._next_step()
            if step is None or step >= target:
                break
            self.time.instant = step
        else:
            raise AssertionError("time does not get on: a step comes back for ever")
        self.time.instant = target
        await self.settle()

    async def jump(self, *, minutes: float = 0, hours: float = 0, days: float = 0) -> None:
        """Baton is down so long, then comes back."""
        self.time.instant += timedelta(minutes=minutes, hours=hours, days=days)
        await self.settle()

    def _next_step(self) -> datetime | None:
        now = self.time.instant

        def look(work: Work) -> datetime | None:
            timer = clocks.next_timer(work.conn, now)
            retry = work.conn.execute(
                select(func.min(_outbox.c.not_before)).where(
                    _outbox.c.state == "pending", _outbox.c.not_before > now
                )
            ).scalar_one_or_none()
            times = (timer.due_at if timer else None, outbox.next_shown_at(work.conn, now), retry)
            return min((t for t in times if t is not None), default=None)

        return self.house.runtime.read_now(look)

    async def settle(self) -> None:
        """Let Baton do all that it has to do at this instant."""
        async with self._settling:
            for _ in range(SETTLED_AFTER):
                await self.house.runtime.drain(5)
                fired = await self.house.ticker.tick()
                sent = await self.house.deliverer.drain()
                if not fired and not sent:
                    return
            raise AssertionError("Baton does not come to rest")

    # ------------------------------------------------------------ leads

    async def lead_arrives(
        self, company: str, *, at: str = "", source: str = "webinar", **fields: Any
    ) -> dict[str, Any]:
        """A signed lead from marketing's side; the result of its one item. Missing fields are made up from `company`."""
        if at:
            await self.fast_forward(to=at)
        status, body = await self.workspace.post_lead(lead_of(company, source=source, **fields))
        assert status == 202, (status, body)
        await self.settle()
        result: dict[str, Any] = body["results"][0]
        return result

    async def post(
        self, body: bytes, *, message_id: str = "msg_1", sign: bool = True
    ) -> tuple[int, Mapping[str, Any]]:
        """Raw bytes to the intake: (status, JSON answer)."""
        at = int(self.time.instant.timestamp())
        headers = {"Content-Type": "application/json"}
        if sign:
            headers |= {
                "webhook-id": message_id,
                "webhook-timestamp": str(at),
                "webhook-signature": webhook_signature(INTAKE_SECRET, message_id, at, body),
            }
        async with (
            aiohttp.ClientSession(trust_env=False) as session,
            session.post(f"{self.url}/leads", data=body, headers=headers) as answer,
        ):
            found: Mapping[str, Any] = await answer.json()
            status = answer.status
        await self.settle()
        return status, found

    async def get(self, path: str) -> tuple[int, Mapping[str, Any]]:
        """GET something of Baton's own."""
        async with (
            aiohttp.ClientSession(trust_env=False) as session,
            session.get(f"{self.url}{path}") as answer,
        ):
            return answer.status, await answer.json()

    def leads(self) -> list[LeadRow]:
        """All leads."""

        def look(work: Work) -> list[LeadRow]:
            ids = work.conn.execute(select(_leads.c.id).order_by(_leads.c.id)).scalars().all()
            return leads.list_by_ids(work.conn, ids)

        return self.house.runtime.read_now(look)

    def lead(self, company: str) -> LeadRow:
        """The lead of a company as it is stored."""
        found = [row for row in self.leads() if row.company == company]
        assert len(found) == 1, f"{len(found)} leads of {company}"
        return found[0]

    def status(self, company: str) -> str:
        """Where the lead is."""
        return self.lead(company).status

    def holder(self, company: str) -> str:
        """Who has it, as the stories name people; "" for nobody."""
        lead = self.lead(company)

        def look(work: Work) -> str:
            member = work.roster.by_id.get(lead.owner_id) if lead.owner_id is not None else None
            return member.email.partition("@")[0] if member else ""

        return self.house.runtime.read_now(look)

    def journal(self, company: str) -> list[JournalRow]:
        """All that happened to it."""
        lead_id = self.lead(company).id
        return self.house.runtime.read_now(
            lambda work: journal.list_entries(work.conn, "lead", lead_id)
        )

    def offers(self, company: str) -> list[OfferRow]:
        """Its offers, oldest first."""
        lead_id = self.lead(company).id
        return self.house.runtime.read_now(lambda work: offers.list_offers(work.conn, lead_id))

    def clock(self, company: str, kind: str) -> ClockRow:
        """The newest clock of a kind."""
        lead_id = self.lead(company).id
        found = self.house.runtime.read_now(lambda work: clocks.list_clocks(work.conn, lead_id))
        mine = [clock for clock in found if clock.kind == kind]
        assert mine, f"no {kind} clock; there are {[clock.kind for clock in found]}"
        return mine[-1]

    def due(self, company: str, kind: str = "accept") -> str:
        """When the newest clock of a kind is due, Vienna time."""
        return self.local(self.clock(company, kind).due_at)

    def outbox(self) -> list[Any]:
        """All rows of the outbox, oldest first."""
        return self.house.runtime.read_now(
            lambda work: list(work.conn.execute(select(_outbox).order_by(_outbox.c.id)))
        )

    # ------------------------------------------------------------ what people see

    async def expect_dm(
        self, who: str, text: str = "", *, buttons: list[str] | None = None
    ) -> Shown:
        """The oldest message to somebody not expected before, with `text` in it and exactly these buttons in sight."""
        return self._take(who, self.dm(who), text, buttons)

    async def expect_channel(
        self, channel: str, text: str = "", *, by: str = "", buttons: list[str] | None = None
    ) -> Shown:
        """The same in a channel: review, emea or americas. `by`: who reads and clicks it."""
        names = {c.name: c.id for c in self.workspace.channels.values() if c.kind == "channel"}
        for candidate in (channel, f"team-{channel}", f"lead-{channel}"):
            if candidate in names:
                return self._take(by or "ops", names[candidate], text, buttons)
        raise AssertionError(f"no channel {channel}; there are {sorted(names)}")

    async def expect_said(self, who: str, text: str = "") -> Shown:
        """An answer that only `who` sees."""
        for message in self._untaken():
            if message.ephemeral_to == self.user(who) and _has(message, text):
                return self._shown(who, message)
        raise AssertionError(f"nothing was said to {who} with {text!r}.\n{self._left()}")

    async def expect_nothing_else(self) -> None:
        """Every message so far was expected."""
        await self.settle()
        assert not self._untaken(), f"messages that nobody expected:\n{self._left()}"

    def card(self, who: str, company: str) -> Shown:
        """The newest message about a company in somebody's conversation, threads left out."""
        found = self.workspace.messages[self.dm(who)].values()
        for message in reversed(list(found)):
            if message.thread_ts or message.ephemeral_to or message.deleted:
                continue
            if _has(message, company):
                return self._shown(who, message)
        raise AssertionError(f"{who} has no card of {company}")

    async def command(self, who: str, typed: str) -> Shown:
        """Type a slash command in the conversation with Baton; the answer, which only `who` sees."""
        name, _, rest = typed.partition(" ")
        before = set(self.workspace.messages[self.dm(who)])
        await self.workspace.command(self.user(who), self.dm(who), name, rest)
        await self.settle()
        new = [m for ts, m in self.workspace.messages[self.dm(who)].items() if ts not in before]
        said = [m for m in new if m.ephemeral_to == self.user(who) and m.user == BOT_USER_ID]
        assert len(said) == 1, f"{typed} was answered {len(said)} times"
        return self._shown(who, said[0])

    async def home(self, who: str) -> Home:
        """Open the Home tab."""
        await self.workspace.open_home(self.user(who))
        await self.settle()
        return Home(self, who)

    def top_modal(self, who: str) -> View | None:
        """The modal that somebody has on top."""
        stack = self.workspace.modals.get(self.user(who), [])
        return stack[-1] if stack else None

    def form(self, who: str) -> Form:
        """The modal that somebody has on top, as a form."""
        return Form(self, who)

    # ------------------------------------------------------------ other doings

    async def click_old(
        self,
        who: str,
        message: Message,
        block: Mapping[str, Any],
        element: Mapping[str, Any],
        option: str | None = None,
    ) -> Answer:
        """A click on a message as it once was."""
        payload = click_payload(self, who, message, block, element, option)
        return await self.workspace.dispatch.interact(payload)

    async def until_ready(self) -> None:
        """Wait until Baton has looked up everybody in Slack."""
        for _ in range(2000):
            if (await self.get("/readyz"))[0] == 200:
                return
            await asyncio.sleep(0.005)
        raise AssertionError("Baton does not get ready")

    async def deactivate(self, who: str) -> None:
        """An administrator closes an account; Baton hears of it."""
        await self.workspace.deactivate(self.user(who))
        await self.settle()

    async def playbook_changes(self, *changes: tuple[str, str]) -> None:
        """Texts of the playbook are replaced, and it is applied."""
        text = self._text
        for old, new in changes:
            assert old in text, f"the playbook does not say {old!r}"
            text = text.replace(old, new)
        self._text = text
        await self.house.runtime.in_thread(lambda: bring_in_force(self.house.runtime, text))
        await self.settle()

    _text = ""

    # ------------------------------------------------------------ helpers

    def _take(self, who: str, channel: str, text: str, buttons: list[str] | None) -> Shown:
        near = ""
        for message in self._untaken():
            if message.channel != channel or message.ephemeral_to or not _has(message, text):
                continue
            shown = Shown(self, who, message.channel, message.ts, message)
            if buttons is not None and shown.buttons != buttons:
                near = f" (one has the buttons {shown.buttons})"
                continue
            return self._shown(who, message)
        where = self.workspace.channels[channel].name
        raise AssertionError(
            f"nothing new for {who} in {where} with {text!r}{near}.\n{self._left()}"
        )

    def _shown(self, who: str, message: Message) -> Shown:
        self._taken.add((message.channel, message.ts))
        return Shown(self, who, message.channel, message.ts, message)

    def unexpected(self) -> list[Message]:
        """The messages that nobody has expected yet."""
        return self._untaken()

    def _untaken(self) -> list[Message]:
        found = [m for of_one in self.workspace.messages.values() for m in of_one.values()]
        new = [m for m in found if (m.channel, m.ts) not in self._taken and not m.deleted]
        return sorted(new, key=lambda m: m.ts)

    def _left(self) -> str:
        names = {p.user_id: p.name for p in self.workspace.people.values()}
        rows = []
        for message in self._untaken():
            channel = self.workspace.channels[message.channel]
            to = next((names[m] for m in channel.members if m in names), "?")
            where = f"to {to}" if channel.kind == "dm" else f"in {channel.name}"
            only = f", seen by {names[message.ephemeral_to]}" if message.ephemeral_to else ""
            said = (words_of(message.blocks) or message.text).replace("\n", " / ")
            rows.append(f"  {where}{only}: {said}")
        return "Not expected yet:\n" + "\n".join(rows) if rows else "Nothing else was sent."


def lead_of(company: str, /, *, source: str = "webinar", **fields: Any) -> dict[str, Any]:
    """A lead as a sender puts it, made up from the company's name where nothing is said."""
    slug = re.sub(r"[^a-z0-9]+", "-", company.lower()).strip("-") or "x"
    made_up: dict[str, Any] = {
        "source": source,
        "external_id": slug,
        "email": f"jana.novak@{slug}.example",
        "first_name": "Jana",
        "last_name": "Novak",
        "company": company,
        "country": "AT",
        "language": "de",
        "phone": "+43 1 555 0100",
        "source_score": 80,
    }
    return made_up | fields


def _has(message: Message, text: str) -> bool:
    return text in words_of(message.blocks) or text in message.text


@asynccontextmanager
async def story_of(
    database_url: str, *, name: str = "story", playbook: str = "", start: str = START,
    slack_answers: bool = True, known: bool = True, app_token: str = "",
) -> AsyncIterator[Story]:  # fmt: skip
    """A running Baton beside its workspace. `slack_answers` False: Slack is down from the beginning.

    `known` False: nobody was looked up in Slack before, as at the first start of all.
    `app_token`: Slack comes in by Socket Mode.
    """
    time = Frozen(vienna(start))
    text = playbook or playbook_text()
    sock = free_socket()
    url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    runtime = _open(database_url, time, text)
    config = replace(_config(runtime.agreement, time, url, name), app_token=app_token)
    sandbox = create_sandbox(config)
    house = House(
        Settings(intake_secrets=(Credential("story", SecretStr(INTAKE_SECRET)),)),
        runtime,
        SlackAccess(
            SecretStr(DEFAULT_BOT_TOKEN),
            SecretStr(SIGNING_SECRET),
            f"{url}/api/",
            SecretStr(app_token) if app_token else None,
        ),
        worker=False,  # the story itself ticks and delivers
        more_routes=sandbox.routes,
        spacing=timedelta(0),
    )
    story = Story(house, sandbox, time, url)
    story._text = text
    if not slack_answers:
        sandbox.workspace.faults.add("*", "http_500", count=None)
    if known:
        runtime.write_now(lambda work: _meet(work, sandbox.workspace))
    await sandbox.start()
    # Bolt checks signatures once more after the gate, by a clock of its own.
    bolt_time = patch.object(BoltClock, "now", lambda _: time.instant.timestamp())
    try:
        async with serve(house.asgi, sock):
            bolt_time.start()
            await house.start()
            try:
                if slack_answers:
                    await story.until_ready()
                yield story
            finally:
                bolt_time.stop()
                await house.stop()
    finally:
        await sandbox.stop()
        runtime.close()


@cache
def _compiled(text: str, day: date) -> tuple[Agreement, str]:
    """Reading the YAML takes longer than all the rest of a start; stories with one text share what came of it."""
    return agreement_from_text(text, Clock(lambda: datetime.combine(day, dt_time(12), UTC)))


def _open(database_url: str, time: Frozen, text: str) -> Runtime:
    """As `wiring.open_runtime` does, without compiling the same text again."""
    agreement, sha256 = _compiled(text, time.now().date())
    runtime = Runtime(Database(database_url), Clock(time.now), agreement)
    runtime.agreement = runtime.write_now(lambda work: apply_playbook(work, text, sha256))
    return runtime


def _meet(work: Work, workspace: Workspace) -> None:
    """What an earlier start found out about everybody."""
    for member in work.roster.by_id.values():
        person = workspace.person_by_email(member.email)
        if person is not None:
            dm = workspace.dm_id(person.user_id)
            people.save_person(
                work.conn, member.id, slack_user_id=person.user_id, slack_channel_id=dm
            )


def _config(agreement: Agreement, time: Frozen, url: str, name: str) -> SandboxConfig:
    folder = os.environ.get("BATON_RECORD_CALLS", "")
    channels = channels_of(agreement)
    return SandboxConfig(
        signing_secret=SIGNING_SECRET,
        events_url=f"{url}/slack/events",
        intake_url=f"{url}/leads",
        intake_secret=INTAKE_SECRET,
        people=[*people_of(agreement), ZOE],
        # Anybody may join a public channel: Zoe reads marketing's.
        channels=[replace(c, members=(*c.members, ZOE.user_id)) for c in channels],
        clock=time,
        record_path=Path(folder) / f"{name}.jsonl" if folder else None,
        event_retry_delays=(0.0, 0.0, 0.0),
        real=lambda: time.instant.timestamp(),
    )
