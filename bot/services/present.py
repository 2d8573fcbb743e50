"""From an outbox row to the message that Slack gets: one table, a builder per template.

Rendering happens at the moment of sending, from the state as it is then; it only reads. What is not
here: the builders (`present_offer` and its siblings), sending (`deliver`).
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.domain.agreement import ClockKind
from bot.rendering.notices import render_erased, render_purged
from bot.services import (
    agree_challenges,
    announce_import,
    audit_leads,
    present_challenge,
    present_escalation,
    present_home,
    present_hook,
    present_lists,
    present_offer,
    present_report,
    present_review,
    watch_house,
)
from bot.services.deliver_types import Drop, Rendered, RenderRow
from bot.services.work import Work
from storage import clocks, leads
from storage.cards import CardRow
from storage.deliveries import OutboxRow


def render_row(work: Work, row: OutboxRow, card: CardRow | None) -> Rendered | Drop:
    """What to send for `row` now; `card`: the posted message that it edits, None for a first post.

    `Drop` when nobody needs it any more. A template that nobody knows is a Drop too: a row written by
    a newer version must not stop its lane.
    """
    gone = _gone(work, row, card)
    if gone is not None:
        return gone
    build = BUILDERS.get(row.template)
    return build(work, row, card) if build is not None else Drop("unknown_template")


def _gone(work: Work, row: OutboxRow, card: CardRow | None) -> Rendered | Drop | None:
    """A message about a lead that was erased or is no longer kept says only that; None for every other."""
    lead = leads.read_lead(work.conn, row.lead_id) if row.lead_id is not None else None
    if lead is None or (lead.erased_at is None and lead.purged_at is None):
        return None
    if card is None:
        return Drop("erased")
    return Rendered(render_erased() if lead.erased_at is not None else render_purged(), closed=True)


def _reminder(work: Work, row: OutboxRow, card: CardRow | None) -> Rendered | Drop:
    """A rep's clock reminds in the thread of their card, the review clock under its message."""
    clock = clocks.read_clock(work.conn, row.clock_id) if row.clock_id is not None else None
    if clock is not None and clock.kind == ClockKind.REVIEW.value:
        return present_review.review_reminder(work, row, card, clock)
    return present_offer.reminder(work, row, card)


BUILDERS: Mapping[str, RenderRow] = {
    "lead_card": present_offer.lead_card,
    "reminder": _reminder,
    "nudge": present_offer.nudge,
    "news_line": present_lists.news_line,
    "escalation": present_escalation.escalation,
    "review_card": present_review.review_card,
    "offers_list": present_lists.offers_list,
    "released_list": present_lists.released_list,
    "breach_list": present_lists.breach_list,
    "reminders_list": present_lists.reminders_list,
    "handover": present_lists.handover,
    "failure_notice": present_lists.failure_notice,
    "import_notice": announce_import.import_notice,
    "audit": audit_leads.audit_message,
    "weekly_report": present_report.weekly_report,
    "weekly_rest": present_report.weekly_rest,
    "manager_digest": present_report.manager_digest,
    "monthly_line": present_report.monthly_line,
    "home": present_home.home,
    "hook_notice": present_hook.hook_notice,
    "alarm_notice": watch_house.alarm_notice,
    **present_challenge.BUILDERS,
    "challenge_note": agree_challenges.challenge_note,
}
