"""The one place where objects are made and joined. Nothing is built at import.

`House` is a whole Baton: web side, worker side or both. What is not here: sockets and signals (`serving`), the
sandbox (`demo`).
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

from pydantic import SecretStr
from sqlalchemy.exc import IntegrityError
from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from bot.clock import Clock
from bot.domain.agreement import Agreement, Role
from bot.gateways.slack import Identity, SlackFailure, SlackGateway
from bot.gateways.webhook_out import WebhookReceiver
from bot.playbook.loading import Fault, load_playbook
from bot.services.apply_playbook import apply_playbook, version_in_force
from bot.services.deliver import Deliverer
from bot.services.deliver_hooks import HookDeliverer
from bot.services.follow_delivery import after_failure, after_sent
from bot.services.keep_watch import Watch, look_after
from bot.services.present import render_row
from bot.services.resolve_people import resolve_people
from bot.services.runtime import Runtime
from bot.services.work import Work
from bot.settings import Settings, secret_bytes
from handlers import http
from handlers.desk import Desk
from handlers.gate import Gate
from handlers.signatures import SenderKeys
from handlers.slack_app import build_slack_app
from handlers.socket_mode import SocketMode
from handlers.ticks import Ticker
from storage import deliveries, hooks, leads, playbooks
from storage.database import Database

log = logging.getLogger(__name__)

#: Health turns red when no tick ended for this long.
TICK_STALE = timedelta(seconds=30)
RESOLVE_EVERY = 60.0
RETRY_SLACK = 2.0
#: Out of reach it is asked less and less often: whatever is wrong, a person has to mend it.
SLOWEST_RETRY = 20.0
FIRST_RETRY = 0.1
FOLLOW_EVERY = 2.0


class PlaybookFaulty(Exception):
    """No usable playbook: `faults` names every fault with its line."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(str(f) for f in faults))
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class SlackAccess:
    """How Slack is reached and recognised. The demo fills it with the sandbox's.

    With `app_token` Slack comes in by Socket Mode, and its HTTP door stays shut, whatever the signing secret.
    """

    token: SecretStr
    signing_secret: SecretStr
    api_url: str
    app_token: SecretStr | None = None


def agreement_from_text(text: str, clock: Clock) -> tuple[Agreement, str]:
    """The compiled playbook and the text's hash. Raises `PlaybookFaulty`."""
    result = load_playbook(text, today=clock.business().date())
    if result.agreement is None:
        raise PlaybookFaulty(result.faults)
    return result.agreement, result.sha256


def bring_in_force(runtime: Runtime, text: str) -> Agreement:
    """Compile `text` and make it the version in force unless it is already."""
    agreement, sha256 = agreement_from_text(text, runtime.clock)

    def apply(work: Work) -> Agreement:
        version = version_in_force(work.conn, sha256)
        if version is not None:
            return replace(agreement, version=version)
        work.agreement = agreement
        return apply_playbook(work, text, sha256)

    runtime.agreement = agreement
    try:
        runtime.agreement = runtime.write_now(apply)
    except IntegrityError:  # another process put it in force at the same moment: now it is
        runtime.agreement = runtime.write_now(apply)
    return runtime.agreement


def stored_agreement(database: Database, clock: Clock) -> Agreement | None:
    """The last good version as stored, when there is one that still compiles."""
    with database.read() as conn:
        newest = playbooks.newest_playbook(conn)
    if newest is None:
        return None
    result = load_playbook(newest.body, today=clock.business().date())
    if result.agreement is None:
        log.error(
            "the stored playbook does not compile any more", extra={"version": newest.version}
        )
        return None
    return replace(result.agreement, version=newest.version)


def _older_version(database: Database, sha256: str) -> int | None:
    """The version that this text is, when another one is in force."""
    with database.read() as conn:
        if version_in_force(conn, sha256) is not None:
            return None
        return playbooks.version_of(conn, sha256)


