"""The doors of the house: what a caller must show at each, and what is known once they are in.

A door looks at headers first, then at the raw bytes; only then is anything parsed. Every way of not being who you
say you are gets the same answer. What is not here: sizes, deadlines and HTTP (`gate`), the HMACs (`signatures`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import parse_qsl

from starlette.types import Scope

from bot.clock import Clock
from handlers.signatures import (
    SenderKeys,
    is_slack_signature,
    slack_signed,
    timestamp_is_fresh,
    webhook_signatures,
)
from handlers.strict_json import NotJson, read_json

#: All values of each header by lower-case name; HTTP allows a header twice, the doors do not.
Headers = Mapping[bytes, list[bytes]]

_STATE_KEY = "authenticated"
_NOT_YOU = "This request is not signed by anyone we know."
# No dot: it separates the parts of what is signed.
_MESSAGE_ID = re.compile(rb"[\x21-\x2d\x2f-\x7e]{1,200}")
_BEARER = re.compile(rb"[Bb]earer ([\x21-\x7e]{1,400})")


class Refused(Exception):
    """The gate's "no": `sentence` is for the caller, `reason` for the log, `headers` for the reply."""

    def __init__(
        self,
        status: HTTPStatus,
        sentence: str,
        reason: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.sentence = sentence
        self.reason = reason
        self.headers = headers or {}


@dataclass(frozen=True, slots=True)
class Authenticated:
    """A body whose sender is known.

    `source` is the credential's name, `msg_id` the inbox key, `sha256` the hex digest of `body`. `data` is the parsed
    JSON; when `parse_error` is not empty it says why there is none, and the body belongs in quarantine.
    """

    source: str
    msg_id: str
    body: bytes
    sha256: str
    data: Any = None
    parse_error: str = ""


def authenticated(scope: Scope) -> Authenticated | None:
    """What the gate found out about this request; None: it did not come through an intake door, do not act on it."""
    found = scope.get("state", {}).get(_STATE_KEY)
    return found if isinstance(found, Authenticated) else None


class Door(Protocol):
    """`knock` judges the headers and gives what `enter` needs to judge the body; both raise `Refused`."""

    max_bytes: int

    def knock(self, headers: Headers) -> Any: ...

    def enter(self, claim: Any, headers: Headers, body: bytes, scope: Scope) -> Scope: ...


def not_you(reason: str) -> Refused:
    """The one answer to whoever cannot show who they are."""
    return Refused(HTTPStatus.UNAUTHORIZED, _NOT_YOU, reason)


def _require_fresh(timestamp: bytes, clock: Clock) -> None:
    """Signed just now. While this machine's clock is in doubt nobody can tell: who may be right comes again."""
    if timestamp_is_fresh(timestamp, clock.real()):
        return
    doubted = clock.steady is not None and clock.steady.doubted is not None
    if doubted and timestamp_is_fresh(timestamp, clock.wall()):
        raise Refused(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "The clock of this machine jumped. Send it again.",
            "clock in doubt",
            {"Retry-After": "10"},
        )
    raise not_you("timestamp malformed or not fresh")


def only(headers: Headers, name: bytes) -> bytes:
    """The value of a header that must be there exactly once."""
    values = headers.get(name, [])
    if len(values) != 1:
        raise not_you(f"{name.decode()} is there {len(values)} times")
    return values[0]


class SlackDoor:
    """Events, interactivity and commands, signed by Slack. The body goes on unchanged, to Bolt."""

    def __init__(self, signing_secret: str, clock: Clock, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._secret = signing_secret.encode()
        self._clock = clock

    def knock(self, headers: Headers) -> tuple[bytes, bytes]:
        timestamp = only(headers, b"x-slack-request-timestamp")
        signature = only(headers, b"x-slack-signature")
        _require_fresh(timestamp, self._clock)
        if not is_slack_signature(signature):
            raise not_you("signature malformed")
        return timestamp, signature

    def enter(
        self, claim: tuple[bytes, bytes], headers: Headers, body: bytes, scope: Scope
    ) -> Scope:
        timestamp, signature = claim
        if not slack_signed(self._secret, timestamp, body, signature):
            raise not_you("signature wrong")
        try:
            text = body.decode("utf-8")
        except UnicodeDecodeError:
            raise not_you("body is not UTF-8") from None
        self._check_framing(text, headers)
        return scope

    @staticmethod
    def _check_framing(text: str, headers: Headers) -> None:
        """Bolt raises on broken JSON, which would be a 500; so the places where it parses are tried first."""
        content_type = headers.get(b"content-type", [b""])[0]
        if content_type.startswith(b"application/json") or text.startswith("{"):
            payload: str | None = text
        else:
            payload = dict(parse_qsl(text, keep_blank_values=True)).get("payload")
        try:
            usable = bool(text) and (
                payload is None or isinstance(read_json(payload.encode()), dict)
            )
        except (NotJson, UnicodeEncodeError):
            usable = False
        if not usable:
            raise Refused(HTTPStatus.BAD_REQUEST, "The body is no Slack payload.", "broken payload")


class IntakeDoor:
    """Leads and touches: a Standard Webhooks signature, or a bearer token; never both."""

    def __init__(self, keys: SenderKeys, clock: Clock, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._keys = keys
        self._clock = clock

    def knock(self, headers: Headers) -> _WebhookClaim | _TokenClaim:
        if b"authorization" not in headers:
            return self._webhook_claim(headers)
        if b"webhook-signature" in headers:
            raise not_you("two kinds of credentials")
        token = _BEARER.fullmatch(only(headers, b"authorization"))
        if token is None:
            raise not_you("authorization malformed")
        msg_id = _message_id(headers) if b"webhook-id" in headers else b""
        return _TokenClaim(token.group(1), msg_id)

    def _webhook_claim(self, headers: Headers) -> _WebhookClaim:
        msg_id = _message_id(headers)
        timestamp = only(headers, b"webhook-timestamp")
        _require_fresh(timestamp, self._clock)
        signatures = webhook_signatures(only(headers, b"webhook-signature"))
        if not signatures:
            raise not_you("signature malformed")
        return _WebhookClaim(msg_id, timestamp, signatures)

    def enter(
        self, claim: _WebhookClaim | _TokenClaim, headers: Headers, body: bytes, scope: Scope
    ) -> Scope:
        if isinstance(claim, _TokenClaim):
            source = self._keys.who_has_token(claim.token)
        else:
            source = self._keys.who_signed(claim.msg_id, claim.timestamp, body, claim.signatures)
        if source is None:
            raise not_you("signature or token wrong")
        if not body:
            raise Refused(HTTPStatus.BAD_REQUEST, "The body is empty.", "empty body")
        found = _read(source, claim.msg_id, body)
        return {**scope, "state": {**scope.get("state", {}), _STATE_KEY: found}}


@dataclass(frozen=True, slots=True)
class _WebhookClaim:
    msg_id: bytes
    timestamp: bytes
    signatures: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class _TokenClaim:
    token: bytes
    msg_id: bytes


def _message_id(headers: Headers) -> bytes:
    msg_id = only(headers, b"webhook-id")
    if not _MESSAGE_ID.fullmatch(msg_id):
        raise not_you("message id malformed")
    return msg_id


def _read(source: str, msg_id: bytes, body: bytes) -> Authenticated:
    digest = hashlib.sha256(body).hexdigest()
    key = msg_id.decode("ascii") or digest
    try:
        data = read_json(body)
    except NotJson as fault:
        return Authenticated(source, key, body, digest, parse_error=str(fault))
    return Authenticated(source, key, body, digest, data)
