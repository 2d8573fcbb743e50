"""The demo: Baton on SQLite beside the sandbox workspace, in one process, over real Socket Mode and HTTP on loopback.

The only module of the product that imports `sandbox`. What is not here: the story it tells first (`demo_story`).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import SecretStr
from starlette.applications import Starlette

from bot.demo_home import demo_database_url, demo_home, forget_demo
from bot.demo_story import begin_at, tell_story
from bot.domain.agreement import Agreement
from bot.logs import configure_logging
from bot.services.doubt_rules import DoubtWaits
from bot.services.move_lead import REDRAW_STEP
from bot.services.runtime import Runtime
from bot.services.work import Work
from bot.serving import CannotServe, bound, make_runtime, run_server, worker_lock
from bot.settings import Credential, Settings
from bot.wiring import House, SlackAccess
from sandbox.app import Sandbox, SandboxConfig, create_sandbox
from sandbox.config import DEFAULT_APP_TOKEN, DEFAULT_BOT_TOKEN, UnsafeSandbox
from sandbox.model import Channel, Person
from storage import clocks, occasions, outbox, playbooks
from storage.database import Database
from storage.schema import migrate

#: Many steps at most in one move of the clock: a move must end.
MOST_STEPS = 500
CHANNEL_NAMES = {"marketing": "lead-review"}


class MovableClock:
    """Business time as the page moves it: step by step, so that everything happens when it is due."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._moving = asyncio.Lock()
        self.house: House | None = None

    def now(self) -> datetime:
        """Business time."""
        return self._runtime.clock.business()

    def next_step_at(self) -> datetime | None:
        """The next armed timer, or message that waits for an opening."""
        return self._runtime.read_now(next_step)

    async def advance(self, seconds: int) -> None:
        """Move forward, stopping at each step on the way, as time would."""
        async with self._moving:
            target = self.now() + timedelta(seconds=seconds)
            for _ in range(MOST_STEPS):
                await self._settle()
                step = self.next_step_at()
                if step is None or step >= target:
                    break
                await self._move_to(step)
            await self._move_to(target)
            await self._settle()

    async def _move_to(self, at: datetime) -> None:
        # One second more than the rest of this one: a step is due at its instant, not before.
        seconds = max(0, int((at - self.now()).total_seconds()) + 1)
        if seconds:
            offset = await self._runtime.write(
                lambda work: playbooks.move_offset(work.conn, seconds)
            )
            self._runtime.clock.set_offset(timedelta(seconds=offset))

    async def _settle(self) -> None:
        if self.house is None:
            return
        await self.house.ticker.tick()
        for _ in range(50):
            await self.house.deliverer.drain()
            if not await self._runtime.read(lambda work: outbox.count_due(work.conn, work.now)):
                return
            await asyncio.sleep(0.05)


def next_step(work: Work) -> datetime | None:
    """When something happens next by itself."""
    timer = clocks.next_timer(work.conn, work.now, but=REDRAW_STEP)
    shown = outbox.next_shown_at(work.conn, work.now)
    occasion = occasions.next_due_at(work.conn, work.now)
    times = [t for t in (timer.due_at if timer else None, shown, occasion) if t is not None]
    return min(times, default=None)


def serve_demo(
    settings: Settings, home: Path | None = None, *, fresh: bool = False, anew: str = "make fresh"
) -> int:
    """`baton demo`, and `baton run` without Slack tokens. `fresh`: what happened before is forgotten. `anew`: the
    command that begins from nothing, for the welcome."""
    home = home or demo_home()
    if settings.slack_bot_token is not None:
        raise CannotServe(
            "The demo does not start beside a real Slack token: unset SLACK_BOT_TOKEN."
        )
    way = os.environ.get("BATON_DEMO_SLACK", "") or "socket"
    if way not in ("socket", "http"):
        raise CannotServe("BATON_DEMO_SLACK is either socket (Socket Mode, the default) or http.")
    if fresh and "DATABASE_URL" in os.environ:
        raise CannotServe("--fresh empties the demo's own database only: unset DATABASE_URL.")
    configure_logging("WARNING")
    home.mkdir(parents=True, exist_ok=True)
    database = _database(settings, home)
    with worker_lock(database), bound(settings, "make run") as sockets:
        if fresh:
            forget_demo(home)
        migrate(database)
        runtime = make_runtime(settings, database, movable_clock=True)
        try:
            start_in_hours(runtime)
            # An experiment wants an empty workspace: BATON_DEMO_STORY=off.
            story = os.environ.get("BATON_DEMO_STORY", "") != "off"
            demo = Demo(settings, runtime, home, story=story, by_http=way == "http")
            print(_welcome(settings, home, anew), flush=True)  # noqa: T201 - the address to open is this command's output
            return run_server(demo.asgi, sockets, date_header=False)
        except UnsafeSandbox as unsafe:
            raise CannotServe(str(unsafe)) from None
        finally:
            runtime.close()


def _database(settings: Settings, home: Path) -> Database:
    """The demo keeps to itself: its own file unless DATABASE_URL says otherwise."""
    if "DATABASE_URL" in os.environ:
        return Database(settings.database_url.get_secret_value())
    return Database(demo_database_url(home))


def _welcome(settings: Settings, home: Path, anew: str) -> str:
    url = f"http://{settings.host}:{settings.port}"
    return (
        "\n  Baton runs with a workspace of its own: no Slack, no tokens.\n\n"
        f"  Open     {url}/\n"
        f"  Leads    POST {url}/leads (signed; the page has a form)\n"
        f"  Health   {url}/healthz\n\n"
        f"  Ctrl+C stops it. What happened is kept in {home}; `{anew}` begins anew.\n"
    )


