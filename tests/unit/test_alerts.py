"""The second way over real sockets: mail, a signed webhook, and the heartbeat; and what of it can be read in a log."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import Message
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from bot.gateways.alerts import Alert, AlertWays, Heartbeat, MailServer, Outcome
from bot.gateways.webhook_out import Limits, WebhookReceiver
from tests.webhook_door import CERTIFICATE, KEY, SECRET, Reply, opened

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ALERT = Alert("Baton: 3 alarms\nBcc: x@evil.example", ("Timer of lead:7 is late.", "…"), "alarm:1")


class Office:
    """What a mail server took."""

    def __init__(self) -> None:
        self.letters: list[tuple[list[str], Message, bool]] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        found = (list(envelope.rcpt_tos), message_from_bytes(content), session.ssl is not None)
        self.letters.append(found)
        return "250 kept"


@asynccontextmanager
async def post_office(**options: Any) -> AsyncIterator[tuple[Office, int]]:
    office = Office()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(office, loop=loop, **options), "127.0.0.1", 0)
    try:
        yield office, server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


async def sent(ways: AlertWays, *to: str) -> Outcome:
    try:
        return await ways.send(ALERT, NOW, to)
    finally:
        await ways.close()


def encrypted() -> dict[str, Any]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE, KEY)
    return {"tls_context": context, "require_starttls": True}


async def test_mail_goes_encrypted_to_those_named_and_adds_no_header() -> None:
    def login(*_: Any) -> AuthResult:
        return AuthResult(success=True)

    trust = ssl.create_default_context(cafile=str(CERTIFICATE))
    async with post_office(**encrypted(), authenticator=login) as (office, port):
        server = MailServer.of(f"smtp://me:pa%2Fss@127.0.0.1:{port}", "baton@acme.example")
        assert server.password == "pa/ss"
        ways = AlertWays(mail=server, trust=trust)
        assert await sent(ways, "ops@acme.example") == Outcome(("mail",))
    ((to, letter, by_tls),) = office.letters
    assert by_tls
    assert to == ["ops@acme.example"]
    assert letter["Subject"] == "Baton: 3 alarms Bcc: x@evil.example"
    assert letter["Bcc"] is None
    body = letter.get_payload(decode=True)
    assert isinstance(body, bytes)
    assert body.startswith(b"Timer of lead:7 is late.")


async def test_a_password_never_goes_in_the_open_nor_into_a_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    async with post_office() as (office, port):
        server = MailServer.of(f"smtp://me:pass-secret@127.0.0.1:{port}", "baton@acme.example")
        outcome = await sent(AlertWays(mail=server, to=("ops@acme.example",)))
        assert outcome == Outcome((), (("mail", "not_encrypted"),))
        assert office.letters == []
        without = MailServer.of(f"smtp://127.0.0.1:{port}", "baton@acme.example")
        assert (await sent(AlertWays(mail=without, to=("ops@acme.example",)))).ok
    refused = await sent(AlertWays(mail=server, to=("ops@acme.example",)))
    assert refused.failed == (("mail", "refused"),)
    assert "secret" not in caplog.text + repr(server) + repr(outcome)


async def test_the_webhook_is_signed_and_a_dead_mail_server_does_not_stop_it() -> None:
    async with opened() as door:
        hook = WebhookReceiver(door.url, SECRET, limits=Limits(0.5, 0.4, 0.2))
        nobody = MailServer("127.0.0.1", 1, False, "baton@acme.example")
        outcome = await sent(AlertWays(mail=nobody, to=("ops@acme.example",), hook=hook))
    assert outcome == Outcome(("webhook",), (("mail", "refused"),))
    assert outcome.ok
    door.letters[0].verify()
    assert b'"type":"baton.alert"' in door.letters[0].body


async def test_without_any_way_nothing_is_said_to_have_been_told() -> None:
    assert not (await sent(AlertWays())).ok


async def test_the_heartbeat_asks_once_and_follows_nobody() -> None:
    replies = iter((Reply(200), Reply(302, {"Location": "http://127.0.0.1:1/"}), Reply(wait=30)))
    async with opened(lambda _: next(replies)) as door:
        heart = Heartbeat(door.url, limits=Limits(0.3, 0.2, 0.1))
        codes = [(await heart.ping(NOW)).code for _ in range(3)]
        await heart.close()
    assert codes == ["http_200", "http_302", "timeout"]
