"""The notice about the webhook receiver, as it is when it is sent. What is not here: its words (`hook_notice`)."""

from __future__ import annotations

from bot.rendering.hook_notice import HookNotice, render_hook_notice
from bot.services.deliver_types import Drop, Rendered
from bot.services.work import Work
from storage import hooks
from storage.cards import CardRow
from storage.deliveries import OutboxRow


def hook_notice(work: Work, row: OutboxRow, card: CardRow | None) -> Rendered | Drop:
    """The template `hook_notice`."""
    given_up = row.data.get("what") == "given_up"
    waiting = 0 if given_up else hooks.read_backlog(work.conn).waiting
    view = HookNotice(str(row.data.get("code") or ""), given_up, waiting)
    return Rendered(render_hook_notice(view), closed=True)
