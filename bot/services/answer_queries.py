"""What people ask: `/lead …`, `/baton help`, App Home. Read-only; each field as `access` says.

Answers are messages only the asker sees. What is not here: wording (`bot.rendering.replies`), one
lead's fields (`present_lookup`), `/baton away | back` (`mark_absence`).
"""

from __future__ import annotations

import re
from dataclasses import replace

from rapidfuzz import fuzz, process

from bot.domain.access import Bond, Deed, may
from bot.domain.agreement import Role
from bot.domain.funnel import OPEN, Status
from bot.domain.refusal import Refusal
from bot.rendering import wording
from bot.rendering.replies import (
    render_help,
    render_lead_matches,
    render_lead_summary,
    render_lead_table,
    render_refusal,
    render_reply,
    render_why,
)
from bot.rendering.rich import Message, View
from bot.rendering.views_pages import LeadLine, LeadMatches, LeadTable
from bot.services import present_home
from bot.services.present_forms import no_member
from bot.services.present_lookup import summary_of, why_of
from bot.services.present_parts import lines_of, reader_of
from bot.services.refuse import bonds_of
from bot.services.work import Member, Work
from storage import leads
from storage.leads import LeadRow, fold

_NO_LEAD = frozenset({Bond.NONE})
#: Below this a slip of the finger and another word look the same.
_FUZZY_FROM = 4
_ALIKE = 80
#: Those about as much alike as the best one are shown too.
_NEAR_BEST = 6
_MOST = 20
_DIGITS = 5
_QUERY_MAX = 200


def relation(work: Work, actor: Member, lead: LeadRow) -> frozenset[Bond]:
    """How a person stands to a lead."""
    return bonds_of(work, actor, lead)


def lead_command(work: Work, actor: Member | None, text: str) -> Message:
    """`/lead <text> | mine | team | overdue | why <text> | help`."""
    if actor is None or not actor.active:
        return say_refusal(work, actor, no_member(actor))
    asked = " ".join(text.split())[:_QUERY_MAX]
    word, _, rest = asked.partition(" ")
    if asked.casefold() in ("", "help", "?"):
        return _help(work, actor)
    if asked.casefold() == "mine":
        return _mine(work, actor)
    if asked.casefold() == "team":
        return _team(work, actor)
    if asked.casefold() == "overdue":
        return _overdue(work, actor)
    if word.casefold() == "why":
        return _look_up(work, actor, rest, why=True) if rest else _help(work, actor)
    return _look_up(work, actor, asked)


def baton_help(work: Work, actor: Member | None) -> Message:
    """`/baton help`: by role, and whom to ask."""
    if actor is None or not actor.active:
        return say_refusal(work, actor, no_member(actor))
    return _help(work, actor)


def absence_help(work: Work, actor: Member | None) -> Message:
    """How to say that one is away, for the button on Home."""
    if actor is None or not actor.active:
        return say_refusal(work, actor, no_member(actor))
    return render_reply(wording.ABSENCE_HELP)


def home_view(work: Work, member: Member, *, offer_sample: bool = False) -> View:
    """App Home; the refusal as a view for somebody who is not (or no more) in the playbook."""
    if member.active:
        return present_home.home_view(work, member, offer_sample=offer_sample)
    return {"type": "home", "blocks": say_refusal(work, member, no_member(member))["blocks"]}


def stranger_home(work: Work) -> View:
    """App Home of somebody whom Baton does not know."""
    return {"type": "home", "blocks": say_refusal(work, None, no_member(None))["blocks"]}


def say_refusal(work: Work, actor: Member | None, refusal: Refusal) -> Message:
    """A refusal as an answer that only the asker sees, in their zone, naming whom to ask."""
    facts = {"admin": admins(work), **dict(refusal.facts)}
    return render_refusal(refusal.code, facts, reader_of(work, actor))


def admins(work: Work) -> str:
    """The names of those who run the installation, else of marketing's signer."""
    active = [m for m in work.roster.by_id.values() if m.active]
    found = [m.name for m in active if Role.ADMIN in m.roles]
    if not found:
        found = [m.name for m in active if m.email == work.agreement.signer_marketing]
    return " or ".join(found[:2])


# ------------------------------------------------------------------ lists


def _help(work: Work, actor: Member) -> Message:
    team = work.agreement.team_of(actor.email)
    manager = work.roster.by_email.get(team.manager) if team is not None else None
    names = [manager.name] if manager is not None and manager.id != actor.id else []
    return render_help(actor.roles, " or ".join([*names, *filter(None, [admins(work)])]))


def _mine(work: Work, actor: Member) -> Message:
    lines = present_home.queue_of(work, actor)
    return render_lead_table(LeadTable(reader_of(work, actor), "mine", tuple(lines), len(lines)))


def _team(work: Work, actor: Member) -> Message:
    if not may(actor.roles, _NO_LEAD, Deed.SEE_TEAM):
        return _not_allowed(work, actor, "managers")
    lines = lines_of(work, present_home.team_leads(work, actor))
    return render_lead_table(
        LeadTable(reader_of(work, actor), "team", tuple(lines), len(lines), _scope(work, actor))
    )


