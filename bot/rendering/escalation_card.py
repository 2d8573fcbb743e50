"""The manager's message about a breached clock: one per lead, edited to its end.

What is not here: who gets it (`bot.domain.sla`), the digest of many (`lists`), the forms
(`modals`).
"""

from __future__ import annotations

from collections.abc import Callable

from bot.domain.agreement import ClockKind
from bot.rendering import escape, terms, times, wording
from bot.rendering.ids import ActionId, BlockId, CallbackId, More
from bot.rendering.rich import (
    Block,
    Element,
    Message,
    Part,
    View,
    actions,
    at,
    bold,
    button,
    flat,
    line,
    lines,
    literal,
    message,
    modal,
    overflow,
    rich_text,
    when,
)
from bot.rendering.views import EscalationCard, EscalationEnd, EscalationOutcome

Row = list[Element]

#: What did not happen, for the notification: "Not accepted by 10:45".
_MISSED = {
    ClockKind.ROUTE: "Not routed",
    ClockKind.SCRUB: "Not cleaned",
    ClockKind.ACCEPT: "Not accepted",
    ClockKind.FIRST_TOUCH: "Not contacted",
    ClockKind.FOLLOW_UP: "Not followed up",
    ClockKind.DECIDE: "Not decided",
    ClockKind.STALLED: "Not closed",
    ClockKind.SHELF_LIFE: "Not contacted",
    ClockKind.REVIEW: "Not decided",
}


def render_escalation_card(card: EscalationCard) -> Message:
    """The DM to the manager; the same view gives the post and every later edit."""
    if card.outcome is not None:
        return message(flat(_closed(card, card.outcome)), _blocks(card))
    missed = f"{wording.by(_MISSED[card.clock], card.due, card.reader)}"
    text = wording.notification(card.lead, wording.asked(card.lead), missed)
    behind = [flat(row) for row in (_holders(card), _state(card)) if row]
    return message("\n".join([text, *behind]), _blocks(card))


def render_escalation_modal(card: EscalationCard) -> View:
    """The same as a modal, for lists and Home."""
    metadata = {"offer": card.offer_id}
    return modal(CallbackId.ESCALATION, "Lead", _blocks(card), close="Close", metadata=metadata)


def _blocks(card: EscalationCard) -> list[Block | None]:
    if card.outcome is not None:
        return [rich_text(lines(_closed(card, card.outcome)))]
    return [rich_text(lines(_head(card), _holders(card), _state(card))), _buttons(card)]


def _head(card: EscalationCard) -> Row:
    """🔴, who, and the plain sentence of the clock."""
    sentence = _SENTENCES[card.clock](card)
    return line(f"{terms.MARK_OVERDUE} ", bold(wording.who(card.lead)), " ", *sentence)


def _holder(card: EscalationCard) -> str:
    return next((h.name for h in card.holders if h.current), "")


def _asked(card: EscalationCard) -> tuple[Part, ...]:
    asked = wording.asked(card.lead) or "arrived"
    return (literal(asked), " ", *when(card.since, card.reader))


def _owned(card: EscalationCard) -> tuple[Part, ...]:
    """ "accepted by Ben Ode at 10:40"."""
    name = escape.clean(_holder(card), escape.PERSON_CAP)
    return ("accepted ", literal(f"by {name} ") if name else "", *when(card.since, card.reader))


def _accept(card: EscalationCard) -> tuple[Part, ...]:
    return (*_asked(card), ", not accepted by ", at(card.due, card.reader))


def _first_touch(card: EscalationCard) -> tuple[Part, ...]:
    return (*_owned(card), ", not contacted by ", at(card.due, card.reader))


def _follow_up(card: EscalationCard) -> tuple[Part, ...]:
    count = f"{card.touches_done} of {wording.plural(card.touches_wanted, 'touch', 'touches')}"
    return (f"has {count}, all were due by ", at(card.due, card.reader))


def _decide(card: EscalationCard) -> tuple[Part, ...]:
    return (*_owned(card), ", neither qualified nor recycled by ", at(card.due, card.reader))


def _stalled(card: EscalationCard) -> tuple[Part, ...]:
    time = when(card.since, card.reader)
    return ("qualified ", *time, ", not closed by ", at(card.due, card.reader))


def _shelf_life(card: EscalationCard) -> tuple[Part, ...]:
    return (*_asked(card), ", nobody made contact by ", at(card.due, card.reader))


def _route(card: EscalationCard) -> tuple[Part, ...]:
    return (*_asked(card), ", not routed by ", at(card.due, card.reader))


def _scrub(card: EscalationCard) -> tuple[Part, ...]:
    return (*_asked(card), ", not cleaned by ", at(card.due, card.reader))


def _review(card: EscalationCard) -> tuple[Part, ...]:
    time = when(card.since, card.reader)
    return ("came back to marketing ", *time, ", not decided by ", at(card.due, card.reader))


_SENTENCES: dict[ClockKind, Callable[[EscalationCard], tuple[Part, ...]]] = {
    ClockKind.ROUTE: _route,
    ClockKind.SCRUB: _scrub,
    ClockKind.ACCEPT: _accept,
    ClockKind.FIRST_TOUCH: _first_touch,
    ClockKind.FOLLOW_UP: _follow_up,
    ClockKind.DECIDE: _decide,
    ClockKind.STALLED: _stalled,
    ClockKind.SHELF_LIFE: _shelf_life,
    ClockKind.REVIEW: _review,
}


