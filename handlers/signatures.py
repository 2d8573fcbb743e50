"""Who sent these bytes? Slack's v0 signature, Standard Webhooks, bearer tokens, as pure functions.

Compared on bytes in constant time; every live secret is tried, so the time does not tell which one came close.
What is not here: headers and HTTP (`gate`), reading secrets (`bot.settings`).

Sources: Slack `v0=` HMAC-SHA256 over `v0:{timestamp}:{body}`; Standard Webhooks 1.0.0, HMAC-SHA256 over
`{webhook-id}.{webhook-timestamp}.{body}`. Our own few lines and not the `standardwebhooks` package, because that one
decodes the body first and so could not vouch for bytes that are no UTF-8, which we keep in quarantine.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

#: How far a signed timestamp may be from our time, either way.
TOLERANCE_SECONDS = 300

_SLACK_SIGNATURE = re.compile(rb"v0=[0-9a-f]{64}")
_TIMESTAMP = re.compile(rb"[0-9]{1,12}")
_WEBHOOK_SIGNATURE = re.compile(rb"v[0-9]{1,2}[a-z]?,[A-Za-z0-9+/]{1,1000}={0,2}")
_MOST_SIGNATURES = 10
_NOBODY = b"\x00" * 32  # the key that is tried when there is none: same work, no match


def timestamp_is_fresh(timestamp: bytes, now: datetime) -> bool:
    """Whether `timestamp` is whole seconds in ASCII digits, at most five minutes from `now`."""
    if not _TIMESTAMP.fullmatch(timestamp):
        return False
    return abs(now.timestamp() - int(timestamp)) <= TOLERANCE_SECONDS


def is_slack_signature(signature: bytes) -> bool:
    """Whether the header has the form of a v0 signature."""
    return _SLACK_SIGNATURE.fullmatch(signature) is not None


def slack_signed(secret: bytes, timestamp: bytes, body: bytes, signature: bytes) -> bool:
    """Whether `signature` is Slack's for these bytes. An empty secret signs nothing."""
    expected = hmac.new(secret or _NOBODY, b"v0:" + timestamp + b":" + body, hashlib.sha256)
    matches = hmac.compare_digest(b"v0=" + expected.hexdigest().encode(), signature)
    return matches and bool(secret)


def webhook_signatures(header: bytes) -> tuple[bytes, ...] | None:
    """The raw v1 signatures of a `webhook-signature` header; None when any part of it is malformed."""
    parts = header.split(b" ")
    if len(parts) > _MOST_SIGNATURES:
        return None
    found: list[bytes] = []
    for part in parts:
        if not _WEBHOOK_SIGNATURE.fullmatch(part):
            return None
        version, _, encoded = part.partition(b",")
        try:
            raw = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            return None
        # Other versions (asymmetric v1a) may stand beside ours and say nothing to us.
        if hmac.compare_digest(version, b"v1"):
            found.append(raw)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class SenderKeys:
    """All live credentials of the senders: `(name, key)`, several with one name while rotating."""

    secrets: tuple[tuple[str, bytes], ...] = ()
    token_digests: tuple[tuple[str, bytes], ...] = field(default=())

    @classmethod
    def of(
        cls, secrets: Iterable[tuple[str, bytes]] = (), tokens: Iterable[tuple[str, str]] = ()
    ) -> SenderKeys:
        """`secrets` are decoded keys; tokens are kept as digests, which compare in equal time whatever their length."""
        return cls(tuple(secrets), tuple((name, _digest(token.encode())) for name, token in tokens))

    def who_signed(
        self, msg_id: bytes, timestamp: bytes, body: bytes, signatures: Sequence[bytes]
    ) -> str | None:
        """The name of the credential that signed, or None."""
        signed = msg_id + b"." + timestamp + b"." + body
        name = None
        for candidate, key in self.secrets or (("", _NOBODY),):
            expected = hmac.new(key, signed, hashlib.sha256).digest()
            for signature in signatures:
                if hmac.compare_digest(expected, signature) and candidate:
                    name = candidate
        return name

    def who_has_token(self, token: bytes) -> str | None:
        """The name of the credential with this bearer token, or None."""
        given = _digest(token)
        name = None
        for candidate, digest in self.token_digests or (("", _NOBODY),):
            if hmac.compare_digest(given, digest) and candidate:
                name = candidate
        return name


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
