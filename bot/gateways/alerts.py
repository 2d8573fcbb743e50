"""The second way: telling admins by mail or a signed webhook when Slack may be what is broken. And the heartbeat.

Nothing here raises, and nothing that is said of a failure holds an address, a password or what a server wrote. What
is not here: when somebody is told and what (`bot.services.watch_house`, the breaches of an outage).
"""

from __future__ import annotations

import asyncio
import smtplib
import socket
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from hashlib import sha256
from typing import Any
from urllib.parse import unquote, urlsplit

from bot.gateways.addresses import is_local, parse
from bot.gateways.webhook_answers import Answer
from bot.gateways.webhook_out import Caller, Limits, WebhookReceiver

MAIL, WEBHOOK = "mail", "webhook"
#: Seconds: for each step of talking to a mail server; for a whole mail; for a ping.
MAIL_STEP = 10.0
MAIL_WHOLE = 30.0
PING = Limits(total=5.0, connect=3.0, body=0.2)
_SUBJECT, _LINES, _LINE = 200, 100, 1000


@dataclass(frozen=True, slots=True)
class Alert:
    """What is told. `lines`: plain sentences without personal data. `key`: the same for the same alert sent again."""

    subject: str
    lines: tuple[str, ...]
    key: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """`took`: the ways that have it now. `failed`: (way, code of the cause) of the others that are configured."""

    took: tuple[str, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()

    @property
    def ok(self) -> bool:
        """One way has it; false also when none is configured."""
        return bool(self.took)


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail goes in. `encrypted` from the first byte (smtps), else by STARTTLS."""

    host: str
    port: int
    encrypted: bool
    sender: str
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @classmethod
    def of(cls, url: str, sender: str) -> MailServer:
        """From `smtp://user:password@host:587` or `smtps://…:465`."""
        parts = urlsplit(url)
        encrypted = parts.scheme == "smtps"
        return cls(
            parts.hostname or "",
            parts.port or (465 if encrypted else 587),
            encrypted,
            sender,
            unquote(parts.username or ""),
            unquote(parts.password or ""),
        )


class AlertWays:
    """All ways that are configured; each is tried, whatever becomes of the others. `close()` it in the end."""

    def __init__(
        self,
        *,
        mail: MailServer | None = None,
        to: Sequence[str] = (),
        hook: WebhookReceiver | None = None,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        """`to`: who gets mail when `send` names nobody. `trust`: of the mail server's certificate."""
        self._mail, self._to, self._hook, self._trust = mail, tuple(to), hook, trust
        # Of its own: a mail server that hangs must keep no transaction waiting.
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="mail")

    @property
    def configured(self) -> tuple[str, ...]:
        """The ways there are."""
        return tuple(w for w, is_set in ((MAIL, self._mail), (WEBHOOK, self._hook)) if is_set)

    async def send(self, alert: Alert, at: datetime, to: Sequence[str] = ()) -> Outcome:
        """Tell it now (`at`, real time) by every way; mail goes to `BATON_ALERT_TO`, else to `to`. At most 30 s."""
        tries = []
        if self._mail is not None:
            tries.append(self._by_mail(self._mail, alert, at, self._to or tuple(to)))
        if self._hook is not None:
            tries.append(self._by_hook(self._hook, alert, at))
        codes = await asyncio.gather(*tries)
        ended = list(zip(self.configured, codes, strict=True))
        return Outcome(
            tuple(way for way, code in ended if not code),
            tuple((way, code) for way, code in ended if code),
        )

    async def close(self) -> None:
        """Close connections. A mail that is being sent ends by itself."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._hook is not None:
            await self._hook.close()

    async def _by_mail(
        self, server: MailServer, alert: Alert, at: datetime, to: tuple[str, ...]
    ) -> str:
        if not to:
            return "no_receiver"
        letter = _letter(server, alert, at, to)
        try:
            async with asyncio.timeout(MAIL_WHOLE):
                return await asyncio.get_running_loop().run_in_executor(
                    self._pool, _hand_in, server, letter, to, self._trust
                )
        except TimeoutError:
            return "timeout"
        except RuntimeError:  # the pool is closed: Baton stops
            return "stopping"

    async def _by_hook(self, hook: WebhookReceiver, alert: Alert, at: datetime) -> str:
        event: dict[str, Any] = {
            "type": "baton.alert",
            "timestamp": at.isoformat(),
            "data": {"key": alert.key, "subject": alert.subject, "lines": list(alert.lines)},
        }
        answer = await hook.post(f"alert_{_digest(alert.key)}", event, at)
        return "" if answer.ok else answer.code


class Heartbeat:
    """The address that is asked for after each audit that found all well; whoever listens there misses it otherwise."""

    def __init__(self, url: str, *, limits: Limits = PING) -> None:
        self._caller = Caller(url, limits=limits)

    async def ping(self, at: datetime) -> Answer:
        """One GET: 5 s at most, no redirects, no proxy. Never raises; never tried again before the next audit."""
        return await self._caller.get(at)

    async def close(self) -> None:
        """Close connections."""
        await self._caller.close()


def _letter(server: MailServer, alert: Alert, at: datetime, to: tuple[str, ...]) -> EmailMessage:
    letter = EmailMessage()
    letter["From"] = f"Baton <{server.sender}>"
    letter["To"] = ", ".join(to)
    # One line: whatever a subject holds, it adds no header.
    letter["Subject"] = " ".join(alert.subject.split())[:_SUBJECT]
    letter["Date"] = format_datetime(at)
    letter["Message-ID"] = f"<{_digest(alert.key)}.{int(at.timestamp())}@baton.invalid>"
    letter["Auto-Submitted"] = "auto-generated"  # no out-of-office answers (RFC 3834)
    letter.set_content("\n".join(line[:_LINE] for line in alert.lines[:_LINES]) + "\n")
    return letter


def _hand_in(
    server: MailServer, letter: EmailMessage, to: tuple[str, ...], trust: ssl.SSLContext | None
) -> str:
    """Give the letter to the mail server; "" or the code of what was wrong. In a worker thread."""
    context = trust or ssl.create_default_context()
    # Named, because smtplib would look our own name up, which may take minutes.
    name = socket.gethostname()
    try:
        if server.encrypted:
            line: smtplib.SMTP = smtplib.SMTP_SSL(
                server.host, server.port, name, timeout=MAIL_STEP, context=context
            )
        else:
            line = smtplib.SMTP(server.host, server.port, name, timeout=MAIL_STEP)
        with line:
            line.ehlo()
            if not server.encrypted:
                if line.has_extn("starttls"):
                    line.starttls(context=context)
                    line.ehlo()
                elif server.user or not _is_near(line):
                    return "not_encrypted"
            if server.user:
                line.login(server.user, server.password)
            line.send_message(letter, from_addr=server.sender, to_addrs=list(to))
    except Exception as error:
        return _code_of(error)
    return ""


def _is_near(line: smtplib.SMTP) -> bool:
    """Whether the server is on this machine or network: only there mail may go without encryption."""
    return line.sock is not None and is_local(parse(str(line.sock.getpeername()[0])))


def _code_of(error: Exception) -> str:
    """A code, and nothing that the server said: that may repeat what it was told."""
    named: tuple[tuple[type[Exception], str], ...] = (
        (smtplib.SMTPAuthenticationError, "login_refused"),
        (smtplib.SMTPSenderRefused, "sender_refused"),
        (smtplib.SMTPRecipientsRefused, "receivers_refused"),
        (smtplib.SMTPServerDisconnected, "reset"),
        (smtplib.SMTPException, "mail_refused"),
        (ssl.SSLError, "tls"),
        (TimeoutError, "timeout"),
        (socket.gaierror, "dns"),
        (ConnectionRefusedError, "refused"),
        (OSError, "unreachable"),
    )
    return next((code for kind, code in named if isinstance(error, kind)), "broken")


def _digest(key: str) -> str:
    return sha256(key.encode()).hexdigest()[:32]
