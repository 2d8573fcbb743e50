"""Log lines:

one JSON object a line, for Baton and its libraries alike, without secrets and addresses.

Baton logs ids. The redaction here is the second wall: it works on the finished line, so nothing
nested, no traceback and no library gets round it. Tracebacks carry no local variables. What is not
here: metrics, the journal.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Callable, MutableMapping
from datetime import date
from typing import Any, TextIO

import structlog
from structlog.typing import Processor

#: What must not be in a log, and what stands there instead. Order matters: a URL's password looks
#: like an address.
_REDACTIONS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\b(?:xox[a-z]|xapp)-[\w.%-]+", re.IGNORECASE), "[slack token]"),
    (re.compile(r"whsec_[A-Za-z0-9+/=_-]+"), "[webhook secret]"),
    (re.compile(r"\b(bearer)\s+[^\s\"'\\,]+", re.IGNORECASE), r"\1 [token]"),
    (re.compile(r"(://[^\s:/@\"]*):[^\s@\"]+@"), r"\1:[password]@"),
    (re.compile(r"[^\s\"'<>@,;:=()\[\]{}\\|]+@[^\s\"'<>@,;:=()\[\]{}\\|/]+\.\w{2,}"), "[address]"),
)

#: These tell bodies, URLs or each request below WARNING.
_QUIET = (
    "slack_bolt",
    "slack_sdk",
    "aiohttp",
    "httpx",
    "httpcore",
    "uvicorn.access",
    "apscheduler",
)


#: What our log lines say beside their words, by `extra`: ids, counts, codes. Nothing that a library adds.
_OURS = (
    "version",
    "item",
    "lead",
    "attempt",
    "count",
    "failure",
    "inbox",
    "what",
    "team",
    "reference",
)


def redact(text: str) -> str:
    """`text` without Slack tokens, webhook secrets, bearer tokens, passwords in URLs, and e-mail
    addresses."""
    for pattern, instead in _REDACTIONS:
        text = pattern.sub(instead, text)
    return text


def configure_logging(level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send everything to `stream`, or to standard output. Call it again and the last call counts."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.stdlib.ExtraAdder(allow=_OURS),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # so that a second call reaches loggers already made
    )
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _render],
        )
    )
    root = logging.getLogger()
    for old in root.handlers[:]:
        if getattr(old, "is_batons", False):
            root.removeHandler(old)
    handler.is_batons = True  # type: ignore[attr-defined]  # marks it for the next call
    root.addHandler(handler)
    root.setLevel(level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _render(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    # Unescaped, or `m\u00fcller@…` would be only half an address to the redaction.
    return redact(json.dumps(event, default=_plain, ensure_ascii=False, skipkeys=True))


def _plain(value: object) -> str:
    # Never repr(): that of a dataclass holds all its fields, a lead's name among them.
    return value.isoformat() if isinstance(value, date) else f"<{type(value).__name__}>"


#: How modules get their logger: `log = get_logger(__name__)`.
get_logger: Callable[..., structlog.stdlib.BoundLogger] = structlog.stdlib.get_logger
