"""`baton demo-history`: a month of made-up history through the real program, then the demo opened on it.

House and workspace stand joined as in the demo: leads and activities come in over HTTP, messages go out over the Web
API. Nothing but the time is made easy. Kept in a folder of its own. What is not here: how the month passes
(`demo_month`), the leads (`demo_export`), the people (`demo_reps`).
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import httpx
from pydantic import SecretStr

from bot.agreements import agreement_from_text, open_runtime
from bot.clock import Clock
from bot.demo import channels_of, demo_secrets, only_near, people_of, record_path, serve_demo
from bot.demo_export import make_leads, read_export
from bot.demo_home import demo_database_url, forget_demo
from bot.demo_month import (
    ENDS_AT,
    FIRST,
    LAST,
    Month,
    StandingClock,
    changes_of,
    playbook_on,
)
from bot.demo_reps import Play
from bot.domain.agreement import Agreement
from bot.logs import configure_logging
from bot.services.keep_watch import Presence, beat
from bot.services.runtime import Runtime
from bot.services.work import Work
from bot.serving import CannotServe, bound, worker_lock
from bot.settings import Credential, Settings
from bot.wiring import House, SlackAccess
from sandbox.app import Sandbox, SandboxConfig, create_sandbox
from sandbox.config import DEFAULT_BOT_TOKEN, UnsafeSandbox
from sandbox.model import Person, hashed_id
from sandbox.server import free_socket, serve
from storage import playbooks
from storage.database import Database
from storage.schema import migrate

HOME: Final = Path("var/history")
SAMPLES: Final = Path(__file__).parents[1] / "samples"
PLAYBOOK: Final = SAMPLES / "history.playbook.yaml"
#: Baton looks everybody up in Slack before it takes leads (real seconds).
_STARTING: Final = 30.0


@dataclass(frozen=True, slots=True)
class History:
    """What is to be made. `leads`: how many; the same `seed` makes the same month. `last`: its last day."""

    leads: int = 600
    export: Path = SAMPLES / "leads.csv"
    map_path: Path = SAMPLES / "leads.map.yaml"
    seed: int = 1
    home: Path = HOME
    last: date = LAST


def serve_history(
    settings: Settings, history: History, *, make: bool = True, stay: bool = True
) -> int:
    """Make the month (unless it is there and `make` is off), then serve the demo on it (unless `stay` is off).

    Raises `CannotServe`, `ExportFault`.
    """
    if settings.slack_bot_token is not None:
        raise CannotServe(
            "The demo does not start beside a real Slack token: unset SLACK_BOT_TOKEN."
        )
    if "DATABASE_URL" in os.environ:
        raise CannotServe("The history is kept in a file of its own: unset DATABASE_URL.")
    configure_logging("WARNING")
    ours = settings.model_copy(update={"playbook": PLAYBOOK})
    if make:
        with bound(settings, "make demo-history"):
            pass  # said before it is made, not a minute later
        try:
            make_history(ours, history)
        except UnsafeSandbox as unsafe:
            raise CannotServe(str(unsafe)) from None
    elif not (history.home / "baton.db").is_file():
        raise CannotServe(f"No history was made in {history.home} yet: make demo-history")
    _tell_places(ours)
    return serve_demo(ours, history.home, anew="make demo-history") if stay else 0


def make_history(settings: Settings, history: History) -> None:
    """Make the month in its folder; what was there of an earlier one is deleted."""
    text = PLAYBOOK.read_text(encoding="utf-8")
    rows = read_export(history.export, history.map_path)
    history.home.mkdir(parents=True, exist_ok=True)
    # Whatever happens to the machine meanwhile: it can be made again.
    database = Database(demo_database_url(history.home), durable=False)
    with worker_lock(database):
        forget_demo(history.home)
        migrate(database)
        clock = StandingClock(datetime(2026, 1, 1, tzinfo=UTC))
        # Before the first lead; people have time to be looked up.
        first, _ = agreement_from_text(playbook_on(FIRST, text), Clock(clock.now))
        zone = ZoneInfo(first.timezone)
        clock.instant = datetime.combine(FIRST, time(), zone).astimezone(UTC)
        leads = make_leads(
            rows, history.leads, first=FIRST, last=history.last, zone=zone, seed=history.seed
        )
        _say(
            f"{history.leads} leads of {history.export.name} ({len(rows):,} rows) from {FIRST} to {history.last}, "
            f"{sum(len(team.members) for team in first.teams.values())} reps in {len(first.teams)} teams:"
        )
        play = Play({str(lead.body["external_id"]): lead.fate for lead in leads}, history.seed)
        runtime = open_runtime(database, Clock(clock.now), playbook_on(FIRST, text))
        last_day = datetime.combine(history.last, time(), zone).astimezone(UTC)
        end = datetime.combine(history.last, ENDS_AT, zone).astimezone(UTC)
        try:

            async def pass_by() -> None:
                async with _running(settings, runtime, clock, history, text) as (
                    house,
                    sandbox,
                    client,
                ):
                    month = Month(house, clock, client, leads, play, text, _say)
                    await month.pass_by(last_day)
                    _read_all(sandbox)
                    await month.pass_by(end)
                    month.tell()

            asyncio.run(pass_by())
            runtime.write_now(lambda work: _lead_over(work, end))
        finally:
            runtime.close()


def _lead_over(work: Work, end: datetime) -> None:
    """From now on the demo's clock goes on from the month's end, and Baton was never down."""
    real = Clock().real()
    playbooks.move_offset(work.conn, int((end - real).total_seconds()))
    work.real = real
    beat(work, Presence("history", "run"))


def _read_all(sandbox: Sandbox) -> None:
    """Everybody has read what came before the last day: what is new stands out."""
    workspace = sandbox.workspace
    for channel in list(workspace.channels.values()):
        for user_id in channel.members:
            workspace.mark_read(user_id, channel.id)


@asynccontextmanager
async def _running(
    settings: Settings, runtime: Runtime, clock: StandingClock, history: History, text: str
) -> AsyncIterator[tuple[House, Sandbox, httpx.AsyncClient]]:
    """House and workspace, joined on a port of their own, and a client who may post leads and activities."""
    sock = free_socket()
    url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    signing, intake = demo_secrets(history.home)
    sandbox = _sandbox(runtime.agreement, clock, history, text, url, signing, intake)
    token = secrets.token_hex(16)
    only = {
        "intake_secrets": (),
        "intake_tokens": (Credential("history", SecretStr(token)),),
        **only_near(settings),
    }
    house = House(
        settings.model_copy(update=only),
        runtime,
        SlackAccess(SecretStr(DEFAULT_BOT_TOKEN), SecretStr(signing), f"{url}/api/"),
        worker=False,  # the month itself ticks and delivers
        more_routes=sandbox.routes,
        spacing=timedelta(0),
    )
    await sandbox.start()
    try:
        async with (
            serve(house.asgi, sock),
            httpx.AsyncClient(
                base_url=url,
                headers={"Authorization": f"Bearer {token}"},
                trust_env=False,
                timeout=60,
            ) as client,
        ):
            await house.start()
            try:
                await _until_ready(client)
                yield house, sandbox, client
            finally:
                await house.stop()
    finally:
        await sandbox.stop()


def _sandbox(
    agreement: Agreement, clock: StandingClock, history: History, text: str, url: str,
    signing: str, intake: str,
) -> Sandbox:  # fmt: skip
    """A workspace with everybody in it who was there at any time of the month."""
    people: dict[str, Person] = {}
    texts = [playbook_on(day, text) for day in changes_of(text)]
    found = [agreement, *(agreement_from_text(each, Clock(clock.now))[0] for each in texts)]
    for each in found:
        people |= {person.email: person for person in people_of(each)}
    return create_sandbox(
        SandboxConfig(
            signing_secret=signing,
            events_url=f"{url}/slack/events",
            intake_url=f"{url}/leads",
            intake_secret=intake,
            people=list(people.values()),
            channels=channels_of(found[-1]),
            clock=clock,
            team_name=agreement.company,
            state_path=history.home / "workspace.db",
            record_path=record_path("history"),
            real=lambda: clock.instant.timestamp(),
        )
    )


async def _until_ready(client: httpx.AsyncClient) -> None:
    said = ""
    for _ in range(int(_STARTING / 0.05)):
        answer = await client.get("/readyz")
        if answer.status_code == httpx.codes.OK:
            return
        said = answer.text[:300]
        await asyncio.sleep(0.05)
    raise CannotServe(f"The house does not get ready: {said}")


def _tell_places(settings: Settings) -> None:
    """Where the posts stand, for whoever opens the page."""
    text = PLAYBOOK.read_text(encoding="utf-8")
    agreement, _ = agreement_from_text(text, Clock())
    people = {person.email: person for person in people_of(agreement)}
    page = f"http://{settings.host}:{settings.port}/"
    team = next(iter(agreement.teams.values()))

    def dm(email: str) -> str:
        at = hashed_id("D0", people[email].user_id, length=8)
        return f"{page}?as={email}&at={at}"

    _say("\n  What to look at:")
    for what, where in (
        ("reports of the week, boards, the end", f"{page}?as={team.manager}&at={agreement.reports.channel}"),
        ("a manager's mornings and escalations", dm(team.manager)),
        ("the month in a line, for a signer", dm(agreement.signer_sales)),
        ("a rep: cards, the question, /leaderboard", dm(team.members[0])),
        ("what came back to marketing", f"{page}?as={agreement.marketing.members[0]}&at={agreement.marketing.channel}"),
    ):  # fmt: skip
        _say(f"  {what + ':':41} {where}")


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - how far it is is this command's output
