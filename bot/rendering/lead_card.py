"""The card of one offer, in all states in which its rep can act; `lead_card_ends` has the others.

Order of the lines: who, by when, what is known, what they said, why me. What is not here: deciding
the state.
"""

from __future__ import annotations

from datetime import datetime

from bot.rendering import escape, terms, times, wording
from bot.rendering.ids import ActionId, BlockId, CallbackId, CallOutcome, More
from bot.rendering.lead_card_ends import ending_rows
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
    quote,
    rich_text,
    when,
)
from bot.rendering.views import CardState, LeadCard

Row = list[Element]


def render_lead_card(card: LeadCard) -> Message:
    """The DM to the rep. The same view gives the post and every later edit."""
    rows, said, small = _content(card)
    text = _notification(card)
    behind = [flat(row) for row in rows[1:]] + ([f"“{said}”"] if said else [])
    behind += [flat(row) for row in small]
    return message("\n".join([text, *behind]), [*_body(rows, said, small), _buttons(card)])


def render_lead_modal(card: LeadCard) -> View:
    """The same card as a modal, for lists and Home; its buttons are the card's."""
    rows, said, small = _content(card)
    return modal(
        CallbackId.LEAD,
        "Lead",
        [*_body(rows, said, small), _buttons(card)],
        close="Close",
        metadata={"offer": card.offer_id},
    )


def _body(rows: list[Row], said: str, small: list[Row]) -> list[Block]:
    tail = lines(*small) if small else None
    return [rich_text(lines(*rows), quote(said), tail)]


def _content(card: LeadCard) -> tuple[list[Row], str, list[Row]]:
    """Lines above the quote, what the lead said, lines below it."""
    if card.state is CardState.ERASED:
        return [line(wording.ERASED)], "", []
    rows, small = {
        CardState.OFFERED: _offered,
        CardState.ACCEPTED: _accepted,
        CardState.WORKING: _working,
        CardState.QUALIFIED: _qualified,
    }.get(card.state, _ended)(card)
    live = card.ending is None
    said = escape.clean(card.profile.message, escape.MESSAGE_CAP) if live else ""
    return [row for row in rows if row], said, [row for row in small if row]


def _offered(card: LeadCard) -> tuple[list[Row], list[Row]]:
    mark, word = wording.mark_of(card.accept_by, card.due_soon_from, card.reader.now)
    word = f", {word}" if word else ""
    head = line(f"{mark} ", bold(wording.who(card.lead)), *_happened(card), word)
    why = wording.why_line(card.profile, card.why_you)
    due = _due_line(card, "Accept", card.accept_by)
    return (
        [head, due, _known(card), _news(card), _given(card)],
        [line(literal(why)) if why else []],
    )


def _happened(card: LeadCard) -> tuple[Part, ...]:
    """What the lead did, or that it is back."""
    if card.woken is not None:
        today = times.today(card.reader.now, card.reader.zone)
        day = times.day(card.woken.asked_on, today)
        as_asked = f", as you asked on {day}" if card.woken.by_reader else f", recycled on {day}"
        reason = wording.inside(card.woken.reason)
        return (f" is back{as_asked}", literal(f": {reason}") if reason else "")
    asked = wording.asked(card.lead)
    return (" ", literal(asked)) if asked else ()


def _due_line(card: LeadCard, verb: str, due: datetime | None) -> Row:
    if due is None:
        return []
    if card.reader.now >= due:
        verb = "Follow up" if verb[0].isdigit() else verb
        return line(bold(f"{verb} now"), ", due since ", at(due, card.reader))
    return line(bold(f"{verb} by"), " ", at(due, card.reader, bold=True))


def _follow_up(card: LeadCard) -> str:
    """ "5 touches": what is due by then, and not one more of them."""
    many = card.touches_wanted > 1
    return wording.plural(card.touches_wanted, "touch", "touches") if many else "Follow up"


def _known(card: LeadCard) -> Row:
    known = wording.profile_line(card.profile)
    return line(literal(known)) if known else []


def _news(card: LeadCard) -> Row:
    news = escape.clean(card.news, 120)
    return line("New: ", literal(news)) if news else []


