"""What looks after this process and the whole house: the watchdog, the second way, the heartbeat, metrics, health.

What is not here: what can be wrong (`bot.services.watch_house`), which parts a house has (`wiring`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from bot.clock import elapsed
from bot.gateways.alerts import AlertWays, Heartbeat, MailServer
from bot.gateways.slack import SlackBusy, SlackFailure, SlackGateway, SlackRefused
from bot.gateways.webhook_out import WebhookReceiver
from bot.logs import get_logger
from bot.services.keep_watch import Presence
from bot.services.meter import Seen
from bot.services.runtime import Runtime
from bot.services.tell_otherwise import OtherWay
from bot.services.watch_house import STALE, Watchdog, last_audit
from bot.settings import Settings
from handlers.metrics import Metrics
from storage.watching import Found

log = get_logger(__name__)

#: Health turns red when the database was not read, or no tick ended, for this long.
SILENT = timedelta(seconds=25)
#: Seconds: for a question to Slack, to the database.
_SLACK_SECONDS = 8.0
_DATABASE_SECONDS = 2.0

_OUTCOMES = {
    "SlackBusy": "busy",
    "SlackRefused": "refused",
    "SlackUnreachable": "unreachable",
    "SlackInDoubt": "doubt",
}


def alert_ways(settings: Settings) -> AlertWays:
    """The second way as the environment says; none of them when it says nothing."""
    mail = hook = None
    if settings.smtp_url is not None:
        mail = MailServer.of(settings.smtp_url.get_secret_value(), settings.alert_from)
    if settings.alert_url and settings.alert_secret is not None:
        hook = WebhookReceiver(settings.alert_url, settings.alert_secret.get_secret_value())
    return AlertWays(mail=mail, to=settings.alert_to, hook=hook)


class Overseer:
    """Between `start()` and `stop()`. `ways` is for whoever has something to tell when Slack cannot."""

    def __init__(
        self,
        settings: Settings,
        runtime: Runtime,
        gateway: SlackGateway,
        me: Presence,
        *,
        worker: bool,
        trouble: Callable[[], str] = lambda: "",
    ) -> None:
        """`trouble`: what keeps delivery from working."""
        self._runtime, self._gateway, self._worker, self._trouble = (
            runtime,
            gateway,
            worker,
            trouble,
        )
        self.ways = alert_ways(settings)
        self._pulse = (
            Heartbeat(settings.heartbeat_url) if settings.heartbeat_url and worker else None
        )
        token = settings.metrics_token
        self.metrics = Metrics(
            runtime,
            token=token.get_secret_value() if token is not None else "",
            about={
                "baton_clock_skew_seconds": (
                    "This process's clock minus the database server's", lambda: me.skew_ms / 1000
                ),
            },
        )  # fmt: skip
        runtime.meter = self.metrics.meter
        gateway.on_call = self._called
        self.watchdog = Watchdog(
            runtime, worker=me.name, ways=self.ways, pulse=self._pulse, troubles=self._troubles
        )
        self._other_way = OtherWay(
            runtime, self.ways, worker=me.name, is_down=lambda: bool(trouble()),
            link=lambda channel: settings.base_url or _slack_link(channel),
        )  # fmt: skip
        self._loops: list[asyncio.Task[None]] = []
        # Counted, not told: a clock that is set must not turn health red.
        self._since: float | None = None
        self._seen_at = 0.0
        self._audited_at: datetime | None = None

    def start(self) -> None:
        """Begin; needs the running loop."""
        self._since = self._seen_at = elapsed()
        self._loops.append(asyncio.create_task(self._look()))
        if self._worker:
            self._loops.append(asyncio.create_task(self.watchdog.run()))
            if self.ways.configured:
                self._loops.append(asyncio.create_task(self._other_way.run()))

    async def stop(self) -> None:
        """Look no more; a message that is on its way by mail ends by itself."""
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        await self.ways.close()
        if self._pulse is not None:
            await self._pulse.close()

    def faults(self) -> list[str]:
        """For `/healthz`: the database is silent, or nobody looks everything over."""
        real = self._runtime.clock.real()
        if self._since is None:
            return []
        if elapsed() - self._seen_at > SILENT.total_seconds():
            return [f"The database has not answered for {SILENT.seconds} seconds."]
        up = timedelta(seconds=elapsed() - self._since)
        unwatched = up if self._audited_at is None else min(up, real - self._audited_at)
        if self._worker and unwatched > STALE:
            minutes = int(unwatched.total_seconds() // 60)
            return [f"The watchdog has not looked everything over for {minutes} minutes."]
        return []

    async def reachable(self) -> list[str]:
        """For `/readyz`: whether the database answers now."""
        try:
            async with asyncio.timeout(_DATABASE_SECONDS):
                await self._runtime.read(last_audit)
        except Exception:
            return ["The database cannot be reached."]
        return []

    async def _look(self) -> None:
        """Ask the database every few seconds, also in processes that do nothing else with it."""
        while True:
            try:
                self._audited_at = await self._runtime.read(last_audit)
                self._seen_at = elapsed()
            except Exception as error:
                log.warning("database_not_read", error=type(error).__name__)
            await asyncio.sleep(5.0)

    async def _troubles(self) -> Sequence[Found]:
        """Whether Slack answers us and lets us in."""
        try:
            async with asyncio.timeout(_SLACK_SECONDS):
                await self._gateway.auth_test()
        except SlackRefused:
            return [Found("slack_refuses", "slack:token")]
        except SlackBusy:
            pass
        except (SlackFailure, TimeoutError):
            return [Found("slack_silent", "slack:api")]
        if self._trouble().startswith("Slack refuses"):
            return [Found("slack_refuses", "slack:sending")]
        return []

    def _called(self, method: str, outcome: str) -> None:
        outcome = _OUTCOMES.get(outcome, outcome)
        self._runtime.meter.see(Seen.SLACK_CALLED, 1, method.replace("_", "."), outcome)


def _slack_link(channel: str) -> str:
    """Opens a conversation in whatever Slack app somebody has (docs.slack.dev/interactivity/deep-linking)."""
    return f"https://slack.com/app_redirect?channel={channel}" if channel else ""
