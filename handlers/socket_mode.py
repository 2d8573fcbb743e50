"""Socket Mode: Slack's payloads come in over WebSockets that Baton opens, and reach the same Bolt app as over HTTP.

Two lines stand at a time. Slack sends each payload over any one of them, and ends each of them every few hours: the
next one is opened first. When to open is decided here and not by the SDK's client, which tries a used-up address for
ever, comes back at once however often it is sent away, and closes the old connection before the new one stands.

What can be known of a line: it is replaced when it ends, when Slack asks for it, and when it answers no ping. One that
answers pings and delivers nothing cannot be told from a quiet one; the other line, and Slack's own renewals, bound the
harm. What is not here: one line (`socket_line`), the listeners, ending the process when nothing helps: each try begins
anew with a fresh address, and leads are taken without Slack, so a restart would cost and bring nothing.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from weakref import WeakSet

import aiohttp
from slack_bolt.app.async_app import AsyncApp

from bot.gateways.slack import SlackBusy, SlackFailure, SlackGateway, SlackRefused
from bot.logs import get_logger
from handlers.socket_line import Line, Unwelcome

log = get_logger(__name__)

#: Slack allows ten for the whole app: room for five processes.
LINES = 2
#: All in seconds. A ping after `PULSE` of silence; half of it without an answer ends the line.
PULSE = 10.0
CONNECT_TIMEOUT = 10.0
#: Lines opened together would be renewed together: the second comes later.
STAGGER = 5.0
#: How long a replaced line still takes what Slack had sent over it already.
LINGER = 1.0
#: A line that lasted less, and brought nothing, counts as a failed try.
STEADY = 10.0
SLOWEST = 15.0
#: A refused token stays refused until somebody acts; an app with ten connections until one of them ends.
REFUSED_PAUSE = 60.0
CROWDED_PAUSE = 60.0
#: `/readyz` says nothing of a shorter gap, the log nothing loud.
SILENT = 30.0
WARN_AFTER = 5.0
#: Whoever was killed a moment ago may still be counted: connections are strangers when they are there twice.
RECOUNT = 60.0
RECOUNT_AGAIN = 600.0
#: The longest sleep of the keeper, and when it has stood still for too long.
TURN = 30.0
STUCK = 120.0

_CROWDED = "too_many_websockets"
_DISABLED = "link_disabled"
_RECOUNT = "recount"  # our own reason


class SocketMode:
    """Keeps `lines` connections to Slack open from `start()` to `stop()`. `base_url`: that of the Web API.

    `alone`: no other process of this installation opens any (SQLite), so that whatever Slack counts beyond our own
    belongs to another installation with the same app: `strangers`.
    """

    def __init__(
        self,
        app: AsyncApp,
        app_token: str,
        *,
        base_url: str,
        alone: bool = False,
        lines: int = LINES,
        pulse: float = PULSE,
    ) -> None:
        self._app = app
        self._token = app_token
        self._slack = SlackGateway("", base_url)
        self._alone = alone
        self._wanted = lines
        self._pulse = pulse
        self._session: aiohttp.ClientSession | None = None
        self._lines: list[Line] = []
        self._noted: WeakSet[Line] = WeakSet()  # those whose end is taken into account
        self._leaving: dict[asyncio.Task[None], Line] = {}
        self._keeper: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._failures = 0
        self._why = ""
        #: Times of the loop's clock.
        self._not_before = self._opened_at = self._seen = self._turned = 0.0
        self._warned_at = float("-inf")
        self._suspected_at: float | None = None
        self._recount_at: float | None = None
        #: The last line was sent away soon: being let in for a moment again and again is not being connected.
        self._sent_away = self._was_reached = False
        #: Connections of another installation that uses the same app, as of the last count.
        self.strangers = 0

    @property
    def connected(self) -> int:
        """Over how many lines Slack can reach us at this moment."""
        return sum(line.stands for line in self._lines)

    def faults(self) -> list[str]:
        """What `/readyz` has to say: nothing within the first 30 seconds without a connection."""
        found = []
        now = asyncio.get_running_loop().time()
        if not self._reached() and now - self._seen > SILENT:
            why = f" ({self._why})" if self._why else ""
            found.append(
                f"No Socket Mode connection for 30 seconds{why}: clicks and commands fail."
            )
        if self.strangers:
            found.append(
                f"Another installation uses the same Slack app ({self.strangers} connections are not ours): clicks "
                "that go there fail. Stop it, or give it an app of its own."
            )
        return found

    def alive(self) -> list[str]:
        """What `/healthz` has to say: only that nobody looks after the lines any more, which a restart mends."""
        if self._keeper is None:
            return []
        if self._keeper.done() or asyncio.get_running_loop().time() - self._turned > STUCK:
            return ["Nobody looks after the Socket Mode connections any more."]
        return []

    def start(self) -> None:
        """Begin to connect, in the background. Needs the running loop."""
        self._seen = self._turned = asyncio.get_running_loop().time()
        self._keeper = asyncio.create_task(self._keep_open(), name="socket mode")

    async def stop(self) -> None:
        """Answer what is in hand, then close."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
            self._keeper = None
        for line in self._lines:
            self._dismiss(line)
        self._lines = []
        await asyncio.gather(*self._leaving, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
        await self._slack.close()

    # ------------------------------------------------------------ the keeper

    async def _keep_open(self) -> None:
        await self._slack.open()
        # No time limit for a whole connection, none of the Web API's session.
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None))
        while True:
            self._turned = asyncio.get_running_loop().time()
            self._changed.clear()
            self._sweep()
            wait = self._due_in()
            if wait <= 0:
                await self._open_one(self._session)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(min(wait, TURN)):
                    await self._changed.wait()

    def _sweep(self) -> None:
        """Let go of what ended. What Slack only wants to end works until another stands in its place."""
        for line in list(self._lines):
            over = not line.stands
            if (over or line.goodbye) and line not in self._noted:
                self._note(line)
            if over or line.goodbye in (_CROWDED, _DISABLED):
                self._lines.remove(line)
                self._dismiss(line)
        reached = self._reached()
        if reached or self._was_reached:
            self._seen = asyncio.get_running_loop().time()
        self._was_reached = reached
        if any(line.age >= STEADY for line in self._lines):
            self._failures, self._sent_away = 0, False

    def _note(self, line: Line) -> None:
        """A line is over, or will be: one that lasted is replaced at once, one that did not is a failed try."""
        self._noted.add(line)
        self._why = _SAID.get(line.goodbye, line.goodbye)
        log.info("socket mode: a line ended", why=self._why or "it broke", lines=self.connected)
        if line.age >= STEADY or line.taken or line.goodbye == _RECOUNT:
            self._failures, self._sent_away = 0, False
            return
        self._failures += 1
        self._sent_away = True
        pause = _pause(self._failures)
        if line.goodbye == _CROWDED and any(not each.goodbye for each in self._lines):
            pause = CROWDED_PAUSE
        self._not_before = asyncio.get_running_loop().time() + pause

    def _due_in(self) -> float:
        """Seconds until a line is to be opened."""
        now = asyncio.get_running_loop().time()
        staying = [line for line in self._lines if not line.goodbye]
        if len(staying) >= self._wanted:
            if self._recount_at is None:
                return TURN
            if now < self._recount_at:
                return self._recount_at - now
            # Only a hello counts: renew the oldest line, as Slack itself does.
            self._recount_at = None
            staying[0].goodbye = _RECOUNT
            return 0.0
        wait = self._not_before - now
        if staying and len(staying) == len(self._lines):
            wait = max(wait, self._opened_at + STAGGER - now)
        return wait

    async def _open_one(self, session: aiohttp.ClientSession) -> None:
        line = Line(
            self._app, session, pulse=self._pulse,
            proxy=self._slack.client.proxy,  # on loopback none, whatever the environment says
            changed=self._changed.set,
        )  # fmt: skip
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await line.open(await self._slack.open_socket(self._token))
        except Exception as failure:  # whatever it was, coming back is all that helps
            await line.leave()
            self._failed(failure)
        except BaseException:
            await line.leave()
            raise
        else:
            self._opened_at = asyncio.get_running_loop().time()
            replaced = next((each for each in self._lines if each.goodbye), None)
            if replaced is not None:
                self._lines.remove(replaced)
                self._dismiss(replaced, LINGER)
            self._lines.append(line)
            self._count(line)
            log.info("socket mode: connected", lines=self.connected)

    def _failed(self, failure: Exception) -> None:
        now = asyncio.get_running_loop().time()
        self._failures += 1
        self._why = _reason(failure)
        pause = _pause(self._failures)
        if isinstance(failure, SlackBusy):
            pause = max(pause, failure.retry_after)
        elif isinstance(failure, SlackRefused):
            pause = REFUSED_PAUSE
        elif str(failure) == _CROWDED and self.connected:
            pause = CROWDED_PAUSE
        self._not_before = now + pause
        # A short gap is nothing to wake anybody for, and a long one needs no line in the log a second.
        refused = isinstance(failure, SlackRefused)
        loud = (refused or now - self._seen > WARN_AFTER) and not self.connected
        if loud and now - self._warned_at >= REFUSED_PAUSE:
            self._warned_at = now
            log.warning("socket mode: not connected", why=self._why, tries=self._failures)
        else:
            log.info("socket mode: not connected", why=self._why, tries=self._failures)

    def _count(self, line: Line) -> None:
        """Slack's hello says how many connections the app has: whose are they?"""
        if not self._alone:
            return
        ours = sum(each.stands for each in (*self._lines, *self._leaving.values()))
        others = max(0, line.counted - ours)
        now = asyncio.get_running_loop().time()
        if not others:
            self.strangers, self._recount_at, self._suspected_at = 0, None, None
            return
        if self._suspected_at is None:
            self._suspected_at = now
        if now - self._suspected_at < RECOUNT:
            self._recount_at = self._suspected_at + RECOUNT
            return
        self._recount_at = now + RECOUNT_AGAIN
        if not self.strangers:
            log.warning(
                "another installation uses the same Slack app: clicks go astray", connections=others
            )
        self.strangers = others

    def _reached(self) -> bool:
        """Whether Slack can reach us, and will in a moment."""
        return any(
            line.stands and (line.age >= STEADY or not self._sent_away) for line in self._lines
        )

    def _dismiss(self, line: Line, linger: float = 0.0) -> None:
        """The old line answers what it has in hand while the others work already."""
        task = asyncio.create_task(line.leave(linger), name="socket mode: a line leaves")
        self._leaving[task] = line
        task.add_done_callback(lambda done: self._leaving.pop(done, None))