def open_runtime(
    database: Database, clock: Clock, playbook_text: str | None, *, movable_clock: bool = False
) -> Runtime:
    """A runtime with an agreement in force. A faulty file leaves the last good version; none at all: PlaybookFaulty.

    A file that was in force before leaves it, too: somebody put a newer version in force, and a start is no reason
    to go back. `baton playbook apply` does.
    """
    stored = stored_agreement(database, clock)
    older: int | None = None
    faults: PlaybookFaulty | None = None
    first: Agreement | None = stored
    if playbook_text is not None:
        try:
            first, sha256 = agreement_from_text(playbook_text, clock)
            older = _older_version(database, sha256) if stored is not None else None
        except PlaybookFaulty as faulty:
            faults = faulty
    if first is None:
        raise faults or PlaybookFaulty(())
    runtime = Runtime(database, clock, stored or first, movable_clock=movable_clock)
    if older is not None:
        log.warning(
            "the playbook's file is version %d, version %d stays in force: set BATON_PLAYBOOK to the file that was "
            "applied, or go back by: baton playbook apply",
            older,
            runtime.agreement.version,
        )
    elif playbook_text is not None and faults is None:
        bring_in_force(runtime, playbook_text)
    elif faults is not None:
        log.error("the playbook has faults; the last good version stays in force")
    return runtime


