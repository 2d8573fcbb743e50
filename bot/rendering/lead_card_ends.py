"""The lines of a card whose offer is over: who did what when, and what comes next. Never a button.

What is not here: the live states (`lead_card`), the short words of the notification
(`wording.ENDED`).
"""

from __future__ import annotations

from bot.rendering import escape, terms, times, wording
from bot.rendering.rich import Element, Part, bold, line, literal, when
from bot.rendering.views import CardState, Ending, LeadCard, NextStop

Row = list[Element]

_BACK = frozenset(
    {CardState.REJECTED, CardState.GIVEN_BACK, CardState.RECYCLED, CardState.TAKEN_BACK}
)


def ending_rows(card: LeadCard) -> list[Row]:
    """Headline, what happened, what comes next."""
    ending = card.ending
    if card.lead.test:
        return _test_rows(card, ending)
    head = line(_mark(card), bold(wording.who(card.lead)), f" {wording.ENDED[card.state].lower()}")
    if ending is None:
        return [head, line("Nothing to do.")]
    note = escape.clean(ending.note, escape.NOTE_CAP)
    noted = line("Note: ", literal(note, italic=True)) if note else []
    return [row for row in (head, _done(card, ending), noted, _next(card, ending)) if row]


def _test_rows(card: LeadCard, ending: Ending | None) -> list[Row]:
    """A test: what was clicked, and that this was all."""
    head = line(bold(wording.who(card.lead)), f": {wording.TEST_OVER.lower()}")
    done: Row = []
    if ending is not None and (ending.by_name or ending.by_reader):
        done = _done(card, ending)
    elif ending is not None:
        done = line("Ended by itself ", *when(ending.at, card.reader), ".")
    return [row for row in (head, done, line("It counted nowhere. Nothing to do.")) if row]


def _mark(card: LeadCard) -> str:
    """Only states that have one of the five marks carry a mark."""
    if card.state is CardState.WON:
        return f"{terms.MARK_ACCEPTED} "
    next_stop = card.ending.next if card.ending else NextStop.NONE
    in_sales = next_stop in (NextStop.COLLEAGUE, NextStop.OTHER_TEAM)
    return f"{terms.MARK_MARKETING} " if card.state in _BACK and not in_sales else ""


def _done(card: LeadCard, ending: Ending) -> Row:
    """Who did what when."""
    reader = card.reader
    time = when(ending.at, reader)
    reason = wording.inside(ending.reason)
    because: tuple[Part, ...] = (literal(f": {reason}"), ".") if reason else (".",)
    who: Part = literal(wording.doer(ending.by_name, ending.by_reader, "Somebody"))
    state = card.state
    if state is CardState.LAPSED:
        # A lapse is a fact with a next step, never a reproach.
        where = "to a colleague" if ending.next is NextStop.COLLEAGUE else "on"
        return line(f"Moved {where} ", *time, ".")
    if ending.by_crm:
        said = {
            CardState.WON: "Closed as won in the CRM ",
            CardState.LOST: "Closed as lost in the CRM ",
            CardState.DISQUALIFIED: "Disqualified in the CRM ",
            CardState.REASSIGNED: "Given to another owner in the CRM ",
        }.get(state, "Changed in the CRM ")
        return line(said, *time, *because)
    if state in (CardState.TAKEN_BACK, CardState.DISQUALIFIED) and not ending.by_name:
        said = "taken back" if state is CardState.TAKEN_BACK else "disqualified"
        return line(f"{said.capitalize()} by marketing ", *time, *because)
    if state is CardState.MOVED_ON and not (ending.by_name or ending.by_reader):
        return line("Moved on ", *time, *because)
    verb = {
        CardState.REJECTED: "rejected it",
        CardState.GIVEN_BACK: "gave it back",
        CardState.PASSED_ON: "passed it on",
        CardState.RECYCLED: "recycled it",
        CardState.REASSIGNED: "moved it",
        CardState.WON: "closed it as won",
        CardState.LOST: "closed it as lost",
        CardState.DISQUALIFIED: "disqualified it",
        CardState.TAKEN_BACK: "took it back",
    }.get(state, "moved it on")
    to = escape.clean(ending.to_name, escape.PERSON_CAP) if state is CardState.REASSIGNED else ""
    return line(who, f" {verb} ", literal(f"to {to} ") if to else "", *time, *because)


def _next(card: LeadCard, ending: Ending) -> Row:
    """What comes next; a person who passes on, rejects or was too late has nothing left to do."""
    to = escape.clean(ending.to_name, escape.PERSON_CAP)
    if ending.next is NextStop.COLLEAGUE:
        if card.state is CardState.LAPSED or (card.state is CardState.REASSIGNED and to):
            return line("Nothing to do for you.")
        holder: Part = literal(to) if to else "A colleague"
        return line(holder, " has it now. Nothing to do for you.")
    if ending.next is NextStop.OTHER_TEAM:
        return line("It goes to another team. Nothing to do for you.")
    if ending.next is NextStop.MARKETING:
        return line("Marketing decides what comes next. Nothing to do for you.")
    if ending.next is NextStop.NURTURE:
        if ending.wake_on is None:
            return line("It sleeps until it shows interest again.")
        day = times.day(ending.wake_on, times.today(card.reader.now, card.reader.zone))
        return line(f"It comes back on {day}, or earlier when it shows interest.")
    if ending.next is NextStop.CLOSED and card.state is not CardState.WON:
        return line("It comes back only when it asks again.")
    return []
