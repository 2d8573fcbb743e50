"""One signed POST to the webhook receiver (or a bare GET), and what came of it. The one module that imports httpx.

Standard Webhooks: `webhook-id` (stable over retries), `webhook-timestamp` (this try's), `webhook-signature`. Success is
2xx and nothing else. The transport is used without a client around it: nothing follows redirects, keeps cookies, reads
proxies from the environment or logs addresses. Every call looks the name up, and connects to exactly the address that
was checked. What is not here: retries, order, whether the receiver is disabled (`bot.services.deliver_hooks`).
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import httpx
from standardwebhooks import Webhook

from bot.gateways.addresses import Address, is_local, may_be_called, parse
from bot.gateways.webhook_answers import Answer, is_page, place, retry_after

#: Of an answer's body so many bytes are read at most; it only serves to recognise a web page.
BODY_BYTES = 4096
MOST_ADDRESSES = 3

#: Host and port to addresses; raises OSError.
Resolve = Callable[[str, int], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds until there must be an answer, a connection; and for the beginning of a body after that."""

    total: float = 15.0
    connect: float = 5.0
    body: float = 1.0


@dataclass(frozen=True, slots=True)
class _Target:
    scheme: str
    host: str
    port: int
    path: str = field(repr=False)

    @property
    def shown(self) -> str:
        """The part of the address that is no secret."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        plain = self.port == {"https": 443, "http": 80}[self.scheme]
        return f"{self.scheme}://{host}" + ("" if plain else f":{self.port}")


class _Failed(Exception):
    """The call came to nothing before there was an answer."""

    def __init__(self, code: str, said: str) -> None:
        super().__init__(code)
        self.code, self.said = code, said


def resolve_by_system(host: str, port: int) -> Sequence[str]:
    """What the system's resolver says, in its order."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Caller:
    """Calls one address. Make it within the loop that uses it; `close()` it in the end."""

    def __init__(
        self,
        url: str,
        *,
        limits: Limits | None = None,
        trust: ssl.SSLContext | None = None,
        resolve: Resolve = resolve_by_system,
    ) -> None:
        self._target = _target_of(url)
        self._limits = limits or Limits()
        self._resolve = resolve
        # Of its own: name servers that hang must not keep Slack's look-ups waiting.
        self._lookups = ThreadPoolExecutor(2, thread_name_prefix="hook-dns")
        self._transport = httpx.AsyncHTTPTransport(
            verify=trust or _trust(self._target.scheme), trust_env=False, http2=False, retries=0,
            limits=httpx.Limits(max_connections=16, max_keepalive_connections=8, keepalive_expiry=30.0),
        )  # fmt: skip
        #: How rows and reports name this address.
        self.key = key_of(url)

    @property
    def shown(self) -> str:
        """The address without path and query."""
        return self._target.shown

    async def get(self, at: datetime) -> Answer:
        """Ask for the address, without a body. As `post`: never raises, never takes longer than its limits."""
        return await self._try("GET", b"", {}, at)

    async def _try(
        self, method: str, body: bytes, headers: Mapping[str, str], at: datetime
    ) -> Answer:
        headers = {
            "Host": self._target.shown.partition("://")[2],
            "Accept-Encoding": "identity",
            "User-Agent": "Baton-Webhook/1",
            **headers,
        }
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(self._limits.total) as whole:
                answer = await self._call(method, body, headers, at, whole)
        except _Failed as failed:
            answer = Answer(failed.code, failed.said)
        except TimeoutError:
            answer = Answer(
                "timeout", f"{self.shown} did not answer within {self._limits.total:g} s."
            )
        except (
            Exception
        ) as error:  # whatever a hostile answer makes the library raise: the row is tried again
            answer = Answer(
                "broken", f"The answer of {self.shown} broke off: {type(error).__name__}."
            )
        ms = int((loop.time() - began) * 1000)
        return Answer(answer.code, answer.said, answer.status, answer.retry_after, answer.page, ms)

    async def close(self) -> None:
        """Close all connections."""
        self._lookups.shutdown(wait=False, cancel_futures=True)
        await self._transport.aclose()

    async def _call(
        self,
        method: str,
        body: bytes,
        headers: Mapping[str, str],
        at: datetime,
        whole: asyncio.Timeout,
    ) -> Answer:
        failed: _Failed | None = None
        for address in (await self._addresses())[:MOST_ADDRESSES]:
            try:
                response = await self._call_at(address, method, body, headers)
            except httpx.ConnectError as error:
                failed = _no_connection(self.shown, error)
                if failed.code == "tls":
                    break
            except httpx.ConnectTimeout:
                failed = _Failed("timeout", f"{self.shown} does not let anybody connect.")
            else:
                # There is an answer: however long its body takes, it stands.
                whole.reschedule(None)
                try:
                    start = await _beginning_of(response, self._limits.body)
                finally:
                    await response.aclose()
                return self._understood(response, start, at)
        raise failed or _Failed("dns", f"{self._target.host} has no address.")

    async def _addresses(self) -> list[Address]:
        """Those that may be called, looked up now."""
        target = self._target
        try:
            found = await asyncio.get_running_loop().run_in_executor(
                self._lookups, self._resolve, target.host, target.port
            )
        except (OSError, UnicodeError):
            raise _Failed("dns", f"{target.host} cannot be found: no such name (DNS).") from None
        addresses = [parse(text) for text in found]
        allowed = [address for address in addresses if may_be_called(address)]
        if addresses and not allowed:
            raise _Failed(
                "forbidden_address",
                f"{target.host} is at {addresses[0]}, which Baton never calls (link-local, metadata, multicast).",
            )
        if target.scheme == "http" and not all(is_local(address) for address in allowed):
            raise _Failed(
                "not_encrypted",
                f"{target.host} is at {allowed[0]}: over the internet Baton only sends by https.",
            )
        return allowed

    async def _call_at(
        self, address: Address, method: str, body: bytes, headers: Mapping[str, str]
    ) -> httpx.Response:
        """Connect to this very address; the certificate must be that of the name."""
        target = self._target
        host = f"[{address}]" if address.version == 6 else str(address)
        request = httpx.Request(
            method,
            f"{target.scheme}://{host}:{target.port}{target.path}",
            headers=headers,
            content=body,
            extensions={
                "sni_hostname": target.host,
                "timeout": {
                    "connect": self._limits.connect, "read": self._limits.total,
                    "write": self._limits.total, "pool": self._limits.total,
                },
            },
        )  # fmt: skip
        try:
            return await self._transport.handle_async_request(request)
        except httpx.ReadTimeout:
            raise TimeoutError from None
        except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError):
            raise _Failed(
                "reset", f"{self.shown} closed the connection without an answer."
            ) from None

    def _understood(self, response: httpx.Response, start: bytes, at: datetime) -> Answer:
        status = response.status_code
        page = is_page(response.headers.get("content-type", ""), start)
        said = f"{self.shown} answered {status}"
        if 300 <= status < 400:
            to = place(response.headers.get("location", ""))
            said += f" and wants to redirect{f' to {to}' if to else ''}; Baton follows no redirects"
        elif status == 410:
            said += " (gone)"
        if page:
            said += ", with a web page instead of a plain answer"
        wait = retry_after(response.headers.get("retry-after", ""), at)
        return Answer(f"http_{status}", f"{said}.", status, wait, page)


