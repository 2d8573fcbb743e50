"""The command line: which commands there are, and how they end. A command's module is imported when it is called.

Exit codes: 0 done, 1 the answer is no (a faulty playbook, leads still in quarantine), 2 it could not be tried, with
one sentence on stderr. What is not here: what the commands do (`bot.commands`).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cyclopts import App
from cyclopts.exceptions import CycloptsError

from bot.commands.failing import CommandFault

#: What a shell expects of a program that was stopped by Ctrl+C.
_INTERRUPTED = 130


_PLAIN = (
    ("run", "starting:run", "Everything in one process; the demo when SLACK_BOT_TOKEN is unset."),
    ("demo", "starting:demo", "Baton beside a Slack sandbox in the browser."),
    ("web", "serving:web", "Take leads and clicks; workers run elsewhere (PostgreSQL only)."),
    ("worker", "serving:worker", "Fire timers and deliver to Slack (PostgreSQL only)."),
    ("migrate", "migrating:migrate", "Bring the database's tables up to date."),
    ("check", "checking:check", "Name every fault of a playbook, with its line."),
    ("manifest", "manifest:manifest", "Print the manifest to create the Slack app from."),
)
_PLAYBOOK = (
    ("apply", "playbook:apply", "Put a playbook in force. A faulty one leaves the last good one."),
)
_QUARANTINE = (
    ("list", "quarantine:list_", "What lies in quarantine, oldest first."),
    ("show", "quarantine:show", "One message with its body as it came (personal data)."),
    ("replay", "quarantine:replay", "Apply again what was quarantined, its cause mended."),
)


def build_app() -> App:
    """All commands, none of them imported yet."""
    app = App(
        name="baton",
        help="Hands leads from marketing to sales in Slack, and never drops one.",
        help_format="plaintext",
        version_flags=[],
    )
    playbook = App(name="playbook", help="Put a changed playbook in force.")
    quarantine = App(name="quarantine", help="Messages with leads that could not be used.")
    for group, commands in ((app, _PLAIN), (playbook, _PLAYBOOK), (quarantine, _QUARANTINE)):
        for place, (name, path, about) in enumerate(commands):
            group.command(f"bot.commands.{path}", name=name, help=about, sort_key=place)
    app.command(playbook)
    app.command(quarantine)
    return app


def main(tokens: Sequence[str] | None = None) -> int:
    """Run one command line (that of the process unless given) and return its exit code."""
    try:
        code = build_app()(
            tokens, exit_on_error=False, print_error=False, result_action="return_value"
        )
    except CycloptsError as error:
        return _tell([f"{' '.join(str(error).split())} Help: baton --help"])
    except CommandFault as fault:
        return _tell(fault.sentences)
    except KeyboardInterrupt:
        return _INTERRUPTED
    return code if isinstance(code, int) else 0


def _tell(sentences: Sequence[str]) -> int:
    for sentence in sentences:
        print(f"baton: {sentence}", file=sys.stderr)
    return 2
