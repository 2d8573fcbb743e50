"""The doors of Baton: the address it listens on, secrets of those who send leads, the receiver of changes, the second
way for breaches.

What is not here: Slack (`examine_slack`).
"""

from __future__ import annotations

import re
from collections import defaultdict
from ipaddress import ip_address

from sqlalchemy import exc

from bot.clock import Clock
from bot.gateways.own_door import Door, knock
from bot.gateways.webhook_out import key_of, shown_of
from bot.services.examine_findings import Finding, fault, note, ok, skip, told, warn
from bot.services.probe_receiver import probe_receiver
from bot.settings import Settings, secret_bytes
from storage import hooks
from storage.database import Database

#: Parts of words that stand in examples, not in secrets.
_EXAMPLE = re.compile(
    rb"change.?me|example|placeholder|password|secret|your|test|demo|1234567|abcdef", re.I
)
#: The key of the Standard Webhooks documentation, which everybody copies.
_KNOWN = frozenset({"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "C2FVsBQIhrscChlQIMV+b5sSYspob7oD"})
_MAKE_ONE = 'Make one: echo "whsec_$(openssl rand -base64 32)"'


def examine_intake(settings: Settings) -> list[Finding]:
    """Who may send leads, and whether their secrets are any."""
    topic = "intake"
    if not settings.intake_secrets and not settings.intake_tokens:
        if settings.slack_mode == "sandbox":
            return [note(topic, "the demo's page sends leads with a secret of its own")]
        return [
            fault(
                topic,
                "Nobody may send leads: neither BATON_INTAKE_SECRET nor BATON_INTAKE_TOKEN is set.",
                'export BATON_INTAKE_SECRET="website:whsec_$(openssl rand -base64 32)"',
            )
        ]
    found = []
    names: dict[str, list[str]] = defaultdict(list)
    for name, secret in settings.intake_secrets:
        text = secret.get_secret_value()
        names[text].append(name)
        if _is_weak(secret_bytes(text)) or text.removeprefix("whsec_") in _KNOWN:
            found.append(
                warn(
                    topic,
                    f"The secret of “{told(name, 40)}” in BATON_INTAKE_SECRET can be guessed.",
                    f"{_MAKE_ONE}.",
                )
            )
    for name, token in settings.intake_tokens:
        text = token.get_secret_value()
        names[text].append(name)
        if _is_weak(text.encode()):
            found.append(
                warn(
                    topic,
                    f"The token of “{told(name, 40)}” in BATON_INTAKE_TOKEN can be guessed.",
                    "Make one: openssl rand -hex 24",
                )
            )
    found += [
        warn(
            topic,
            f"{' and '.join(sorted(set(same)))} have one and the same secret: the first name counts for both.",
            "Give each sender its own.",
        )
        for same in names.values()
        if len(set(same)) > 1
    ]
    senders = {name for name, _ in (*settings.intake_secrets, *settings.intake_tokens)}
    return found or [ok(topic, f"{', '.join(sorted(senders))} may send leads")]


async def examine_receiver(
    settings: Settings, database: Database | None, clock: Clock
) -> list[Finding]:
    """The receiver of changes: switched off, or one signed `baton.test` event that it should take."""
    topic = "webhook"
    if not settings.webhook_url:
        return [note(topic, "no receiver of changes is set (BATON_WEBHOOK_URL)")]
    shown = shown_of(settings.webhook_url)
    if database is not None:
        try:
            with database.read() as conn:
                row = hooks.read_receiver(conn, key_of(settings.webhook_url))
        except (exc.DBAPIError, exc.TimeoutError):
            row = None
        if row is not None and row.disabled_at is not None:
            return [
                fault(
                    topic,
                    f"Baton has stopped sending to {shown} since {row.disabled_at:%Y-%m-%d %H:%M}Z "
                    f"({told(row.last_failure, 60)}).",
                    "Mend the receiver (baton webhook test), then: baton webhook enable",
                )
            ]
    result = await probe_receiver(settings, clock)
    if not result.ok:
        return [
            fault(
                topic,
                told(result.sentence, 240),
                "Look at BATON_WEBHOOK_URL and at the receiver; try again: baton webhook test",
            )
        ]
    if result.doubtful:
        return [warn(topic, told(result.sentence, 300), "Open the receiver's own log.")]
    return [ok(topic, told(result.sentence, 160))]


def examine_second_way(settings: Settings) -> list[Finding]:
    """Who hears of breaches and of Baton's own trouble while Slack is down."""
    topic = "second way"
    ways = [
        name
        for name, is_set in (("mail", settings.smtp_url), ("a webhook", settings.alert_url))
        if is_set
    ]
    if ways:
        return [ok(topic, f"breaches that Slack does not take go by {' and '.join(ways)}")]
    if settings.slack_mode == "sandbox":
        return [note(topic, "none is set: the demo needs none")]
    return [
        warn(
            topic,
            "While Slack is down nobody hears of a breach, nor of trouble of Baton's own.",
            "Set BATON_SMTP_URL or BATON_ALERT_URL (docs/delivery.md).",
        )
    ]


async def examine_listener(settings: Settings, *, runs: bool) -> list[Finding]:
    """Who answers at HOST and PORT. `runs`: a worker ticks on this database, so a Baton should be there."""
    topic = "listener"
    at = f"{settings.host}:{settings.port}"
    found: list[Finding] = []
    if not _is_loopback(settings.host):
        found.append(
            note(
                topic,
                f"Baton listens on {at}, open to the network and without TLS.",
                "Put a proxy with TLS in front, or set HOST=127.0.0.1.",
            )
        )
    if settings.port == 0:
        return [*found, skip(topic, "PORT=0, the system chooses the port")]
    return [*found, *_about(await knock(settings.host, settings.port), at, runs=runs)]


def _about(door: Door, at: str, *, runs: bool) -> list[Finding]:
    topic = "listener"
    if door.who == "baton" and door.faults:
        return [
            fault(topic, f"Baton at {at} says: {told(each, 300)}", "See its log.")
            for each in door.faults
        ]
    if door.who == "baton":
        return [ok(topic, f"Baton answers at {at}")]
    if door.who == "nobody":
        if runs:
            return [
                warn(
                    topic,
                    f"Baton runs, but nothing answers at {at}: no lead can be sent there.",
                    "Ask with the HOST and PORT that Baton was started with; or baton web is not running: start it.",
                )
            ]
        return [ok(topic, f"{at} is free")]
    if door.who == "silent":
        return [
            fault(
                topic,
                f"What listens at {at} does not answer within 3 s.",
                "Restart it, or set PORT.",
            )
        ]
    return [
        fault(topic, f"Another program listens at {at}.", "Stop it, or set PORT to a free one.")
    ]


def _is_weak(secret: bytes) -> bool:
    """Few different characters, or words of examples."""
    return len(set(secret)) < 10 or _EXAMPLE.search(secret) is not None


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
