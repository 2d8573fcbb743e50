"""What a webhook receiver answered, and what can be read from it. Pure; what is not here: the call (`webhook_out`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one call. `code`: `http_200`, `timeout`, `dns`, `tls` … for rows and logs; `said`: for people.

    `retry_after` in seconds, when the receiver asked for it. `page`: it looks like a web page for people. Neither holds
    the path or the query of the address, which may be secret.
    """

    code: str
    said: str
    status: int | None = None
    retry_after: float | None = None
    page: bool = False
    ms: int = 0

    @property
    def ok(self) -> bool:
        """The receiver took it."""
        return self.status is not None and 200 <= self.status < 300


def is_page(content_type: str, start: bytes) -> bool:
    """Whether a body that begins so is a web page for people."""
    begin = start.lstrip()[:100].lower()
    return "html" in content_type.lower() or begin.startswith((b"<!doctype html", b"<html"))


def place(location: str) -> str:
    """Where a `Location` leads, without what may be secret."""
    try:
        parts = urlsplit(location)
        host = parts.hostname or ""
    except ValueError:
        return ""
    shown = "".join(c for c in host if c.isalnum() or c in ".-:")[:100]
    if not shown:
        return "another path"
    return f"{parts.scheme}://{shown}" if parts.scheme in ("http", "https") else shown


def retry_after(value: str, at: datetime) -> float | None:
    """Seconds to wait, from seconds or an HTTP date; None when nothing (usable) is said."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        until = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - at).total_seconds())
