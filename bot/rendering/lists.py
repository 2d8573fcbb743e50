"""Many leads in one message: offers to a rep, reminders, breaches for a manager, a colleague's leads, late
reviews.

Up to ten rows have a button, the rest is counted. `lead_rows` is shared with Home and the command
replies. What is not here: when many become one (services), a single lead (`lead_card`,
`escalation_card`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

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
#: A reason stands beside the time on one line of a phone.
NOTE_CAP = 60

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
    status = wording.WAITING if row.waiting else terms.STATUSES[row.status]
    due = ""
    if row.due is not None:
        said = wording.by(wording.clock_verb(row.clock), row.due, reader)
        due = f"{word}: {wording.inside(said)}" if word else wording.inside(said)
    holder = escape.clean(row.holder, escape.PERSON_CAP)
    note = wording.inside(escape.clean(row.note, NOTE_CAP))
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
    """Several offers at once, soonest due first; behind them what was accepted and waits for a call."""
    title = _offers_title(view)
    first = next((row for row in view.lines if row.due is not None), None)
    text = f"{title} {wording.who_short(first.lead)}." if first is not None else title
    return message(
        text,
        [
            rich_text(lines(line(f"{terms.MARK_OFFERED} ", bold(title)))),
            *lead_rows(view.lines, view.reader, ActionId.LIST_OPEN),
            _rest(len(view.lines), view.total, "/lead mine"),
        ],
    )


def _offers_title(view: OfferList) -> str:
    """`7 leads for you. First: accept by 15:00.`, `2 to answer, first by 15:00; 1 to contact by Tue 10:00.`"""
    accepted = [row for row in view.lines if row.status is not Status.OFFERED]
    dues = [row.due for row in view.lines if row.status is Status.OFFERED and row.due is not None]
    asked = view.total - len(accepted)
    if not view.total:
        return _offers_over(view)
    if accepted:
        later = [row.due for row in accepted if row.due is not None]
        parts = (_left(asked, "answer", dues, view), _left(len(accepted), "contact", later, view))
        return f"{'; '.join(part for part in parts if part)}."
    title = f"{wording.plural(asked, 'imported lead' if view.imported else 'lead')} for you"
    if not dues:
        return f"{title}."
    by = wording.by("accept", min(dues), view.reader)
    return f"{title}: {by}." if asked == 1 else f"{title}. First: {by}."


def _left(count: int, verb: str, dues: list[datetime], view: OfferList) -> str:
    """ "1 to contact by Tue 10:00", "2 to answer, first by 15:00"."""
    if not count:
        return ""
    said = f"{count} to {verb}"
    if not dues:
        return said
    return wording.by(said if count == 1 else f"{said}, first", min(dues), view.reader)


def _offers_over(view: OfferList) -> str:
    """Nobody reads "answered" of what they let lapse."""
    if not view.moved_on:
        return "All answered. Nothing to do."
    answered = f"{view.answered} answered, " if view.answered else ""
    return f"{answered}{view.moved_on} moved on to others. Nothing to do."


def render_reminder_list(view: OfferList) -> Message:
    """Several reminders at once: `10 leads wait for you. First: accept by 15:00.`"""
    count = (
        f"{wording.plural(view.total, 'lead')} {'waits' if view.total == 1 else 'wait'} for you."
    )
    title = count if view.total else "None of these waits for you any more."
    text = title
    first = next((row for row in view.lines if row.due is not None), None)
    if first is not None and first.due is not None:
        said = wording.by(wording.clock_verb(first.clock), first.due, view.reader)
        title = f"{title} First: {wording.inside(said)}."
        text = f"{title} {wording.who_short(first.lead)}."
    return message(
        text,
        [
            rich_text(lines(line(f"{terms.MARK_DUE_SOON} ", bold(title)))),
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
    if view.back:
        title = f"{name} is back. Nothing to do."
        return message(title, [rich_text(lines(line(bold(title))))])
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
