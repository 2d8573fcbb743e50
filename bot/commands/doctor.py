"""`baton doctor`: each check one line, the causes first; `--test-lead` puts a `[TEST]` card before one person.

It changes nothing but what `--test-lead` asks for, and says no secret. What is not here: the checks
(`bot.services.examine`), the test lead (`bot.services.send_test_lead`).
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import textwrap
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from bot.clock import Clock
from bot.commands.failing import CommandFault
from bot.commands.opening import database_or_demo, opened_runtime, plainly
from bot.commands.wording import counted, printable
from bot.domain.refusal import Refusal
from bot.services.examine import Round, examine
from bot.services.examine_findings import Finding, Level, fault, note, ok, skip, told
from bot.services.examine_ground import shown
from bot.services.runtime import Runtime
from bot.services.send_test_lead import Sent, send_test_lead
from bot.settings import Settings, SettingsFault, load_settings
from storage import examining
from storage.database import Database

_MANIFEST = Path(__file__).parents[2] / "app.yaml"
#: A card is there within two seconds; slow networks and paced channels get this long.
WAIT_SECONDS = 15.0
_LOOK_EVERY = 0.2
_WIDTH = 80
_ONE_LINE = 1_000_000  # in a pipe or a log a finding is one line
#: How a terminal shows a level; nothing of it in pipes.
_COLOURS = {
    Level.OK: "32",
    Level.NOTE: "36",
    Level.WARN: "33",
    Level.FAULT: "1;31",
    Level.SKIP: "2",
}
_ORDER = (Level.FAULT, Level.WARN, Level.NOTE, Level.OK, Level.SKIP)
#: What is in the wrong variable, told by how it begins.
_KINDS = (
    ("xoxb-", "a bot token, for SLACK_BOT_TOKEN"),
    ("xapp-", "an app-level token, for SLACK_APP_TOKEN"),
    ("xoxp-", "a person's token, which Baton does not use"),
    ("xoxe", "a rotating token: switch token rotation off"),
    ("whsec_", "a webhook secret, for BATON_INTAKE_SECRET or BATON_WEBHOOK_SECRET"),
)


def doctor(
    *,
    test_lead: Annotated[
        str | None,
        Parameter(help="Also send a [TEST] card to this address of the playbook."),
    ] = None,
    json_: Annotated[
        bool,
        Parameter(name="--json", help="For programs.", negative="", show_default=False),
    ] = False,
) -> int:
    """Look at everything. 0: all is well or only warnings; 1: faults, the first names the cause; 2: not looked."""
    os.environ.setdefault("PGCONNECT_TIMEOUT", "8")
    try:
        settings = load_settings()
    except SettingsFault as wrong:
        found = [fault("settings", *_setting(sentence)) for sentence in wrong.sentences]
        return _tell([*found, skip("the rest", "needs clean settings")], json_)
    try:
        with plainly():
            database, demo = database_or_demo(settings)
    except CommandFault as wrong_address:
        found = [fault("database", sentence, "") for sentence in wrong_address.sentences]
        return _tell([*found, skip("the rest", "needs DATABASE_URL")], json_)
    try:
        looked = asyncio.run(examine(settings, database, Clock(), _scopes()))
        findings = [*looked.findings]
        if demo:
            findings.append(
                note(
                    "database",
                    f"this is the demo's ({shown(database)}), for DATABASE_URL is not set",
                )
            )
        if test_lead is not None:
            findings.append(_test(settings, database, looked, test_lead))
    finally:
        database.dispose()
    return _tell(findings, json_)


def _scopes() -> frozenset[str]:
    """The bot's scopes that app.yaml asks for."""
    try:
        document = YAML(typ="safe", pure=True).load(_MANIFEST.read_text(encoding="utf-8"))
        return frozenset(str(scope) for scope in document["oauth_config"]["scopes"]["bot"])
    except (OSError, YAMLError, KeyError, TypeError) as error:
        raise CommandFault(f"{_MANIFEST} cannot be read: {type(error).__name__}.") from None


def _setting(sentence: str) -> tuple[str, str]:
    """A fault of the environment, and what to do; what stands in the wrong variable is told by its beginning."""
    name = re.match(r"[A-Z_]+", sentence)
    value = os.environ.get(name.group(), "").strip() if name else ""
    for begins, kind in _KINDS:
        if value.startswith(begins) and "must start" in sentence:
            return f"{sentence}; it holds {kind}.", "Put each token into its own variable."
    if sentence.startswith("SLACK_BOT_TOKEN needs"):
        return (
            f"{sentence}.",
            "Socket Mode: make an app-level token with connections:write (Basic Information) for SLACK_APP_TOKEN.",
        )
    if "whsec_" in sentence or "base64" in sentence or "it must have 24" in sentence:
        return f"{sentence}.", 'Make one: echo "whsec_$(openssl rand -base64 32)"'
    return f"{sentence}.", "See “Running it” in the README."


