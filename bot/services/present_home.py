"""App Home of one person: their queue, a manager's team, marketing's reviews.

What is not here: the lead behind Open (`present_forms`), wording.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from bot.domain.access import Bond, Deed, may
from bot.domain.agreement import Role
from bot.domain.funnel import HELD
from bot.rendering.home import TEAM_ROWS, render_home
from bot.rendering.rich import View
from bot.rendering.views_pages import HomeView, LeadLine
from bot.services import present_board
from bot.services.deliver_types import Drop, Rendered
from bot.services.present_parts import face_of, lines_of, local_day, reader_of
from bot.services.pressing_leads import pressing_leads
from bot.services.work import Member, Work
from storage import leads, reading, waiting
from storage.cards import CardRow
from storage.deliveries import OutboxRow
from storage.leads import LeadRow

_NO_LEAD = frozenset({Bond.NONE})


def home(work: Work, row: OutboxRow, card: CardRow | None) -> Rendered | Drop:
    """The template `home`."""
    member = work.roster.by_id.get(row.person_id) if row.person_id is not None else None
    if member is None or not member.active:
        return Drop("not_active")
    return Rendered(home_view(work, member))


def home_view(work: Work, member: Member, *, offer_sample: bool = False) -> View:
    """The Home tab of an active member; `offer_sample`: with the button for a sample lead."""
    queue = queue_of(work, member)
    team, team_total = None, 0
    if may(member.roles, _NO_LEAD, Deed.SEE_TEAM):
        team, team_total = pressing_leads(work, *_teams_of(work, member), TEAM_ROWS)
    reviews = None
    if may(member.roles, _NO_LEAD, Deed.SEE_REVIEW_LIST):
        found = waiting.list_reviews(work.conn)
        imported = {lead.id: "imported" for lead in found if lead.reason == waiting.IMPORTED}
        reviews = lines_of(work, found, notes=imported)
    view = HomeView(
        reader=reader_of(work, member),
        name=member.name,
        roles=member.roles,
        queue=tuple(queue),
        queue_total=len(queue),
        team=tuple(team) if team is not None else None,
        team_total=team_total,
        reviews=tuple(reviews) if reviews is not None else None,
        reviews_total=waiting.count_reviews(work.conn) if reviews is not None else 0,
        waiting=waiting.count_waiting(work.conn) if reviews is not None else 0,
        challenge=present_board.home_line(work, member),
        away_until=away_until(work, member),
        first_visit=_is_first_visit(work, member),
        offer_absence=may(member.roles, _NO_LEAD, Deed.SET_OWN_ABSENCE),
        offer_sample=offer_sample and may(member.roles, _NO_LEAD, Deed.TRY_SAMPLE),
    )
    return render_home(_with_last(work, view, member))


def queue_of(work: Work, member: Member) -> list[LeadLine]:
    """What a person has to do: leads they hold, and reviews they look at."""
    mine = leads.list_held_by(work.conn, member.id, HELD)
    looked_at = reading.list_reviewed_by(work.conn, member.id)
    lines = lines_of(work, [*mine, *looked_at])
    return [replace(line, holder="") for line in lines]  # the reader knows who holds it


def team_leads(work: Work, member: Member) -> list[LeadRow]:
    """The open leads of the teams that a person manages, also those that their reps hold."""
    return reading.list_of_teams(work.conn, HELD, *_teams_of(work, member))


def _teams_of(work: Work, member: Member) -> tuple[list[str], list[int]]:
    """The teams that a person manages, and who is in them."""
    teams = work.agreement.teams_managed_by(member.email)
    if member.email == work.agreement.signer_sales and Role.MANAGER in member.roles:
        teams = tuple(work.agreement.teams.values())
    members = [email for team in teams for email in team.members]
    held_by = [m.id for email in members if (m := work.roster.by_email.get(email)) is not None]
    return [team.name for team in teams], held_by


def away_until(work: Work, member: Member) -> datetime | None:
    """When the present absence ends; None when there is none, or no end was said."""
    ends = [end for start, end in member.absences if start <= work.now < end]
    last = max(ends, default=None)
    return None if member.away_without_end else last


def _is_first_visit(work: Work, member: Member) -> bool:
    """The explanation stays for the whole first day: nobody reads it in one go."""
    seen = member.row.home_seen_at
    if seen is None:
        return True
    zone = reader_of(work, member).zone
    return local_day(seen, zone) == local_day(work.now, zone)


def _with_last(work: Work, view: HomeView, member: Member) -> HomeView:
    """An empty queue names the last lead instead."""
    last = reading.last_accepted(work.conn, member.id) if not view.queue else None
    lead = leads.read_lead(work.conn, last[0]) if last is not None else None
    if last is None or lead is None:
        return view
    minutes = int((last[2] - last[1]).total_seconds() // 60)
    return replace(view, last_lead=face_of(lead).name, last_accept_minutes=minutes)