class Demo:
    """Baton and the sandbox joined: one ASGI app, one loop, everything between them over the network.

    As with the real Slack, clicks and commands come in by Socket Mode; `by_http`: as signed requests.
    """

    def __init__(
        self,
        settings: Settings,
        runtime: Runtime,
        home: Path | None,
        *,
        story: bool = True,
        by_http: bool = False,
    ) -> None:
        app_token = "" if by_http else DEFAULT_APP_TOKEN
        self.runtime = runtime
        self.clock = MovableClock(runtime)
        self._tells = story
        url = f"http://{settings.host}:{settings.port}"
        signing, intake = demo_secrets(home)
        self.sandbox: Sandbox = create_sandbox(
            SandboxConfig(
                signing_secret=signing,
                events_url=f"{url}/slack/events",
                intake_url=f"{url}/leads",
                intake_secret=intake,
                people=people_of(runtime.agreement),
                channels=channels_of(runtime.agreement),
                clock=self.clock,
                app_token=app_token,
                team_name=runtime.agreement.company,
                host=settings.host,
                state_path=home / "workspace.db" if home else None,
                record_path=record_path("demo"),
            )
        )
        credentials = (*settings.intake_secrets, Credential("sandbox", SecretStr(intake)))
        self.house = House(
            settings.model_copy(update={"intake_secrets": credentials, **only_near(settings)}),
            runtime,
            SlackAccess(
                SecretStr(DEFAULT_BOT_TOKEN),
                SecretStr(signing),
                f"{url}/api/",
                SecretStr(app_token) if app_token else None,
            ),
            more_routes=self.sandbox.routes,
            around=self._around,
            spacing=timedelta(milliseconds=30),
            # This Slack answers in milliseconds or not at all: what is in doubt can be looked up sooner.
            doubt_waits=DoubtWaits(look=timedelta(seconds=3), look_again=timedelta(seconds=30)),
        )
        self.clock.house = self.house
        self.asgi = self.house.asgi

    @asynccontextmanager
    async def _around(self, _: Starlette) -> AsyncIterator[None]:
        await self.sandbox.start()
        story = asyncio.create_task(self._story())
        try:
            yield
        finally:
            story.cancel()
            await self.sandbox.stop()

    async def _story(self) -> None:
        if self._tells:
            await tell_story(self.house, self.sandbox.workspace.post_lead, self.clock)


def only_near(settings: Settings) -> dict[str, object]:
    """The demo's leads are made up: only a receiver in our own network (by plain http) hears of them, no real CRM."""
    if settings.webhook_url.startswith("http://"):
        return {}
    return {"webhook_url": "", "webhook_secret": None}


def start_in_hours(runtime: Runtime) -> None:
    """The first start of a demo lands in office hours, so that the first card is there at once."""

    def move(work: Work) -> int:
        if playbooks.read_offset(work.conn) or clocks.next_due_at(work.conn) is not None:
            return playbooks.read_offset(work.conn)
        begin = begin_at(work.agreement, work.now)
        return playbooks.move_offset(work.conn, int((begin - work.now).total_seconds()))

    runtime.clock.set_offset(timedelta(seconds=runtime.write_now(move)))


def demo_secrets(home: Path | None) -> tuple[str, str]:
    """(signing secret, intake secret) of this demo; kept with it, so that a restart fits what was sent before."""
    seed = secrets.token_bytes(32)
    if home is not None:
        kept = home / "secret"
        if kept.exists():
            seed = kept.read_bytes()
        else:
            kept.touch(mode=0o600)
            kept.write_bytes(seed)
    signing = hashlib.sha256(b"signing" + seed).hexdigest()
    intake = hashlib.sha256(b"intake" + seed).digest()
    return signing, "whsec_" + base64.b64encode(intake).decode()


def people_of(agreement: Agreement) -> list[Person]:
    """Everybody of the playbook as a member of the workspace."""
    return [
        Person.of(p.email, p.name, _title(agreement, p.email), str(p.calendar.zone))
        for p in agreement.people.values()
    ]


def _title(agreement: Agreement, email: str) -> str:
    person = agreement.people[email]
    parts = [role.value for role in sorted(person.roles)]
    team = person.team or next(iter(t.name for t in agreement.teams_managed_by(email)), "")
    return ", ".join([*parts, *([team.upper()] if team else [])])


def channels_of(agreement: Agreement) -> list[Channel]:
    """Marketing's review channel and one for each team, with their members; those of posts, with all."""
    people = {p.email: p for p in people_of(agreement)}
    marketing = [*agreement.marketing.members, agreement.marketing.above]
    found = [
        Channel.of(
            agreement.marketing.channel,
            CHANNEL_NAMES["marketing"],
            [people[e] for e in dict.fromkeys(marketing) if e in people],
        )
    ]
    for team in agreement.teams.values():
        members = [*team.members, team.manager]
        found.append(
            Channel.of(
                team.channel, f"team-{team.name}", [people[e] for e in dict.fromkeys(members)]
            )
        )
    there = {channel.id for channel in found}
    posts = [agreement.reports.channel, *(terms.channel for terms in agreement.challenges)]
    for number, more in enumerate(dict.fromkeys(c for c in posts if c and c not in there)):
        name = f"sales-and-marketing-{number}" if number else "sales-and-marketing"
        found.append(Channel.of(more, name, people.values()))
    return found


def record_path(name: str) -> Path | None:
    """Where calls of Slack are recorded, when BATON_RECORD_CALLS names a folder."""
    folder = os.environ.get("BATON_RECORD_CALLS", "")
    if not folder:
        return None
    Path(folder).mkdir(parents=True, exist_ok=True)
    return Path(folder) / f"{name}-{os.getpid()}.jsonl"