class House:
    """A running Baton. Use `asgi` behind a server; its lifespan starts and stops everything."""

    def __init__(
        self,
        settings: Settings,
        runtime: Runtime,
        access: SlackAccess,
        *,
        web: bool = True,
        worker: bool = True,
        more_routes: Sequence[BaseRoute] = (),
        around: Callable[[Starlette], AbstractAsyncContextManager[None]] | None = None,
        spacing: timedelta = timedelta(seconds=1),
    ) -> None:
        self.runtime = runtime
        self.gateway = SlackGateway(access.token.get_secret_value(), access.api_url)
        self.identity: Identity | None = None
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self._web, self._worker = web, worker
        self._resolved = False
        self._parked = 0
        self._loops: list[asyncio.Task[None]] = []
        self.deliverer = Deliverer(
            database=runtime.database,
            gateway=self.gateway,
            render=render_row,
            make_work=runtime.make_work,
            clock=runtime.clock,
            run_in_thread=runtime.call,
            after_sent=after_sent,
            after_failure=after_failure,
            worker=self.name,
            spacing=spacing,
        )
        runtime.tells_crm = bool(settings.webhook_url)
        self._receiver = _receiver_of(settings) if worker else None
        self.hooks: HookDeliverer | None = None
        if self._receiver is not None:
            self.hooks = HookDeliverer(
                database=runtime.database,
                receiver=self._receiver,
                make_work=runtime.make_work,
                clock=runtime.clock,
                run_in_thread=runtime.call,
                worker=self.name,
                on_notice=self.deliverer.wake,
            )
            runtime.wakers.hooks = self.hooks.wake
        self._around = around
        self.ticker = Ticker(runtime, worker=self.name, on_watch=self._watched)
        runtime.wakers.delivery = self.deliverer.wake
        runtime.wakers.tick = self.ticker.wake
        desk = Desk(runtime, self.gateway, lambda: self.identity.team_id if self.identity else "")
        slack = build_slack_app(
            desk,
            signing_secret=access.signing_secret.get_secret_value(),
            bot_user_id=lambda: self.identity.user_id if self.identity else "",
            bot_id=lambda: self.identity.bot_id if self.identity else "",
        )
        by_socket = access.app_token is not None
        self.socket: SocketMode | None = None
        if access.app_token is not None and web:
            self.socket = SocketMode(
                slack,
                access.app_token.get_secret_value(),
                base_url=access.api_url,
                alone=runtime.database.is_sqlite,
            )
        health = http.Health(alive=self._alive, ready=self._ready, reached=self._reached)
        by_http = slack if web and not by_socket else None
        routes = http.routes(runtime, by_http, health)
        app = Starlette(routes=[*routes, *more_routes], lifespan=self._lifespan)
        self.asgi: ASGIApp = Gate(
            app,
            clock=runtime.clock,
            senders=SenderKeys.of(
                [
                    (c.name, secret_bytes(c.secret.get_secret_value()))
                    for c in settings.intake_secrets
                ],
                [(c.name, c.secret.get_secret_value()) for c in settings.intake_tokens],
            ),
            slack_signing_secret="" if by_socket else access.signing_secret.get_secret_value(),
        )

    async def start(self) -> None:
        """Open the way to Slack and start the loops of this process's roles."""
        await self.gateway.open()
        if self._worker and self.runtime.database.is_sqlite:
            # One worker to a file, its lock says so: whoever had messages in flight was killed.
            await self.runtime.write(
                lambda work: (
                    deliveries.end_leases_of_the_dead(work.conn, real=work.real),
                    hooks.end_leases_of_the_dead(work.conn, real=work.real),
                )
            )
        self._loops.append(asyncio.create_task(self._meet_slack()))
        if self._worker:
            self._loops.append(asyncio.create_task(self.deliverer.run()))
            if self.hooks is not None:
                self._loops.append(asyncio.create_task(self.hooks.run()))
            self.ticker.start()
        else:
            self._loops.append(asyncio.create_task(self._follow_playbook()))

    async def stop(self) -> None:
        """Stop listening and ringing, let sends in flight end, close."""
        if self.socket is not None:
            await self.socket.stop()
        self.ticker.stop()
        both = [self.deliverer.stop(), *([self.hooks.stop()] if self.hooks is not None else [])]
        await asyncio.gather(*both)
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        await self.runtime.drain(2.0)
        await self.gateway.close()
        if self._receiver is not None:
            await self._receiver.close()

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            if self._around is not None:
                await stack.enter_async_context(self._around(app))
            await self.start()
            stack.push_async_callback(self.stop)
            yield

    async def _meet_slack(self) -> None:
        """Learn who we are, then find everybody; again every minute for those who are missing."""
        retry, advised = FIRST_RETRY, False
        while True:
            again = RESOLVE_EVERY
            try:
                if self.identity is None:
                    self.identity = await self.gateway.auth_test()
                    if self.socket is not None:
                        # Not earlier: until we know our workspace every click is from another one.
                        self.socket.start()
                found = await resolve_people(self.runtime, self.gateway)
                self._resolved = True
                again = RETRY_SLACK if found.asked_in_vain else RESOLVE_EVERY
                retry = FIRST_RETRY
                self.deliverer.wake()
            except SlackFailure as failure:
                # Debug at first: in the demo this process is its own Slack, and answers a moment later.
                level = logging.WARNING if retry >= RETRY_SLACK else logging.DEBUG
                ask = "" if advised or level == logging.DEBUG else "; ask: baton doctor"
                advised = advised or bool(ask)
                why = str(failure)[:80] or type(failure).__name__
                log.log(level, "slack could not be reached: %s%s", why, ask)
                again, retry = retry, min(retry * 2, SLOWEST_RETRY)
            except Exception:
                log.exception("people could not be looked up")
                again = RETRY_SLACK
            await asyncio.sleep(again)

    async def _watched(self, watch: Watch) -> None:
        """Another process put a newer playbook in force: take it over."""
        self._parked = watch.parked
        if watch.playbook_version == self.runtime.agreement.version:
            return
        stored = await self.runtime.in_thread(
            lambda: stored_agreement(self.runtime.database, self.runtime.clock)
        )
        if stored is not None and stored.version == watch.playbook_version:
            self.runtime.agreement = stored

    async def _follow_playbook(self) -> None:
        """A process that does not tick looks for a newer playbook by itself."""
        while True:
            await asyncio.sleep(FOLLOW_EVERY)
            try:
                await self._watched(await self.runtime.read(look_after))
            except Exception:
                log.exception("the playbook in force could not be read")

    def _alive(self) -> list[str]:
        """Red when a worker's ticks stopped, or nobody looks after the connections to Slack."""
        unattended = self.socket.alive() if self.socket is not None else []
        if not self._worker or unattended:
            return unattended
        ticked = self.ticker.ticked_at
        if ticked is None or self.runtime.clock.real() - ticked > TICK_STALE:
            return ["No tick has ended for 30 seconds: timers do not fire."]
        if self._parked:
            return [f"{self._parked} timers failed again and again and were parked: see the log."]
        return []

    async def _ready(self) -> list[str]:
        """Whether leads can be taken: without anybody found in Slack, nobody could be offered one."""
        if not self._resolved:
            self._resolved = await self.runtime.read(_knows_a_rep)
        return [] if self._resolved else ["Baton is still looking up people in Slack."]

    def _reached(self) -> list[str]:
        """Whether clicks arrive. Leads are taken all the same: their cards wait in the outbox."""
        unknown = [] if self.identity is not None else ["Slack has not said yet who we are."]
        return unknown + (self.socket.faults() if self.socket is not None else [])


def _receiver_of(settings: Settings) -> WebhookReceiver | None:
    if not settings.webhook_url or settings.webhook_secret is None:
        return None
    return WebhookReceiver(settings.webhook_url, settings.webhook_secret.get_secret_value())


def _knows_a_rep(work: Work) -> bool:
    """An earlier start found them: a Slack that is down now is no reason to turn leads away.

    While the first start is still asking, the few found so far would get every lead: until all have been asked,
    one is enough only where leads came before.
    """
    reps = [m for m in work.roster.by_id.values() if Role.REP in m.roles]
    if all(m.reachable or m.row.resolve_error for m in reps):
        return bool(reps)
    return any(m.reachable for m in reps) and leads.has_any(work.conn)
