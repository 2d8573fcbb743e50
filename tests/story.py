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
person sees and clicks (`tests.story_screen`), what is stored (`tests.story_rows`), the start (`tests.story_house`).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import aiohttp

from bot.domain.agreement import Agreement
from bot.wiring import House, bring_in_force
from sandbox.app import Sandbox
from sandbox.dispatch import Answer, webhook_signature
from sandbox.model import BOT_USER_ID, Message, View
from sandbox.workspace import Workspace
from tests.story_rows import Frozen, Rows, next_step, vienna
from tests.story_screen import Form, Home, Shown, click_payload, words_of

SIGNING_SECRET = "story-signing-secret"
INTAKE_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MOST_STEPS = 400
SETTLED_AFTER = 40


class Story(Rows):
    """A whole Baton with its workspace. Made by `tests.story_house.story_of`."""

    def __init__(
        self, house: House, sandbox: Sandbox, time: Frozen, url: str, playbook: str
    ) -> None:
        self.house = house
        self.sandbox = sandbox
        self.time = time
        self.url = url
        self._taken: set[tuple[str, str]] = set()
        self._settling = asyncio.Lock()
        self._text = playbook

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
            now = self.time.instant
            step = self.house.runtime.read_now(lambda work: next_step(work, now))  # noqa: B023
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

    async def settle(self) -> None:
        """Let Baton do all that it has to do at this instant."""
        async with self._settling:
            for _ in range(SETTLED_AFTER):
                await self.house.runtime.drain(5)
                fired = await self.house.ticker.tick()
                await self.house.runtime.drain(5)  # what the tick began beside itself
                sent = await self.house.deliverer.drain()
                sent += await self.house.settler.drain()
                if not fired and not sent:
                    return
            raise AssertionError("Baton does not come to rest")

    # ------------------------------------------------------------ leads

    async def lead_arrives(
        self, company: str, *, at: str = "", source: str = "webinar", **fields: Any
    ) -> dict[str, Any]:
        """A signed lead; the result of its one item. Missing fields are made up from `company`."""
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
