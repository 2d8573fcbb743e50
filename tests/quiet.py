"""What tests log: as while developing, but with plain tracebacks. To draw one in a box takes longer than most tests."""

from __future__ import annotations

import structlog


def plain_logs() -> None:
    """For this process, until somebody configures logging."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.dev.ConsoleRenderer(
                colors=False, exception_formatter=structlog.dev.plain_traceback
            ),
        ]
    )