_ANSWERS = {"rejected": " rejected it ", "passed": " passed it on ", "recycled": " recycled it "}


def _holders(card: EscalationCard) -> Row:
    """ "Ann Lee until 10:45, now Ben Ode until 11:00. Reminded once."; the last four holders."""
    parts: list[Part] = []
    for holder in card.holders[-4:]:
        name = escape.clean(holder.name, escape.PERSON_CAP) or "Somebody"
        if holder.current and holder.until <= card.reader.now:  # nobody took it from them
            parts += [", still with " if parts else "Still with ", literal(name)]
            continue
        parts += [", " if parts else "", "now " if holder.current else "", literal(name)]
        said = _ANSWERS.get(holder.answer, " until ")
        parts += [said, at(holder.until, card.reader)]
    if parts:
        parts.append(".")
    if card.reminded > 0:
        parts.append(f"{' ' if parts else ''}Reminded {wording.times_over(card.reminded)}.")
    if card.nudged_at is not None:
        parts += [" " if parts else "", "You nudged ", *when(card.nudged_at, card.reader), "."]
    return line(*parts)


def _state(card: EscalationCard) -> Row:
    return line("No other rep is free for it.") if card.nobody_left else []


def _buttons(card: EscalationCard) -> Block | None:
    id_ = card.offer_id
    menu: list[tuple[More, str]] = []
    if card.can_extend:
        menu.append((More.MORE_TIME, wording.MORE_TIME))
    excused = escape.first_name(card.excuse_name)
    if excused:
        menu.append((More.EXCUSE, f"Excuse {excused}…"))
    if card.can_take:
        menu.append((More.RECYCLE, wording.RECYCLE))
    menu.append((More.WHY, wording.WHY))
    holder = escape.first_name(_holder(card), 18)
    take = button(wording.TAKE, ActionId.ESCALATION_TAKE, id_, style="primary")
    move = button(wording.REASSIGN, ActionId.ESCALATION_REASSIGN, id_)
    nudge = button(f"Nudge {holder}", ActionId.ESCALATION_NUDGE, id_)
    return actions(
        BlockId.ESCALATION_ACTIONS,
        take if card.can_take else None,
        move if card.can_take else None,
        nudge if card.can_nudge and holder and card.nudged_at is None else None,
        overflow(ActionId.ESCALATION_MORE, id_, menu),
    )


#: How an end is marked and said: "accepted by Ben Ode at 10:52".
_ENDS = {
    EscalationEnd.ACCEPTED: (terms.MARK_ACCEPTED, "accepted"),
    EscalationEnd.TOUCHED: (terms.MARK_ACCEPTED, "contacted"),
    EscalationEnd.FOLLOWED_UP: (terms.MARK_ACCEPTED, "followed up"),
    EscalationEnd.QUALIFIED: (terms.MARK_ACCEPTED, "qualified"),
    EscalationEnd.CLOSED: (terms.MARK_ACCEPTED, "closed"),
    EscalationEnd.RECYCLED: (terms.MARK_MARKETING, "recycled"),
    EscalationEnd.REJECTED: (terms.MARK_MARKETING, "rejected"),
    EscalationEnd.REASSIGNED: (terms.MARK_OFFERED, "reassigned"),
    EscalationEnd.EXTENDED: (terms.MARK_OFFERED, "given more time"),
    EscalationEnd.EXCUSED: (terms.MARK_OFFERED, "excused"),
    EscalationEnd.REVIEW: (terms.MARK_MARKETING, "back with marketing"),
    EscalationEnd.DISQUALIFIED: (terms.MARK_MARKETING, "disqualified"),
    EscalationEnd.MOVED_ON: ("", "moved on"),
}


def _closed(card: EscalationCard, end: EscalationOutcome) -> Row:
    """`✅ Jana Novak · Globex, accepted by Ben Ode at 10:52, 22 min after asking. Nothing to do.`"""
    mark, word = _ENDS[end.kind]
    name = "you" if end.by_reader else escape.clean(end.by_name, escape.PERSON_CAP)
    name = "" if end.kind is EscalationEnd.REVIEW else name
    to = escape.clean(end.to_name, escape.PERSON_CAP)
    reason = wording.inside(end.reason)
    parts: list[Part] = [f"{mark} " if mark else "", bold(wording.who(card.lead)), f", {word}"]
    if to:
        parts.append(literal(f" to {to}") if end.kind is EscalationEnd.REASSIGNED else "")
    if name:
        parts.append(literal(f" by {name}"))
    parts += [" ", *when(end.at, card.reader)]
    if end.after_minutes is not None:
        asked = "asking" if wording.asked(card.lead).startswith("asked") else "arriving"
        parts.append(f", {times.span(end.after_minutes * 60)} after {asked}")
    if reason:
        parts.append(literal(f": {reason}"))
    parts.append(".")
    if end.due is not None:
        parts += [" Now due by ", at(end.due, card.reader), "."]
    if end.wake_on is not None:
        today = times.today(card.reader.now, card.reader.zone)
        parts.append(f" It comes back on {times.day(end.wake_on, today)}.")
    return line(*parts, " Nothing to do.")
