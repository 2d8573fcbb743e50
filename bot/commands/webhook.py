"""`baton webhook test | status | enable`: the receiver of changes (a CRM, Zapier, n8n).

What is not here: the call itself (`probe_receiver`), delivery (`deliver_hooks`).
"""

from __future__ import annotations

import asyncio
from typing import Annotated

from cyclopts import Parameter

from bot.clock import Clock
from bot.commands.failing import CommandFault
from bot.commands.opening import opened_database, plainly
from bot.commands.wording import counted, minute
from bot.gateways.webhook_out import key_of, shown_of
from bot.services.probe_receiver import probe_receiver
from bot.settings import Settings, load_settings
from storage import hooks

_NONE = "No webhook receiver is configured: set BATON_WEBHOOK_URL and BATON_WEBHOOK_SECRET."


def test() -> int:
    """Send one signed `baton.test` event now; 1 when the receiver does not take it."""
    with plainly():
        settings = load_settings()
    result = asyncio.run(probe_receiver(settings))
    if not result.tried:
        raise CommandFault(result.sentence)
    print(result.sentence)
    return 0 if result.ok else 1


def status() -> int:
    """How the receiver behaves and what waits for it; 1 when it fails or is disabled."""
    with plainly():
        settings = _configured()
        with opened_database(settings) as database, database.read() as conn:
            receiver = hooks.read_receiver(conn, key_of(settings.webhook_url))
            backlog = hooks.read_backlog(conn)
    print(f"receiver  {shown_of(settings.webhook_url)}")
    print(f"state     {_state(receiver)}")
    oldest = f", the oldest since {minute(backlog.oldest)}" if backlog.oldest is not None else ""
    print(f"waiting   {counted(backlog.waiting, 'change')}{oldest}")
    print(f"given up  {counted(backlog.dead, 'change')}")
    if receiver is None:
        return 0
    return 1 if receiver.disabled_at is not None or receiver.failing_since is not None else 0


def enable(
    *,
    drop_waiting: Annotated[
        bool,
        Parameter(help="Do not send what waited meanwhile.", negative="", show_default=False),
    ] = False,
) -> int:
    """Send to the receiver again; what waited goes first, in order."""
    with plainly():
        settings = _configured()
        with opened_database(settings) as database, database.write() as conn:
            real = Clock().real()
            was_disabled = hooks.enable(conn, key_of(settings.webhook_url))
            if drop_waiting:
                many = hooks.drop_waiting(conn, "dropped by an admin", real=real)
            else:
                many = hooks.start_anew(conn, real=real)
    print("The receiver is enabled." if was_disabled else "The receiver was not disabled.")
    what = "dropped" if drop_waiting else "due now"
    print(f"{counted(many, 'waiting change')} {what}.")
    return 0


def _configured() -> Settings:
    settings = load_settings()
    if not settings.webhook_url:
        raise CommandFault(_NONE)
    return settings


def _state(receiver: hooks.ReceiverRow | None) -> str:
    if receiver is None:
        return "not tried yet"
    last_ok = f"; last success {minute(receiver.last_ok_at)}" if receiver.last_ok_at else ""
    if receiver.disabled_at is not None:
        return (
            f"disabled since {minute(receiver.disabled_at)} ({receiver.last_failure}){last_ok}; "
            "when it is mended: baton webhook enable"
        )
    if receiver.failing_since is not None:
        times = counted(receiver.failures, "failure")
        return f"failing since {minute(receiver.failing_since)} ({times}, last {receiver.last_failure}){last_ok}"
    return f"working{last_ok}"
