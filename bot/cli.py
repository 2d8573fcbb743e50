"""The command line: which commands there are, and how they end. A command's module is imported when it is called.

Exit codes: 0 done, 1 the answer is no (a faulty playbook, leads still in quarantine), 2 it could not be tried, with
one sentence on stderr. What is not here: what the commands do (`bot.commands`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from cyclopts import App
from cyclopts.exceptions import CycloptsError

from bot.commands.failing import CommandFault

#: What a shell expects of a program that was stopped by Ctrl+C.
_INTERRUPTED = 130
#: And of one whose reader has gone: `baton audit | head`.
_READER_GONE = 141


_PLAIN = (
    ("run", "starting:run", "Everything in one process; the demo when SLACK_BOT_TOKEN is unset."),
    ("demo", "starting:demo", "Baton beside a Slack sandbox in the browser."),
    ("demo-history", "history:demo_history", "The same after a made-up month: boards, reports."),
    ("web", "serving:web", "Take leads and clicks; workers run elsewhere (PostgreSQL only)."),
    ("worker", "serving:worker", "Fire timers and deliver to Slack (PostgreSQL only)."),
    ("migrate", "migrating:migrate", "Bring the database's tables up to date."),
    ("import", "importing:import_", "Take an export: as history, as offers, or for review."),
    ("audit", "auditing:audit", "Count leads that sales never touched, by team, source and age."),
    ("report", "reporting:report", "The figures of a week, a month, a day: as text, CSV or JSON."),
    ("erase", "erasing:erase", "Forget a person: leads, notes, bodies, cards in Slack."),
    ("export", "exporting:export", "All that is held about a person, as JSON."),
    ("purge", "purging:purge", "Empty what is older than it may be kept; nightly by itself."),
    ("check", "checking:check", "Name every fault of a playbook, with its line."),
    ("doctor", "doctor:doctor", "Name what is wrong with this installation; send a [TEST] lead."),
    ("backup", "backing_up:backup", "Copy the whole database into one file, while Baton runs."),
    ("restore", "restoring:restore", "Put a backup in place; nothing old is sent again."),
    ("manifest", "manifest:manifest", "Print the manifest to create the Slack app from."),
)
_PLAYBOOK = (
    ("apply", "playbook:apply", "Put a playbook in force. A faulty one leaves the last good one."),
)
_QUARANTINE = (
    ("list", "quarantine:list_", "What lies in quarantine, oldest first."),
    ("show", "quarantine:show", "One message with its body as it came (personal data)."),
    ("replay", "quarantine:replay", "Apply again what was quarantined, its cause mended."),
    ("drop", "quarantine:drop", "Give one message up: its body is deleted."),
)
_HELD = (
    ("list", "holding:list_", "What a restored backup had not sent yet, oldest first."),
    ("release", "holding:release", "Send it after all, unless Slack has it already."),
    ("drop", "holding:drop", "Give it up."),
)
_WEBHOOK = (
    ("test", "webhook:test", "Send the receiver of changes a signed test event now."),
    ("status", "webhook:status", "How the receiver behaves, what waits for it."),
    ("enable", "webhook:enable", "Send to it again after Baton stopped doing so."),
)
_TIMERS = (("retry", "timers:retry", "Fire again what failed again and again, its cause mended."),)


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
    webhook = App(name="webhook", help="The receiver that is told of every change.")
    timers = App(name="timers", help="Steps of clocks that failed again and again.")
    held = App(name="held", help="Messages that a restored backup had not sent yet.")
    groups = (
        (app, _PLAIN), (playbook, _PLAYBOOK), (quarantine, _QUARANTINE), (webhook, _WEBHOOK), (held, _HELD),
        (timers, _TIMERS),
    )  # fmt: skip
    for group, commands in groups:
        for place, (name, path, about) in enumerate(commands):
            group.command(f"bot.commands.{path}", name=name, help=about, sort_key=place)
    app.command(playbook)
    app.command(quarantine)
    app.command(webhook)
    app.command(held)
    app.command(timers)
    return app


def main(tokens: Sequence[str] | None = None) -> int:
    """Run one command line (that of the process unless given) and return its exit code."""
    try:
        code = build_app()(
            tokens, exit_on_error=False, print_error=False, result_action="return_value"
        )
        sys.stdout.flush()
    except CycloptsError as error:
        line = " ".join(("baton", *(error.command_chain or ())))
        return _tell([f"{' '.join(str(error).split())} Help: {line} --help"])
    except CommandFault as fault:
        return _tell(fault.sentences)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # What is still in the buffer would be tried once more when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _READER_GONE
    return code if isinstance(code, int) else 0


def _tell(sentences: Sequence[str]) -> int:
    for sentence in sentences:
        print(f"baton: {sentence}", file=sys.stderr)
    return 2
