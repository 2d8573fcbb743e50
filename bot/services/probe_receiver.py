"""Trying the webhook receiver once, for `baton webhook test` and `baton doctor`. Nothing is stored.

What is not here: what leads' changes look like (`tell_crm`), their delivery (`deliver_hooks`).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from bot.clock import Clock
from bot.gateways.webhook_out import WebhookReceiver
from bot.services.tell_crm import probe_event
from bot.settings import Settings


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """`ok`: the receiver answered 2xx. `sentence`: what happened, for people, without secrets. `doubtful`: it is a
    success by the rules, but the answer looks like a page for people, maybe a login. `tried` False: none is configured.
    """

    ok: bool
    sentence: str
    doubtful: bool = False
    tried: bool = True


async def probe_receiver(settings: Settings, clock: Clock | None = None) -> ProbeResult:
    """Send one signed `baton.test` event now; takes 16 s at most, never raises."""
    clock = clock or Clock()
    if not settings.webhook_url or settings.webhook_secret is None:
        said = "No webhook receiver is configured: set BATON_WEBHOOK_URL and BATON_WEBHOOK_SECRET."
        return ProbeResult(False, said, tried=False)
    receiver = WebhookReceiver(settings.webhook_url, settings.webhook_secret.get_secret_value())
    try:
        now = clock.real()
        event = probe_event(now, str(uuid.uuid4()))
        answer = await receiver.post(str(event["id"]), event, now)
    finally:
        await receiver.close()
    if not answer.ok:
        return ProbeResult(False, f"{answer.said} ({answer.ms} ms)")
    if answer.page:
        return ProbeResult(
            True,
            f"{answer.said} ({answer.ms} ms) By the rules that is a success, but if it is a login or error page, "
            "changes are lost there: check that the address is the receiver's own.",
            doubtful=True,
        )
    return ProbeResult(True, f"{answer.said} ({answer.ms} ms)")