_SAID = {
    _DISABLED: "Socket Mode is switched off in the app's settings",
    _CROWDED: "the app has its ten connections open already, elsewhere",
}
#: What to do about an app token that Slack does not take.
_NEW_TOKEN = "make a new app-level token with connections:write in the app's settings"  # noqa: S105
_REFUSED = {
    "invalid_auth": _NEW_TOKEN,
    "not_authed": _NEW_TOKEN,
    "token_revoked": _NEW_TOKEN,
    "token_expired": _NEW_TOKEN,
    "account_inactive": _NEW_TOKEN,
    "missing_scope": _NEW_TOKEN,
    "no_permission": _NEW_TOKEN,
    "not_allowed_token_type": "it must be an app-level token, which starts with xapp-",
}


def _pause(failures: int) -> float:
    """Seconds before the next try: none after a connection that lasted, then doubling."""
    return min(SLOWEST, 0.25 * 2.0 ** min(failures, 10)) if failures else 0.0


def _reason(failure: Exception) -> str:
    """What can be said of it without addresses, which hold tickets."""
    if isinstance(failure, SlackRefused):
        if failure.error == _DISABLED:
            return _SAID[_DISABLED]
        what = _REFUSED.get(failure.error, "see the app's settings")
        return f"Slack refuses SLACK_APP_TOKEN, {failure.error[:40]}: {what}"
    if isinstance(failure, SlackFailure):
        return f"Slack cannot be asked for an address: {str(failure)[:60]}"
    if isinstance(failure, Unwelcome):
        return _SAID.get(str(failure)) or str(failure) or "it ended before Slack's hello"
    if isinstance(failure, aiohttp.WSServerHandshakeError):
        return f"the WebSocket was refused with status {failure.status}"
    if isinstance(failure, TimeoutError):
        return "no answer in time"
    return type(failure).__name__
