"""The review message in marketing's channel, and the modal with everything for those who may see
it.

The channel shows initials and company only, never who rejected it. What is not here: the forms
(`modals`).
"""

from __future__ import annotations

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
    quote,
    rich_text,
    safe_url,
    when,
)
from bot.rendering.views import LeadFace, ReviewCard, ReviewDetails, ReviewState

Row = list[Element]
_WAITING = (ReviewState.OPEN, ReviewState.TAKEN)


def render_review_card(card: ReviewCard) -> Message:
    """The channel message; the same view gives the post and every later edit."""
    face = wording.anonymous(card.lead)
    reason = _reason(card)
    if card.state not in _WAITING:
        rows = [_resolved(card, face), reason]
        return message(flat(rows[0]), [rich_text(lines(*rows))])
    note = escape.clean(_masked(card, card.note), escape.NOTE_CAP)
    rows = [_head(card, face), _taken(card)]
    sample = _sample(card)
    due = wording.by("Decide", card.due, card.reader)
    text = wording.notification(face, "back with marketing", due)
    behind = [flat(row) for row in (reason, _taken(card), sample) if row]
    behind += [f"“{note}”"] if note else []
    tail = lines(sample) if sample else None
    body = rich_text(lines(*rows, reason), quote(note, escape.NOTE_CAP), tail)
    return message("\n".join([text, *behind]), [body, _buttons(card)])


def _masked(card: ReviewCard, text: str) -> str:
    words = (card.lead.name, *card.mask)
    return escape.mask(text, words, escape.clean(card.lead.initials, 12) or "(name)")


def _head(card: ReviewCard, face: LeadFace) -> Row:
    due = at(card.due, card.reader, bold=True)
    who = bold(wording.who(face))
    if card.reader.now >= card.due:
        return line(f"{terms.MARK_OVERDUE} ", who, " back with marketing, overdue since ", due)
    return line(f"{terms.MARK_MARKETING} ", who, " back with marketing · decide by ", due)


def _taken(card: ReviewCard) -> Row:
    if card.state is not ReviewState.TAKEN:
        return []
    name = escape.clean(card.by_name, escape.PERSON_CAP) or "Somebody"
    since = (" since ", at(card.at, card.reader)) if card.at is not None else ()
    return line(literal(name), " looks at it", *since, ".")


def _reason(card: ReviewCard) -> Row:
    reason = escape.clean(card.reason, escape.PHRASE_CAP)
    return line("Reason: ", literal(wording.inside(reason), italic=True)) if reason else []


def _sample(card: ReviewCard) -> Row:
    """ "Webinar March: 5 of 9 came back for this."; masked too, since senders fill in campaigns."""
    campaign = escape.clean(_masked(card, card.campaign), escape.PHRASE_CAP)
    if not campaign or card.rejected_here < 2 or card.seen_here < card.rejected_here:
        return []
    return line(
        literal(campaign), f": {card.rejected_here} of {card.seen_here} came back for this."
    )


def _resolved(card: ReviewCard, face: LeadFace) -> Row:
    name = escape.clean(card.by_name, escape.PERSON_CAP)
    by: tuple[Part, ...] = (literal(f" by {name}"),) if name else ()
    time: tuple[Part, ...] = (" ", *when(card.at, card.reader)) if card.at is not None else ()
    head = (bold(wording.who(face)), ", ")
    if card.state is ReviewState.OFFERED:
        to = escape.clean(card.to_name, escape.PERSON_CAP) or "sales"
        said = literal(f"offered again to {to}")
        return line(f"{terms.MARK_OFFERED} ", *head, said, *by, *time, ".")
    if card.state is ReviewState.NURTURING:
        day = ""
        if card.wake_on is not None:
            today = times.today(card.reader.now, card.reader.zone)
            day = f" until {times.day(card.wake_on, today)}"
        return line(f"{terms.MARK_MARKETING} ", *head, f"sleeps{day}, sent", *by, *time, ".")
    if card.state is ReviewState.DISQUALIFIED:
        why = wording.inside(card.resolution)
        because = (literal(f": {why}"),) if why else ()
        return line(f"{terms.MARK_MARKETING} ", *head, "disqualified", *by, *time, *because, ".")
    return line(*head, "settled elsewhere", *by, *time, ". Nothing to do.")


def _buttons(card: ReviewCard) -> Block | None:
    id_ = card.review_id
    take = button(wording.REVIEW_TAKE, ActionId.REVIEW_TAKE, id_, style="primary")
    menu = ((More.DISQUALIFY, wording.DISQUALIFY), (More.DETAILS, wording.DETAILS))
    return actions(
        BlockId.REVIEW_ACTIONS,
        take if card.state is ReviewState.OPEN else None,
        button(wording.REVIEW_OFFER, ActionId.REVIEW_OFFER, id_),
        button(wording.REVIEW_NURTURE, ActionId.REVIEW_NURTURE, id_),
        overflow(ActionId.REVIEW_MORE, id_, menu),
    )


def _decisions(id_: str) -> Block | None:
    """The buttons of the message, for a lead that is decided from its details: imported ones have no message."""
    return actions(
        BlockId.REVIEW_ACTIONS,
        button(wording.REVIEW_OFFER, ActionId.REVIEW_OFFER, id_),
        button(wording.REVIEW_NURTURE, ActionId.REVIEW_NURTURE, id_),
        overflow(ActionId.REVIEW_MORE, id_, ((More.DISQUALIFY, wording.DISQUALIFY),)),
    )


def render_review_details(details: ReviewDetails) -> View:
    """Everything about a lead in review, for one reader who may see it."""
    lead, reader = details.lead, details.reader
    known = wording.profile_line(details.profile)
    contact = (escape.clean(details.contact.phone, 40), escape.clean(details.contact.email, 120))
    reach = wording.dotted(contact) or "No phone or e-mail known."
    why = wording.why_line(details.profile, "")
    reason = wording.inside(details.reason)
    by = escape.clean(details.rejected_by, escape.PERSON_CAP)
    note = quote(details.note, escape.NOTE_CAP)
    history = [line(literal(item, 200)) for item in details.history[-15:]]
    link = safe_url(details.crm_url)
    blocks: list[Block | None] = [
        rich_text(
            lines(
                line(bold(wording.who(lead)), " ", literal(wording.asked(lead) or "came in")),
                line(literal(known)) if known else [],
                line(literal(reach)),
                line(literal(why)) if why else [],
            ),
            quote(details.profile.message),
        ),
        rich_text(
            lines(
                line(bold("Back with marketing: "), literal(reason or "no reason given")),
                line("By ", literal(by)) if by else [],
                line("Decide by ", at(details.due, reader)) if details.due is not None else [],
            ),
            note,
        ),
        rich_text(lines(line(bold("What happened")), *history)) if history else None,
        rich_text(lines(line({"type": "link", "url": link, "text": "Open in CRM"})))
        if link
        else None,
        _decisions(details.review_id) if details.can_decide else None,
    ]
    return modal(
        CallbackId.REVIEW_DETAILS,
        "Lead in review",
        blocks,
        close="Close",
        metadata={"review": details.review_id},
    )