def _given(card: LeadCard) -> Row:
    name = escape.clean(card.assigned_by, escape.PERSON_CAP)
    return line(literal(name), " gave it to you.") if name else []


def _reach(card: LeadCard) -> Row:
    """Phone and e-mail: from accepted on, never before."""
    known = wording.dotted(
        (escape.clean(card.contact.phone, 40), escape.clean(card.contact.email, 120))
    )
    if card.state not in (CardState.ACCEPTED, CardState.WORKING, CardState.QUALIFIED):
        return []
    return line(literal(known)) if known else line("No phone or e-mail known.")


def _accepted(card: LeadCard) -> tuple[list[Row], list[Row]]:
    mark, word = wording.mark_of(card.contact_by, card.due_soon_from, card.reader.now)
    mark = mark if word else terms.MARK_ACCEPTED
    head = line(f"{mark} ", bold(wording.who(card.lead)), " yours", f", {word}" if word else "")
    due = _due_line(card, "Contact", card.contact_by)
    undo: Row = []
    if card.undo_until is not None and card.reader.now < card.undo_until:
        until = at(card.undo_until, card.reader)
        undo = line("Taken by mistake? Undo it under ⋯ until ", until, ".")
    return [head, due, _reach(card), _known(card), _news(card), _given(card)], [undo]


def _working(card: LeadCard) -> tuple[list[Row], list[Row]]:
    dues = [d for d in (card.follow_up_by, card.decide_by) if d is not None]
    nearest = min(dues, default=None)
    mark, word = wording.mark_of(nearest, card.due_soon_from, card.reader.now)
    mark = mark if word else terms.MARK_ACCEPTED
    head = line(f"{mark} ", bold(wording.who(card.lead)), " in work", f", {word}" if word else "")
    last: list[Part] = []
    if card.last_touch is not None:
        kept = " (in the CRM)" if card.last_touch.verified else ""
        said = f"Last touch: {wording.touch(card.last_touch)} "
        last = [literal(said.strip()), " ", *when(card.last_touch.at, card.reader), kept]
    count = wording.touches(card.touches_done, card.touches_wanted)
    if count:
        last += [" · " if last else "", count if last else wording.sentence(count)]
    rows = [
        head,
        _due_line(card, _follow_up(card), card.follow_up_by),
        _due_line(card, "Decide", card.decide_by),
        line(*last),
        _reach(card),
        _known(card),
        _news(card),
    ]
    return rows, []


def _qualified(card: LeadCard) -> tuple[list[Row], list[Row]]:
    head = line(f"{terms.MARK_ACCEPTED} ", bold(wording.who(card.lead)), " qualified")
    since: Row = []
    if card.qualified_at is not None:
        since = line(
            "You qualified it ",
            *when(card.qualified_at, card.reader),
            ". Close it when won or lost.",
        )
    return [head, since, _reach(card), _known(card), _news(card)], []


def _ended(card: LeadCard) -> tuple[list[Row], list[Row]]:
    return ending_rows(card), []


def _notification(card: LeadCard) -> str:
    reader, lead = card.reader, card.lead
    if card.state is CardState.ERASED:
        return wording.ERASED
    if card.state is CardState.OFFERED:
        did = "is back" if card.woken else wording.asked(lead)
        what = wording.by("Accept", card.accept_by, reader) if card.accept_by else "Accept it"
        return wording.notification(lead, did, what)
    if card.state is CardState.ACCEPTED:
        what = wording.by("Contact", card.contact_by, reader) if card.contact_by else "Contact them"
        return wording.notification(lead, "yours", what)
    if card.state is CardState.WORKING:
        dues = ((card.follow_up_by, _follow_up(card)), (card.decide_by, "Decide"))
        nearest = min(((due, verb) for due, verb in dues if due), default=None)
        what = wording.by(nearest[1], nearest[0], reader) if nearest else "Decide when you can"
        return wording.notification(lead, "in work", what)
    if card.state is CardState.QUALIFIED:
        return wording.notification(lead, "qualified", "Close it when won or lost")
    ended = wording.TEST_OVER if lead.test else wording.ENDED[card.state]
    return wording.notification(lead, "", ended)


