"""Reports that go by themselves, counted when they are sent: the week with its thread, a manager's morning, the month.

A week without leads is said once, not every week; a morning on which nothing needs anybody is not sent. What is not
here: when they go and to whom (`tell_report`), counting (`make_report`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from bot.domain.agreement import Team
from bot.domain.funnel import HELD
from bot.domain.kpi_definitions import AGES, DECAYED_HOURS
from bot.domain.period import Period, day_of, local_day, parse_period
from bot.domain.report import Report
from bot.rendering.notices import render_erased
from bot.rendering.report_digest import Morning, TeamMorning, render_digest, says_something
from bot.rendering.report_message import render_monthly, render_weekly, render_weekly_rest
from bot.rendering.report_words import is_silent, was_silent
from bot.rendering.views_pages import LeadLine
from bot.services.deliver_types import Drop, Rendered
from bot.services.make_report import make_report
from bot.services.present_parts import label_of, lines_of, reader_of
from bot.services.tell_report import last_working_day, weekly_key
from bot.services.work import Member, Work
from storage import cards, reading
from storage.cards import CardRow
from storage.deliveries import OutboxRow
from storage.reports import decays
from storage.reports.windows import Window

_SILENT = "nothing_to_say"


def weekly_report(work: Work, row: OutboxRow, card: CardRow | None) -> Rendered | Drop:
    """The template `weekly_report`."""
    report = _report_of(work, row)
    if isinstance(report, Drop):
        return report
    if is_silent(report) and was_silent(report):
        return Drop(_SILENT)
    return Rendered(render_weekly(report), closed=True)


def weekly_rest(work: Work, row: OutboxRow, card: CardRow | None) -> Rendered | Drop:
    """The template `weekly_rest`: in the thread of the report, when that stands."""
    root = weekly_key(str(row.data.get("period") or ""))
    if cards.read_card(work.conn, root) is None:
        return Drop("no_report")
    report = _report_of(work, row)
    if isinstance(report, Drop):
        return report
    if is_silent(report):
        return Drop(_SILENT)
    body = render_weekly_rest(report, lambda code: label_of(work, code) if code else "")
    return Rendered(body, closed=True, thread_of=root)


def monthly_line(work: Work, row: OutboxRow, card: CardRow | None) -> Rendered | Drop:
    """The template `monthly_line`."""
    report = _report_of(work, row)
    if isinstance(report, Drop):
        return report
    if is_silent(report) and was_silent(report):
        return Drop(_SILENT)
    return Rendered(render_monthly(report), closed=True)


def manager_digest(work: Work, row: OutboxRow, card: CardRow | None) -> Rendered | Drop:
    """The template `manager_digest`. One that stands is edited for one reason only: a lead that it may have named was
    erased."""
    if card is None:
        return _digest(work, row.person_id, row.data)
    made = _digest(work, card.person_id, card.data)
    return made if isinstance(made, Rendered) else Rendered(render_erased(), closed=True)


def _digest(work: Work, reader_id: int | None, about: Mapping[str, Any]) -> Rendered | Drop:
    """`reader_id`: the manager or the deputy."""
    manager = work.roster.by_id.get(int(about.get("manager") or 0))
    reader = work.roster.by_id.get(reader_id or 0)
    if manager is None or reader is None or not manager.active or not reader.active:
        return Drop("not_active")
    today = date.fromisoformat(str(about.get("day")))
    if today < local_day(work.now, manager.zone):
        return Drop("stale")
    teams = [team for team in work.agreement.teams.values() if team.manager == manager.email]
    told = tuple(_morning(work, team, manager, today) for team in teams)
    if not any(says_something(team) for team in told):
        return Drop(_SILENT)
    stands_in_for = manager.name if reader.id != manager.id else ""
    return Rendered(
        render_digest(Morning(reader_of(work, reader), told, stands_in_for)), closed=True
    )


def _report_of(work: Work, row: OutboxRow) -> Report | Drop:
    try:
        period = parse_period(str(row.data.get("period")), work.now, work.agreement.timezone)
    except ValueError:  # written by a newer Baton
        return Drop("unknown_period")
    return make_report(work, period)


def _morning(work: Work, team: Team, manager: Member, today: date) -> TeamMorning:
    """What one team needs today, and how its last working day went, by the manager's own calendar."""
    day = day_of(last_working_day(manager, today), manager.zone)
    pressing = _pressing(work, team, day_of(today, manager.zone))
    return TeamMorning(
        team=team.name,
        report=make_report(work, day, team=team.name),
        pressing=tuple(pressing),
        total=len(pressing),
        overdue=sum(lead.due is not None and lead.due <= work.now for lead in pressing),
        untouched=_untouched(work, team),
    )


def _untouched(work: Work, team: Team) -> int:
    """Leads that nobody has touched for longer than their shelf life, now: a report of a day that is over says how it
    was at its end."""
    now = Window(None, work.now, work.now, team.name)
    bands = tuple(hours for _, hours in AGES if hours is not None)
    decayed = bands.index(DECAYED_HOURS) + 1
    found = decays.tally_untouched(work.conn, now, bands)
    return sum(each.leads for each in found if each.band >= decayed)


def _pressing(work: Work, team: Team, today: Period) -> list[LeadLine]:
    """Leads of a team that are overdue or due today, soonest due first."""
    members = (work.roster.by_email.get(email) for email in team.members)
    held_by = [member.id for member in members if member is not None]
    found = reading.list_of_teams(work.conn, HELD, [team.name], held_by)
    return [lead for lead in lines_of(work, found) if lead.due is not None and lead.due < today.end]
