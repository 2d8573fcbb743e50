"""`baton run` and `baton demo`: everything in one process. The demo brings the sandbox, so this module does too.

What is not here: the single roles (`serving`).
"""

from __future__ import annotations

from functools import partial
from typing import Annotated

from cyclopts import Parameter

from bot.commands.serving import serve
from bot.demo import serve_demo
from bot.serving import serve_all
from bot.settings import Settings


def run() -> int:
    """With SLACK_BOT_TOKEN your Slack, without it the demo."""
    return serve(_all_or_demo)


def demo(
    *,
    fresh: Annotated[
        bool,
        Parameter(help="Forget what happened in the demo before.", negative="", show_default=False),
    ] = False,
) -> int:
    """Print the address to open; refuses to run beside a real token, and --fresh beside a running demo."""
    return serve(partial(serve_demo, fresh=True) if fresh else serve_demo)


def _all_or_demo(settings: Settings) -> int:
    return serve_demo(settings) if settings.slack_mode == "sandbox" else serve_all(settings)