def _buttons(card: LeadCard) -> Block | None:
    if card.read_only:
        return None
    made = {
        CardState.OFFERED: _offered_buttons,
        CardState.ACCEPTED: _accepted_buttons,
        CardState.WORKING: _working_buttons,
        CardState.QUALIFIED: _qualified_buttons,
    }.get(card.state)
    return actions(BlockId.LEAD_ACTIONS, *made(card)) if made else None


def _menu(card: LeadCard, *choices: tuple[More, str]) -> Element | None:
    return overflow(ActionId.LEAD_MORE, card.offer_id, choices, card.crm_url)


def _offered_buttons(card: LeadCard) -> list[Element | None]:
    id_, who = card.offer_id, wording.who(card.lead)
    return [
        button(wording.ACCEPT, ActionId.LEAD_ACCEPT, id_, style="primary", label=f"Accept {who}"),
        button(wording.REJECT, ActionId.LEAD_REJECT, id_, label=f"Reject {who}, with a reason"),
        button(wording.RECYCLE, ActionId.LEAD_RECYCLE, id_, label=f"Recycle {who}, with a date"),
        _menu(card, (More.PASS_ON, wording.PASS_ON_BUSY), (More.WHY, wording.WHY_ME)),
    ]


def _accepted_buttons(card: LeadCard) -> list[Element | None]:
    choices = [
        (More.QUALIFY, wording.QUALIFY),
        (More.GIVE_BACK, wording.GIVE_BACK),
        (More.RECYCLE, wording.RECYCLE),
    ]
    if card.undo_until is not None and card.reader.now < card.undo_until:
        choices.insert(0, (More.UNDO, wording.UNDO))
    else:
        choices.append((More.WHY, wording.WHY_ME))
    return [*_log_buttons(card), _menu(card, *choices)]


def _log_buttons(card: LeadCard) -> list[Element]:
    id_ = card.offer_id
    return [
        button(wording.LOG_CALL, ActionId.LEAD_LOG_CALL, id_, style="primary"),
        button(wording.LOG_EMAIL, ActionId.LEAD_LOG_EMAIL, id_),
        button(wording.LOG_MEETING, ActionId.LEAD_LOG_MEETING, id_),
    ]


def _working_buttons(card: LeadCard) -> list[Element | None]:
    id_ = card.offer_id
    if card.undo_log_until is not None and card.reader.now < card.undo_log_until:
        # Just logged: the next step is to qualify, or to take a slip back; other touches move into
        # ⋯.
        # Nobody answered: the next step is another call.
        again = card.last_touch is not None and card.last_touch.outcome == CallOutcome.NO_ANSWER
        call_style, style = ("primary", "") if again else ("", "primary")
        next_steps = [
            button(wording.QUALIFY, ActionId.LEAD_QUALIFY, id_, style=style),
            button(wording.LOG_CALL, ActionId.LEAD_LOG_CALL, id_, style=call_style),
        ]
        return [
            *(reversed(next_steps) if again else next_steps),
            button(wording.UNDO_LOG, ActionId.LEAD_UNDO_LOG, id_),
            _menu(
                card,
                (More.LOG_EMAIL, wording.LOG_EMAIL),
                (More.LOG_MEETING, wording.LOG_MEETING),
                (More.RECYCLE, wording.RECYCLE),
                (More.WHY, wording.WHY_ME),
            ),
        ]
    return [
        *_log_buttons(card),
        _menu(
            card,
            (More.QUALIFY, wording.QUALIFY),
            (More.RECYCLE, wording.RECYCLE),
            (More.WHY, wording.WHY_ME),
        ),
    ]


def _qualified_buttons(card: LeadCard) -> list[Element | None]:
    id_ = card.offer_id
    return [
        button(wording.CLOSE, ActionId.LEAD_CLOSE, id_, style="primary"),
        button(wording.RECYCLE, ActionId.LEAD_RECYCLE, id_),
        _menu(card, (More.WHY, wording.WHY_ME)),
    ]
