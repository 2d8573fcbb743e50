"""Short messages that stand for themselves: a failed delivery, news about a lead, an import for review.

What is not here: lists (`lists`), answers to commands (`replies`).
"""

from __future__ import annotations

from bot.rendering import escape, wording
from bot.rendering.ids import ActionId, BlockId
from bot.rendering.rich import (
    Element,
    Message,
    actions,
    at,
    bold,
    button,
    flat,
    line,
    lines,
    literal,
    message,
    rich_text,
)
from bot.rendering.views_pages import DeliveryFailure, ImportNotice, NewsLine

#: Slack's error codes in words; others are shown as they are.
_CAUSES = {
    "user_not_found": "Slack does not know this person",
    "users_not_found": "Slack does not know this address",
    "user_disabled": "their Slack account is deactivated",
    "account_inactive": "their Slack account is deactivated",
    "channel_not_found": "Slack does not know the channel, or Baton is not in it",
    "not_in_channel": "Baton is not in the channel",
    "is_archived": "the channel is archived",
    "cannot_dm_bot": "the receiver is a bot",
    "messages_tab_disabled": "messages to Baton are switched off in Slack's app settings",
    "restricted_action": "a workspace setting forbids it",
    "missing_scope": "Baton lacks a permission in Slack",
    "invalid_auth": "Slack refuses Baton's token",
    "msg_too_long": "Slack says the message is too long",
    "invalid_blocks": "Slack refuses the form of the message",
}
_WHATS = {
    "offer": "An offer",
    "card": "A card",
    "reminder": "A reminder",
    "escalation": "An escalation",
    "review": "A review message",
    "list": "A list",
    "home": "A Home tab",
}


def render_delivery_failure(view: DeliveryFailure) -> Message:
    """To a manager: what could not be delivered, why, what Baton did instead, what to do."""
    what = _WHATS.get(view.what, "A message")
    receiver = escape.clean(view.receiver, escape.PERSON_CAP) or "somebody"
    cause = _CAUSES.get(view.cause, escape.clean(view.cause.replace("_", " "), 60) or "unknown")
    done = escape.clean(view.done, 120)
    lead = f": {wording.who_short(view.lead)}" if view.lead else ""
    rows = [
        line(bold(f"{what} did not reach {receiver}{lead}")),
        line("Reason: ", literal(cause), "."),
        line(literal(wording.sentence(done))) if done else [],
        line("Check the address or channel in the playbook, or tell your admin."),
    ]
    button_row = None
    if view.offer_id and view.lead is not None:
        opened = button(wording.OPEN, ActionId.LIST_TEAM_OPEN, view.offer_id)
        button_row = actions(BlockId.LIST_ACTIONS, opened)
    text = "\n".join(flat(row) for row in rows if row)
    return message(text, [rich_text(lines(*rows)), button_row])


def render_import_notice(view: ImportNotice) -> Message:
    """`412 imported leads wait for your review. They stand on your Home tab, oldest first.`"""
    title = f"{wording.plural(view.count, 'imported lead')} wait for your review."
    where = " They stand on your Home tab, oldest first."
    if view.count == 1:
        title, where = "1 imported lead waits for your review.", " It stands on your Home tab."
    return message(title + where, [rich_text(lines(line(bold(title), where)))])


def render_erased() -> Message:
    """What a message about an erased person says from then on."""
    return _gone("[erased]")


def render_purged() -> Message:
    """The same, by retention."""
    return _gone("[no longer kept]")


def _gone(text: str) -> Message:
    return message(text, [rich_text(lines(line(text)))])


def render_news_line(view: NewsLine) -> Message:
    """In the owner's thread: `Jana Novak just opened the pricing page for the third time.`"""
    who = bold(wording.person(view.lead))
    if view.hand_raise:
        row: list[Element] = line(who, " asked for a call again")
        if view.due is not None:
            verb = wording.clock_verb(view.clock).lower()
            row += line(f": {verb} by ", at(view.due, view.reader, bold=True))
        row += line(".")
    else:
        what = escape.clean(view.what, 120) or "was active again"
        row = line(who, " just ", literal(what), ".")
    return message(flat(row), [rich_text(lines(row))])
