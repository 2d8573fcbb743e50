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
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from bot.agreements import PlaybookFaulty as PlaybookFaulty
from bot.agreements import agreement_from_text as agreement_from_text
from bot.agreements import bring_in_force as bring_in_force
from bot.agreements import open_runtime as open_runtime
from bot.agreements import stored_agreement
from bot.clock import elapsed
from bot.domain.agreement import Role
from bot.domain.retention import Retention
from bot.gateways.slack import Identity, SlackFailure, SlackGateway
from bot.gateways.webhook_out import WebhookReceiver
from bot.joining import Joined
from bot.overseeing import SILENT, Overseer
from bot.services.deliver import Deliverer
from bot.services.deliver_hooks import HookDeliverer
from bot.services.doubt_rules import DoubtWaits
from bot.services.follow_delivery import after_failure, after_sent
from bot.services.keep_house import Housekeeping
from bot.services.keep_watch import Presence, Watch, look_after
from bot.services.pacing import Limits
from bot.services.present import render_row
from bot.services.resolve_people import resolve_people
from bot.services.runtime import Runtime
from bot.services.settle_doubts import DoubtSettler
from bot.services.spot_erased import Erased
from bot.services.work import Work
from bot.settings import Settings, secret_bytes
from handlers import http
from handlers.desk import Desk
from handlers.gate import Gate
from handlers.signatures import SenderKeys
from handlers.slack_app import build_slack_app
from handlers.socket_mode import SocketMode
from handlers.ticks import Ticker
from storage import deliveries, hooks, leads

log = logging.getLogger(__name__)

RESOLVE_EVERY = 60.0
RETRY_SLACK = 2.0
#: Out of reach it is asked less and less often: whatever is wrong, a person has to mend it.
SLOWEST_RETRY = 20.0
FIRST_RETRY = 0.1
FOLLOW_EVERY = 2.0


