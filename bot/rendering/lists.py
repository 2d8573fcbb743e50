"""Many leads in one message: offers to a rep, breaches for a manager, a colleague's leads, late
reviews.

Up to ten rows have a button, the rest is counted. `lead_rows` is shared with Home and the command
replies. What is not here: when many become one (services), a single lead (`lead_card`,
`escalation_card`).
"""

from __future__ import annotations

from collections.abc import Iterable

from bot.domain.funnel import OWNED, Status
from bot.rendering import escape, terms, times, wording
from bot.rendering.ids import ActionId, BlockId
from bot.rendering.rich import (
    Block,
    Message,
    actions,
    bold,
    button,
    context,
    line,
    lines,
    literal,
    message,
    rich_text,
    section,
)
from bot.rendering.views import Reader
from bot.rendering.views_pages import (
    BreachList,
    HandoverList,
    LeadLine,
    MarketingOverdue,
    OfferList,
)

ROWS = 10
_MARKS = {
    Status.OFFERED: terms.MARK_OFFERED,
    Status.REVIEW: terms.MARK_MARKETING,
    **dict.fromkeys((*OWNED, Status.WON), terms.MARK_ACCEPTED),
}


def lead_row(row: LeadLine, reader: Reader) -> str:
    """Two lines of plain text: who; where it stands and by when. Times in the reader's zone."""
    mark, word = wording.mark_of(row.due, row.due_soon_from, reader.now)
    if not word:
        mark = _MARKS.get(row.status, "")
    status = terms.STATUSES[row.status]
    due = ""
    if row.due is not None:
        said = wording.by(wording.clock_verb(row.clock), row.due, reader)
        due = f"{word}: {wording.inside(said)}" if word else wording.inside(said)
    holder = escape.clean(row.holder, escape.PERSON_CAP)
    note = wording.inside(row.note)
    head = " ".join(x for x in (mark, wording.who(row.lead)) if x)
    return f"{head}\n{wording.dotted((status, due, holder, note))}"


def lead_rows(
    rows: Iterable[LeadLine], reader: Reader, action: ActionId, *, limit: int = ROWS
) -> list[Block]:
    """One block a lead, each with an Open button."""
    return [
        section(
            lead_row(row, reader),
            button(wording.OPEN, action, row.id, label=f"Open {wording.who(row.lead)}"),
        )
        for row in list(rows)[:limit]
    ]


def _rest(shown: int, total: int, how: str) -> Block | None:
    more = wording.and_more(min(shown, ROWS), total)
    return context(f"{more}: {how}") if more else None


def render_offer_list(view: OfferList) -> Message:
    """More than five offers at once, soonest due first."""
    count = wording.plural(view.total, "lead")
    first = next((row for row in view.lines if row.due is not None), None)
    title = f"{count} for you."
    text = title
    if first is not None and first.due is not None:
        by = wording.by("accept", first.due, view.reader)
        title = f"{title} First: {by}."
        text = f"{title} {wording.who_short(first.lead)}."
    return message(
        text,
        [
            rich_text(lines(line(f"{terms.MARK_OFFERED} ", bold(title)))),
            *lead_rows(view.lines, view.reader, ActionId.LIST_OPEN),
            _rest(len(view.lines), view.total, "/lead mine"),
        ],
    )


def render_breach_list(view: BreachList) -> Message:
    """`7 EMEA leads overdue, 2 asked for a call. Oldest: 09:10`."""
    scope = f"{escape.clean(view.scope, 30)} " if view.scope else ""
    noun = "lead" if view.total == 1 else "leads"
    asked = f", {view.hand_raisers} asked for a call" if view.hand_raisers else ""
    oldest = ""
    if view.oldest is not None:
        oldest = f" Oldest: {times.moment(view.oldest, view.reader.zone, view.reader.now)}"
    title = f"{view.total} {scope}{noun} overdue{asked}.{oldest}"
    more = button(wording.SHOW_ALL, ActionId.LIST_SHOW_ALL, "overdue")
    return message(
        title,
        [
            rich_text(lines(line(f"{terms.MARK_OVERDUE} ", bold(title)))),
            *lead_rows(view.lines, view.reader, ActionId.LIST_TEAM_OPEN),
            _rest(len(view.lines), view.total, "/lead overdue"),
            actions(BlockId.LIST_ACTIONS, more)
            if view.total > min(len(view.lines), ROWS)
            else None,
        ],
    )


def render_handover_list(view: HandoverList) -> Message:
    """Leads of somebody who left or is away, to the manager."""
    name = escape.clean(view.person, escape.PERSON_CAP) or "A colleague"
    if view.left:
        why = f"{name} is not in the playbook any more"
    elif view.until is not None:
        why = f"{name} is away until {times.moment(view.until, view.reader.zone, view.reader.now)}"
    else:
        why = f"{name} is away"
    has = f"{wording.plural(view.total, 'open lead')} {'is' if view.total == 1 else 'are'} theirs"
    title = f"{why}: {has}." if view.total else f"{why}. No open leads."
    kept = ""
    if view.total:
        kept = "Their clocks go on. Take or reassign what cannot wait."
    moved = ""
    if view.moved_on:
        moved = f"{wording.plural(view.moved_on, 'open offer')} went to the next rep."
    return message(
        " ".join(x for x in (title, moved) if x),
        [
            rich_text(
                lines(
                    line(bold(title)),
                    line(literal(kept)) if kept else [],
                    line(literal(moved)) if moved else [],
                )
            ),
            *lead_rows(view.lines, view.reader, ActionId.LIST_TEAM_OPEN),
            _rest(len(view.lines), view.total, "/lead team"),
        ],
    )


def render_marketing_overdue(view: MarketingOverdue) -> Message:
    """`3 rejected leads wait for marketing since Mon 09:00. Promise: 1 working day.`"""
    since = times.moment(view.since, view.reader.zone, view.reader.now)
    promise = escape.clean(view.promise, 60)
    count = wording.plural(view.count, "rejected lead")
    verb = "waits" if view.count == 1 else "wait"
    title = f"{count} {verb} for marketing since {since}."
    said = f" Promise: {promise}." if promise else ""
    return message(
        f"{title}{said}",
        [
            rich_text(
                lines(line(f"{terms.MARK_OVERDUE} ", bold(title), literal(said) if said else ""))
            ),
            *lead_rows(view.lines, view.reader, ActionId.LIST_REVIEW_OPEN),
            _rest(len(view.lines), view.count, "see the review channel") if view.lines else None,
        ],
    )