def _overdue(work: Work, actor: Member) -> Message:
    """One's own; a manager's teams too, and for marketing the reviews."""
    lines = {line.id: line for line in present_home.queue_of(work, actor)}
    if may(actor.roles, _NO_LEAD, Deed.SEE_TEAM):
        lines |= {x.id: x for x in lines_of(work, present_home.team_leads(work, actor))}
    if may(actor.roles, _NO_LEAD, Deed.SEE_REVIEW_LIST):
        waiting = leads.list_in_status(work.conn, [Status.REVIEW, Status.RECEIVED])
        lines |= {x.id or f"lead:{n}": x for n, x in enumerate(lines_of(work, waiting))}
    late = [line for line in lines.values() if _is_late(work, line)]
    late.sort(key=lambda line: line.due or work.now)
    table = LeadTable(reader_of(work, actor), "overdue", tuple(late), len(late))
    return render_lead_table(table)


def _is_late(work: Work, line: LeadLine) -> bool:
    return line.due is not None and line.due <= work.now


def _scope(work: Work, actor: Member) -> str:
    teams = work.agreement.teams_managed_by(actor.email)
    return teams[0].name if len(teams) == 1 else ""


def _not_allowed(work: Work, actor: Member, who: str) -> Message:
    return say_refusal(work, actor, Refusal("not_allowed", facts=(("who", who),)))


# ------------------------------------------------------------------ one lead


def _look_up(work: Work, actor: Member, query: str, *, why: bool = False) -> Message:
    found = find_leads(work, query)
    deed = Deed.SEE_WHY if why else Deed.SEE_STATUS
    found = [x for x in found if may(actor.roles, bonds_of(work, actor, x), deed)]
    if len(found) == 1:
        if why:
            return render_why(why_of(work, actor, found[0]))
        return render_lead_summary(summary_of(work, actor, found[0]))
    shown = lines_of(work, found[:_MOST])
    return render_lead_matches(
        LeadMatches(reader_of(work, actor), query, tuple(map(_line, shown)), len(found))
    )


def _line(line: LeadLine) -> LeadLine:
    """Several matches: enough to tell them apart."""
    return replace(line, note="")


def find_leads(work: Work, query: str) -> list[LeadRow]:
    """Leads by id, e-mail, phone, company or person; open ones first, then the newest.

    All words must occur; when nothing has them, a phone number in another spelling, then words that
    are nearly right.
    """
    folded = fold(query)
    if not folded:
        return []
    found = _by_id(work, folded) or _by_words(work, folded) or _by_phone(work, folded)
    found = found or _by_likeness(work, folded)
    return sorted(found, key=lambda lead: (lead.state not in OPEN, -lead.id))


def _by_id(work: Work, query: str) -> list[LeadRow]:
    """`#12`; a bare number is rather a phone number or somebody's key."""
    if not re.fullmatch(r"#[0-9]{1,15}", query):
        return []
    lead = leads.read_lead(work.conn, int(query[1:]))
    return [lead] if lead is not None and lead.kind != "history" else []


def _by_words(work: Work, query: str) -> list[LeadRow]:
    """The phrase as it stands, else every word of it somewhere."""
    found = leads.search_leads(work.conn, [query])
    if found or " " not in query:
        return found
    words = query.split()
    wide = leads.search_leads(work.conn, [max(words, key=len)])
    return [lead for lead in wide if all(word in _text_of(lead) for word in words)]


def _text_of(lead: LeadRow) -> str:
    facts = lead.facts()
    parts = (facts.name, lead.company, lead.email, lead.phone, lead.external_id)
    return fold(" ".join(part for part in parts if part))


def _by_phone(work: Work, query: str) -> list[LeadRow]:
    digits = _digits(query)
    if len(digits) < _DIGITS or re.search(r"[^\W\d]", query):
        return []
    ids = [i for i, text in leads.list_search_texts(work.conn) if digits in _digits(text)]
    found = leads.list_by_ids(work.conn, ids[:_MOST])
    return [x for x in found if x.kind != "history" and digits in _digits(x.phone)]


def _digits(text: str) -> str:
    """A leading 00 is a plus."""
    return re.sub(r"\D", "", re.sub(r"^\s*00", "", text))


def _by_likeness(work: Work, query: str) -> list[LeadRow]:
    if len(query) < _FUZZY_FROM:
        return []
    texts = dict(leads.list_search_texts(work.conn))
    ranked = process.extract(
        query, texts, scorer=fuzz.partial_ratio, score_cutoff=_ALIKE, limit=_MOST
    )
    best = max((score for _, score, _ in ranked), default=0)
    ids = [lead_id for _, score, lead_id in ranked if score >= best - _NEAR_BEST]
    return [lead for lead in leads.list_by_ids(work.conn, ids) if lead.kind != "history"]
