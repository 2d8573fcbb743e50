"""What people ask: `/lead …`, `/baton help`, App Home. Read-only; each field as `access` says.

Answers are messages only the asker sees. What is not here: finding leads (`find_leads`), wording
(`bot.rendering.replies`), one
lead's fields (`present_lookup`), `/baton away | back` (`mark_absence`).
"""

from __future__ import annotations

from bot.domain.access import Bond, Deed, may
from bot.domain.agreement import Role
from bot.domain.funnel import Status
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
from bot.services.find_leads import find_leads
from bot.services.present_forms import no_member
from bot.services.present_lookup import summary_of, why_of
from bot.services.present_parts import lines_of, reader_of
from bot.services.refuse import bonds_of
from bot.services.work import Member, Work
from storage import leads, waiting
from storage.leads import LeadRow
from storage.searching import MOST

_NO_LEAD = frozenset({Bond.NONE})
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
        here = [
            *waiting.list_reviews(work.conn),
            *leads.list_in_status(work.conn, [Status.RECEIVED]),
        ]
        lines |= {x.id or f"lead:{n}": x for n, x in enumerate(lines_of(work, here))}
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
    # A test is nobody else's business, and nobody's once it is over.
    real = [x for x in found.leads if x.kind != "test" or x.owner_id == actor.id]
    seen = [x for x in real if may(actor.roles, bonds_of(work, actor, x), deed)]
    total = found.total - len(found.leads) + len(seen)
    if len(seen) == 1 == total:
        if why:
            return render_why(why_of(work, actor, seen[0]))
        return render_lead_summary(summary_of(work, actor, seen[0]))
    notes = {lead.id: wording.IMPORTED for lead in seen if lead.kind == "history"}
    shown = lines_of(work, seen, notes=notes)
    reader, most = reader_of(work, actor), min(total, MOST)
    return render_lead_matches(LeadMatches(reader, query, tuple(shown), most, total > MOST, why))