class WebhookReceiver(Caller):
    """The receiver of signed events at one address."""

    def __init__(
        self,
        url: str,
        secret: str,
        *,
        limits: Limits | None = None,
        trust: ssl.SSLContext | None = None,
        resolve: Resolve = resolve_by_system,
    ) -> None:
        super().__init__(url, limits=limits, trust=trust, resolve=resolve)
        self._webhook = Webhook(secret)

    async def post(self, message_id: str, event: Mapping[str, Any], at: datetime) -> Answer:
        """Send one event, signed at `at` (real time). Never raises, and never takes longer than its limits."""
        body = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
        headers = {
            "Content-Type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": self._webhook.sign(message_id, at.astimezone(UTC), body),
        }
        return await self._try("POST", body.encode(), headers, at)


def key_of(url: str) -> str:
    """The address as its hash: the address itself may hold a key."""
    return sha256(url.encode()).hexdigest()


def shown_of(url: str) -> str:
    """The address without path and query."""
    return _target_of(url).shown


def _target_of(url: str) -> _Target:
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}[parts.scheme]
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return _Target(parts.scheme, parts.hostname or "", port, path)


def _trust(scheme: str) -> ssl.SSLContext:
    """The authorities that browsers know, and those of this system (a company's own)."""
    if scheme == "http":
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # not used, and trusts nobody
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    return context


def _no_connection(shown: str, error: httpx.ConnectError) -> _Failed:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _Failed(
                "tls", f"The certificate of {shown} is not good: {cause.verify_message}."
            )
        if isinstance(cause, ssl.SSLError):
            return _Failed("tls", f"No encrypted connection to {shown}: {cause.reason or 'TLS'}.")
        if isinstance(cause, ConnectionRefusedError):
            return _Failed("refused", f"{shown} refuses connections: nothing listens there.")
        cause = cause.__cause__ or cause.__context__
    return _Failed("unreachable", f"{shown} cannot be reached.")


async def _beginning_of(response: httpx.Response, seconds: float) -> bytes:
    """The first bytes of the body. That it drips or breaks off changes nothing: the status is there already."""
    start = b""
    try:
        async with asyncio.timeout(seconds):
            async for chunk in response.aiter_raw():
                start += chunk
                if len(start) >= BODY_BYTES:
                    break
    except (TimeoutError, httpx.HTTPError):
        pass
    return start[:BODY_BYTES]