@dataclass(frozen=True, slots=True)
class SlackAccess:
    """How Slack is reached and recognised. The demo fills it with the sandbox's.

    With `app_token` Slack comes in by Socket Mode, and its HTTP door stays shut, whatever the signing secret.
    """

    token: SecretStr
    signing_secret: SecretStr
    api_url: str
    app_token: SecretStr | None = None


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
        spacing: timedelta | None = None,
        doubt_waits: DoubtWaits = DoubtWaits(),  # noqa: B008 - frozen
    ) -> None:
        self.runtime = runtime
        self.gateway = SlackGateway(access.token.get_secret_value(), access.api_url)
        self.identity: Identity | None = None
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self._web, self._worker = web, worker
        self._resolved = False
        self._parked = 0
        self._loops: list[asyncio.Task[None]] = []
        self._leaving: asyncio.Task[None] | None = None
        self._housekeeping: Housekeeping | None = None
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
            limits=Limits() if spacing is None else Limits.of_a_stand_in(spacing),
            doubt_waits=doubt_waits,
        )
        self.settler = DoubtSettler(
            database=runtime.database,
            gateway=self.gateway,
            settlement=self.deliverer.settlement,
            render=render_row,
            make_work=runtime.make_work,
            clock=runtime.clock,
            run_in_thread=runtime.call,
            worker=self.name,
            waits=doubt_waits,
        )
        runtime.tells_crm = bool(settings.webhook_url)
        runtime.retention = Retention.of_days(*settings.keep_days)
        if settings.erasure_key is not None:
            runtime.erased = Erased(settings.erasure_key.get_secret_value())
        self._forgets = _Forgets(runtime)
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
        role = "run" if web and worker else "worker" if worker else "web"
        me = Presence(self.name, role)
        self.joined = Joined(runtime, self.gateway, me, worker=worker)
        self.overseer = Overseer(
            settings,
            runtime,
            self.gateway,
            me,
            worker=worker,
            trouble=lambda: self.deliverer.trouble,
        )
        self.ticker = Ticker(runtime, worker=me, on_watch=self._watched)
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
        health = http.Health(self._alive, self._ready, self._reached, self._stands)
        by_http = slack if web and not by_socket else None
        routes = http.routes(runtime, by_http, health)
        app = Starlette(
            routes=[*routes, self.overseer.metrics.route(), *more_routes], lifespan=self._lifespan
        )
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
        self.joined.start()
        self.overseer.start()
        self._loops.append(asyncio.create_task(self._meet_slack()))
        if self._housekeeping is not None:
            self._loops.append(asyncio.create_task(self._housekeeping.run()))
        if self._worker:
            self._loops.append(asyncio.create_task(self.deliverer.run()))
            self._loops.append(asyncio.create_task(self.settler.run()))
            if self.hooks is not None:
                self._loops.append(asyncio.create_task(self.hooks.run()))
            self.ticker.start()
        else:
            self._loops.append(asyncio.create_task(self._follow_playbook()))

    def look_after(self, housekeeping: Housekeeping) -> None:
        """Have this run beside the work, and heard by health; before `start()`."""
        self._housekeeping = housekeeping

    async def leave(self) -> None:
        """Take up no more work. What is claimed and not on its way goes back at once, sends in flight get time to end;
        requests that are in hand are still answered."""
        if self._leaving is None:
            self._leaving = asyncio.create_task(self._leave())
        await asyncio.shield(self._leaving)

    async def _leave(self) -> None:
        self.ticker.stop()
        parts = [self.deliverer.stop(), self.settler.stop(8.0), self.joined.stop()]
        parts += [part.stop() for part in (self.socket, self.hooks) if part is not None]
        for failed in await asyncio.gather(*parts, return_exceptions=True):
            if failed is not None:
                log.error("not stopped in order", exc_info=failed)

    async def stop(self) -> None:
        """Stop listening and ringing, let sends in flight end, close."""
        await self.leave()
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        if self._housekeeping is not None:
            await self._housekeeping.stop()
        await self.overseer.stop()
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
        while self._leaving is None:
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
        unattended += self._housekeeping.faults() if self._housekeeping is not None else []
        unattended += self.overseer.faults()
        if not self._worker or unattended:
            return unattended
        ticked = self.ticker.ticked_at
        if ticked is None or elapsed() - ticked > SILENT.total_seconds():
            return [f"No tick has ended for {SILENT.seconds} seconds: timers do not fire."]
        if self._parked:
            return [f"{self._parked} timers failed again and again and were parked: see the log."]
        return []

    async def _stands(self) -> list[str]:
        """As `_ready`, and the database is asked."""
        return await self.overseer.reachable() or await self._ready()

    async def _ready(self) -> list[str]:
        """Whether leads can be taken: without anybody found in Slack, nobody could be offered one."""
        if self._housekeeping is not None and (faults := self._housekeeping.faults()):
            return faults
        if not self._resolved:
            self._resolved = await self.runtime.read(_knows_a_rep)
        looking = [] if self._resolved else ["Baton is still looking up people in Slack."]
        return looking + await self._forgets.faults()

    def _reached(self) -> list[str]:
        """Whether clicks arrive. Leads are taken all the same: their cards wait in the outbox."""
        unknown = [] if self.identity is not None else ["Slack has not said yet who we are."]
        lines = self.socket.faults() if self.socket is not None else []
        house = self._housekeeping.warnings() if self._housekeeping is not None else []
        return [*unknown, *lines, *self.joined.time.faults(), *house]


class _Forgets:
    """Whether people who were erased could be known again: else no leads are taken. Asked once a second at most."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._faults: list[str] = []
        self._asked_at: datetime | None = None

    async def faults(self) -> list[str]:
        """The sentence for `/readyz`, or nothing."""
        real = self._runtime.clock.real()
        if self._asked_at is None or abs(real - self._asked_at) >= timedelta(seconds=1):
            trouble = await self._runtime.read(lambda work: work.erased.trouble(work.conn))
            self._faults, self._asked_at = [trouble] if trouble else [], real
        return self._faults


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
