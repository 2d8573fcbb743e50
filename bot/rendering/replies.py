"""Answers only the asker sees: refusals, `/lead …`, `/baton …`. Each is a message of plain and rich
text.

What is not here: the sentences of refusals (`wording_refusals`) and of `why` (`wording_why`),
access.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bot.domain.agreement import Role
from bot.rendering import escape, terms, times, wording
from bot.rendering.ids import ActionId, BlockId, CallbackId
from bot.rendering.lists import lead_row, lead_rows
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
    context,
    flat,
    line,
    lines,
    literal,
    message,
    modal,
    quote,
    rich_text,
    safe_url,
    section,
    when,
)
from bot.rendering.views import Reader
from bot.rendering.views_pages import AbsenceNote, LeadMatches, LeadSummary, LeadTable, Why
from bot.rendering.wording_refusals import KNOWN_CODES as KNOWN_CODES
from bot.rendering.wording_refusals import refusal_text as refusal_text
from bot.rendering.wording_why import why_sentence, why_time

MATCHES = 8
TABLE_ROWS = 20
MODAL_ROWS = 90
WHY_STEPS = 30
REPLY_MAX = 2900


def render_reply(text: str) -> Message:
    """Any sentence as an ephemeral answer, shown literally; line breaks are kept."""
    rows = [row for row in escape.clip(text, REPLY_MAX).split("\n") if row.strip()] or ["–"]
    return message("\n".join(rows), [rich_text(lines(*(line(literal(row)) for row in rows)))])


def render_refusal(
    code: str,
    facts: Mapping[str, object] | Iterable[tuple[str, object]] = (),
    reader: Reader | None = None,
) -> Message:
    """A refusal as an ephemeral answer."""
    return render_reply(refusal_text(code, facts, reader))


# ------------------------------------------------------------------ /lead


def render_lead_summary(view: LeadSummary) -> Message:
    """`/lead <text>` with one match; shows what the view holds, which is what the reader may
    see."""
    reader = view.reader
    holder = "you" if view.holder_is_reader else escape.clean(view.holder, escape.PERSON_CAP)
    status = wording.WAITING if view.waiting else terms.STATUSES[view.status]
    where: list[Part] = [wording.upper_first(status)]
    if view.imported:
        where.append(f" ({wording.IMPORTED})")
    if holder:
        where.append(literal(f", with {holder}"))
    if view.due is not None:
        _, word = wording.mark_of(view.due, None, reader.now)
        where.append(
            f" · {word + ', ' if word else ''}{wording.clock_verb(view.clock).lower()} by "
        )
        where.append(at(view.due, reader, bold=True))
    if view.wake_on is not None:
        today = times.today(reader.now, reader.zone)
        where.append(f" · comes back on {times.day(view.wake_on, today)}")
    asked = wording.asked(view.lead)
    rows = [
        line(bold(wording.who(view.lead)), " ", literal(asked) if asked else ""),
        line(*where),
    ]
    if view.arrived is not None:
        again = f" · round {view.round}" if view.round > 1 else ""
        came = "Imported " if view.waiting else "Came in "
        rows.append(line(came, *when(view.arrived, reader), again))
    said = None
    if view.profile is not None:
        known = wording.profile_line(view.profile)
        why = wording.why_line(view.profile, "")
        rows += [line(literal(known)) if known else [], line(literal(why)) if why else []]
        said = quote(view.profile.message)
    if view.contact is not None:
        reach = (escape.clean(view.contact.phone, 40), escape.clean(view.contact.email, 120))
        rows.append(line(literal(wording.dotted(reach) or "No phone or e-mail known.")))
    else:
        rows.append(line("Contact details: only for its rep, their managers and marketing."))
    link = safe_url(view.crm_url)
    if link:
        rows.append(line({"type": "link", "url": link, "text": "Open in CRM"}))
    opened = button(wording.OPEN, ActionId.LIST_OPEN, view.open_id) if view.open_id else None
    text = "\n".join(flat(row) for row in rows if row and row[0]["type"] != "link")
    return message(text, [rich_text(lines(*rows), said), actions(BlockId.LIST_ACTIONS, opened)])


def render_lead_matches(view: LeadMatches) -> Message:
    """`/lead <text>` with several matches, or none."""
    query = escape.clean(view.query, 40)
    if not view.lines:
        return render_reply(refusal_text("nothing_found", {"query": query}))
    total = max(view.total, len(view.lines))
    count = wording.plural(total, "lead")
    title = f"{f'More than {count}' if view.open_ended else count} for “{query}”. Which one?"
    action, word = (
        (ActionId.LIST_WHY, wording.WHY) if view.why else (ActionId.LIST_OPEN, wording.OPEN)
    )
    rows: list[Block | None] = [
        section(
            lead_row(r, view.reader),
            button(word, action, r.id, label=f"{word} {wording.who(r.lead)}"),
        )
        for r in view.lines[:MATCHES]
    ]
    more = wording.and_more(min(len(view.lines), MATCHES), total)
    if view.open_ended:
        more = "and many more"
    tail = context(f"{more}: write more of the name or company") if more else None
    return message(title, [rich_text(lines(line(bold(title)))), *rows, tail])


_EMPTY = {
    "mine": "Nothing waits for you.",
    "team": "Your team has no open leads.",
    "overdue": "Nothing is overdue.",
}


def render_lead_table(view: LeadTable) -> Message:
    """`/lead mine | team | overdue`."""
    if not view.lines:
        return render_reply(_table_title(view))
    return message(_table_title(view), _table_blocks(view, TABLE_ROWS))


def render_lead_table_modal(view: LeadTable) -> View:
    """The same as a modal, for `Show all`; with room for more rows."""
    return modal(CallbackId.NOTICE, "Leads", _table_blocks(view, MODAL_ROWS), close="Close")


def _table_title(view: LeadTable) -> str:
    if not view.lines:
        return _EMPTY.get(view.what, "No leads.")
    total = max(view.total, len(view.lines))
    scope = f" in {escape.clean(view.scope, 30)}" if view.scope else ""
    count = wording.plural(total, "lead")
    return {
        "mine": f"You have {count}, soonest due first.",
        "team": f"{count} open{scope}, soonest due first.",
        "overdue": f"{count} overdue{scope}, oldest first.",
    }.get(view.what, f"{count}.")


def _table_blocks(view: LeadTable, limit: int) -> list[Block | None]:
    action = ActionId.LIST_OPEN if view.what == "mine" else ActionId.LIST_TEAM_OPEN
    more = wording.and_more(min(len(view.lines), limit), max(view.total, len(view.lines)))
    return [
        rich_text(lines(line(bold(_table_title(view))))),
        *lead_rows(view.lines, view.reader, action, limit=limit),
        context(more) if more else None,
    ]


def render_why(view: Why) -> Message:
    """`/lead why`: the score, then the timeline, the newest steps when there are too many."""
    rows = _why_rows(view)
    return message("\n".join(flat(row) for row in rows), [rich_text(lines(*rows))])


def render_why_modal(view: Why) -> View:
    """The same as a modal, for `Why me?` on a card: an ephemeral answer could get lost."""
    return modal(CallbackId.NOTICE, "Why", [rich_text(lines(*_why_rows(view)))], close="Close")


def _why_rows(view: Why) -> list[list[Element]]:
    head: list[str] = []
    if view.score is not None:
        rules = f" on {wording.plural(view.rules, 'rule')}" if view.rules else ""
        reasons = ", ".join(escape.clean(r, escape.REASON_CAP) for r in view.reasons[:8])
        head.append(f"Score {view.score}{rules}{f': {reasons}' if reasons else ''}")
    if view.version:
        signed = ""
        if view.signed_on is not None:
            today = times.today(view.reader.now, view.reader.zone)
            signed = f", in force since {times.day(view.signed_on, today)}"
        head.append(f"definition v{view.version}{signed}")
    steps = view.steps[-WHY_STEPS:]
    rows = [line(bold(wording.who(view.lead)))]
    if head:
        rows.append(line(literal(wording.dotted(head))))
    if len(view.steps) > WHY_STEPS:
        rows.append(line(f"{len(view.steps) - WHY_STEPS} earlier steps left out"))
    for step in steps:
        said = escape.clip(why_sentence(step.kind, step.facts, view.reader), 200)
        rows.append(line(bold(why_time(step.at, view.reader)), " ", literal(said)))
    return rows


# ------------------------------------------------------------------ /baton


_HELP: tuple[tuple[Role | None, str, tuple[str, ...]], ...] = (
    (
        Role.REP,
        "As a rep",
        (
            "Leads come to you, one card each: accept, reject or recycle, then log what you did.",
            "/lead mine: your leads by due time",
            "/baton away until monday: new leads go to colleagues. /baton back ends it.",
            "/leaderboard: your own place in a challenge, seen by you alone",
        ),
    ),
    (
        Role.MANAGER,
        "As a manager",
        (
            "You hear when a lead waits too long: take it, reassign, nudge, give time or excuse.",
            "/lead team: all open leads. /lead overdue: those past their time",
            "/baton away @ann until monday: says it for somebody else",
            "/baton challenge: start one in two minutes. /baton challenge list: what there is",
        ),
    ),
    (
        Role.SCRUB,
        "In the scrub team",
        ("You see contact details of all leads: /lead and a name.",),
    ),
    (
        Role.MARKETING,
        "In marketing",
        (
            "Rejected leads come to the review channel. Offer again, nurture or disqualify there.",
            "/lead overdue: leads past their time",
        ),
    ),
    (
        Role.ADMIN,
        "As an admin",
        ("baton check and baton quarantine list, on the machine, say what is wrong.",),
    ),
    (
        None,
        "Everybody",
        (
            "/lead and a name, company or address: status and owner. Typos are fine.",
            "/lead why and a name: how it came to this person, and when what is due",
            "/baton report: last week's figures. Add a team or a period; /baton report help",
        ),
    ),
)


def render_help(roles: frozenset[Role], ask: str = "") -> Message:
    """`/baton help` for these roles, one screen. `ask`: who to ask, by name."""
    rows = [line("Baton brings leads to the right person and never drops one.")]
    for role, title, texts in _HELP:
        if role is None or role in roles:
            rows.append(line(bold(title)))
            rows += [line(literal(f"• {text}")) for text in texts]
    name = escape.clean(ask, 120)
    rows.append(line("Questions: ", literal(name) if name else "your manager or admin", "."))
    return message("\n".join(flat(row) for row in rows), [rich_text(lines(*rows))])


def render_absence_note(view: AbsenceNote) -> Message:
    """`/baton away | back` confirmed: until when, what happens to which leads."""
    name = escape.clean(view.person, escape.PERSON_CAP)
    are, leads = (f"{name} is", "Their") if name else ("You are", "Your")
    if not view.away:
        return render_reply(f"{are} back. New leads come as usual.")
    until = ""
    if view.until is not None:
        until = f" until {times.moment(view.until, view.reader.zone, view.reader.now)}"
    rows = [f"{are} away{until}. New leads go to colleagues."]
    if view.moved_on:
        rows.append(f"{wording.plural(view.moved_on, 'open offer')} went to the next rep.")
    if view.kept:
        to = escape.clean(view.manager, escape.PERSON_CAP)
        has = f"; {to} has the list" if to else ""
        verb = "keeps its clock" if view.kept == 1 else "keep their clocks"
        owned = f"{leads} {wording.plural(view.kept, 'accepted lead')}"
        rows.append(f"{owned} {verb}{has}.")
    rows.append("To end it: /baton back" if not name else f"To end it: /baton back {name}")
    return render_reply("\n".join(rows))