# ------------------------------------------------------------------ the test lead


def _test(settings: Settings, database: Database, looked: Round, email: str) -> Finding:
    """Send it, and say what was seen of it."""
    topic = "test lead"
    if not looked.usable:
        return skip(topic, "needs the database")
    if looked.agreement is None:
        return skip(topic, "needs a playbook")
    with opened_runtime(settings, database, looked.agreement) as runtime:
        sent = runtime.write_now(lambda work: send_test_lead(work, email))
        if isinstance(sent, Refusal):
            return fault(topic, *_refused(email, sent))
        if not looked.runs:
            return fault(
                topic,
                f"The [TEST] card for {sent.name} waits: no Baton is running that would deliver it.",
                f"Start it: {'make run' if settings.slack_mode == 'sandbox' else 'baton run'}",
            )
        return _watch(runtime, sent)


def _watch(runtime: Runtime, sent: Sent) -> Finding:
    topic = "test lead"
    began = time.monotonic()
    while True:
        card = runtime.read_now(lambda work: examining.read_delivery(work.conn, sent.offer_id))
        seconds = time.monotonic() - began
        if card is not None and card.state == "sent":
            return ok(topic, f"[TEST] card delivered to {sent.name} in {seconds:.1f} s")
        if card is not None and card.state in ("dead", "superseded"):
            return fault(
                topic,
                f"Slack did not take the [TEST] card for {sent.name}: {told(card.reason, 100)}.",
                "See the findings about Slack and people.",
            )
        if seconds > WAIT_SECONDS:
            why = told(card.reason, 100) if card is not None and card.reason else "no answer yet"
            return fault(
                topic,
                f"The [TEST] card for {sent.name} was not delivered within {WAIT_SECONDS:.0f} s ({why}).",
                "It comes when Slack takes it again; see Baton's log.",
            )
        time.sleep(_LOOK_EVERY)


def _refused(email: str, refusal: Refusal) -> tuple[str, str]:
    if refusal.code == "not_in_playbook":
        return f"{email} is not in the playbook in force.", "Name an address of its `people`."
    if refusal.code == "deactivated":
        return f"{email} is deactivated in Slack.", "Name somebody who is active."
    why = f" ({told(refusal.sentence, 60)})" if refusal.sentence else ""
    return (
        f"Baton has no conversation with {email} in Slack yet{why}.",
        "Start Baton: it finds everybody within a minute. See the findings about people.",
    )


# ------------------------------------------------------------------ printing


def _tell(findings: Sequence[Finding], as_json: bool) -> int:
    faults = sum(1 for f in findings if f.level is Level.FAULT)
    # Stable: within a level the order of causes stays, so that the first line is the first cause.
    ordered = sorted(findings, key=lambda f: _ORDER.index(f.level))
    if as_json:
        body = {
            "ok": not faults,
            "faults": faults,
            "warnings": sum(1 for f in findings if f.level is Level.WARN),
            "findings": [
                {"level": f.level.value, "topic": f.topic, "what": f.what, "do": f.do}
                for f in ordered
            ],
        }
        print(json.dumps(body, ensure_ascii=False, indent=2))
    else:
        on_terminal = sys.stdout.isatty()
        width = _WIDTH if on_terminal else _ONE_LINE
        for line in _lines(ordered, width, on_terminal and "NO_COLOR" not in os.environ):
            print(line)
        print(_summary(findings, faults))
    return 1 if faults else 0


def _lines(findings: Iterable[Finding], width: int, colours: bool) -> Iterable[str]:
    for finding in findings:
        head = f"{finding.level.value:<6}{finding.topic:<13}"
        wrapped = textwrap.wrap(
            printable(finding.line),
            width,
            initial_indent=head,
            subsequent_indent=" " * len(head),
            break_long_words=False,
            break_on_hyphens=False,
        ) or [head]
        if colours:
            mark = f"\x1b[{_COLOURS[finding.level]}m{finding.level.value}\x1b[0m"
            wrapped[0] = mark + wrapped[0][len(finding.level.value) :]
        yield from wrapped


def _summary(findings: Sequence[Finding], faults: int) -> str:
    warnings = sum(1 for f in findings if f.level is Level.WARN)
    said = [counted(faults, "fault")] if faults else []
    said += [counted(warnings, "warning")] if warnings else []
    if not said:
        return "\nAll is well."
    first = " Begin with the first line: what follows may come from it." if faults > 1 else ""
    return f"\n{' and '.join(said)}.{first}"
