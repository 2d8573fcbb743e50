"""A manager's morning: what needs them today, team by team, and how the last working day went. A DM.

Leads are named, for the manager sees them anyway; figures are the team's, never one person's. What is not here: who
gets it and when (`bot.services.tell_report`), single escalations (`escalation_card`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from bot.domain.kpi import Kpi, Unit
from bot.domain.report import Report
from bot.rendering import escape, terms, times, wording
from bot.rendering import report_words as words
from bot.rendering.report_rows import NAME_CAP, Rows, number_of
from bot.rendering.rich import (
    Element,
    Message,
    Part,
    at,
    bold,
    context,
    flat,
    line,
    lines,
    literal,
    message,
    rich_text,
)
from bot.rendering.views import Reader
from bot.rendering.views_pages import LeadLine

#: Teams, and leads of a team, that are named; the rest is counted.
TEAMS = 6
LEADS = 5


@dataclass(frozen=True, slots=True)
class TeamMorning:
    """One team. `report`: of the last working day, with what is due as of now. `pressing`: leads that need somebody
    today, most urgent first; `total` >= len(pressing)."""

    team: str
    report: Report
    pressing: tuple[LeadLine, ...] = ()
    total: int = 0
    overdue: int = 0  # of them
    untouched: int = 0  # over 72 h, now


@dataclass(frozen=True, slots=True)
class Morning:
    """`stands_in_for`: the manager who is away, when the deputy reads it."""

    reader: Reader
    teams: tuple[TeamMorning, ...]
    stands_in_for: str = ""


def needs_somebody(team: TeamMorning) -> bool:
    """Whether anything of today waits for the manager."""
    return bool(team.pressing or _needs(team))


def says_something(team: TeamMorning) -> bool:
    """Whether there is anything to say: something waits, or on the last working day leads were offered or promises
    fell due. One lead that somebody put to sleep is no news."""
    values = team.report.values
    return needs_somebody(team) or any(words.size(values.get(kpi)) for kpi in _NEWS)


_NEWS = (Kpi.OFFERED, Kpi.ACCEPTED_IN_TIME, Kpi.TOUCHED_IN_TIME)


def render_digest(view: Morning) -> Message:
    """The most urgent first; one line for the day that is over."""
    told = [team for team in view.teams if says_something(team)][:TEAMS]
    rows: Rows = []
    if view.stands_in_for:
        away = escape.clean(view.stands_in_for, escape.PERSON_CAP)
        rows.append(line("For ", literal(away), ", who is away"))
    for team in told:
        rows += _team_rows(team, view.reader)
    if not told:
        rows.append(line("Nothing needs you today."))
    left = len([team for team in view.teams if says_something(team)]) - len(told)
    if left > 0:
        rows.append(line(f"and {wording.plural(left, 'more team')}: /baton report"))
    # What a notification shows must work alone: the figures come first, whoever it is for.
    said = [flat(row) for row in rows]
    heads = "; ".join(flat(_head(team)) for team in told)
    if heads and heads != said[0]:
        said.insert(0, heads)
    text = "\n".join(said)
    more = "All open leads: /lead team. Figures: /baton report, and a team's name"
    return message(text, [rich_text(lines(*rows)), context(more)])


def _needs(team: TeamMorning) -> list[str]:
    """What the headline counts, as of now."""
    values = team.report.values
    counted = (
        (team.overdue, "overdue"),
        (number_of(values.get(Kpi.DUE_TODAY)), "due today"),
        (number_of(values.get(Kpi.LIKELY_TO_BREACH)), "likely to be late"),
        (team.untouched, "untouched over 72 h"),
    )
    return [f"{many:,} {what}" for many, what in counted if many]


def _team_rows(team: TeamMorning, reader: Reader) -> Rows:
    rows = [_head(team), *(_lead_row(lead, reader) for lead in team.pressing[:LEADS])]
    more = wording.and_more(min(len(team.pressing), LEADS), team.total)
    if more:
        rows.append(line(more))
    if said := _yesterday(team):
        today = times.today(reader.now, reader.zone)
        rows.append(line(f"{_day_name(team.report.period.first_day, today)}: {said}"))
    return rows


def _head(team: TeamMorning) -> list[Element]:
    said = wording.dotted(_needs(team)) or "nothing needs you today"
    return line(bold(team.team, NAME_CAP), f": {said}")


def _lead_row(lead: LeadLine, reader: Reader) -> list[Element]:
    """ "🔴 09:10 · Jana Novak, Globex: accept, with Ben Ode"."""
    mark, _ = wording.mark_of(lead.due, lead.due_soon_from, reader.now)
    holder = escape.clean(lead.holder, escape.PERSON_CAP)
    what = wording.clock_verb(lead.clock).lower() if lead.clock else terms.STATUSES[lead.status]
    note = escape.clean(lead.note, 60)
    when: list[Part] = [at(lead.due, reader), " · "] if lead.due is not None else []
    return line(
        f"{mark} " if mark else "",
        *when,
        literal(wording.who_short(lead.lead)),
        literal(f": {what}{f', with {holder}' if holder else ''}{f', {note}' if note else ''}"),
    )


def _yesterday(team: TeamMorning) -> str:
    """The last working day in a line, "" when nothing happened."""
    report = team.report
    said = []
    if offered := number_of(report.values.get(Kpi.OFFERED)):
        said.append(f"{offered:,} offered")
    for kpi, verb in (
        (Kpi.ACCEPTED_IN_TIME, "answered in time"),
        (Kpi.TOUCHED_IN_TIME, "touched in time"),
    ):
        if words.size(report.values.get(kpi)):
            said.append(f"{words.figure(report.values[kpi], Unit.PERCENT)} {verb}")
    for kpi, verb in ((Kpi.REJECTED, "rejected"), (Kpi.RECYCLED, "recycled")):
        if many := number_of(report.values.get(kpi)):
            said.append(f"{many:,} {verb}")
    return wording.dotted(said)


def _day_name(day: date, today: date) -> str:
    if (today - day).days == 1:
        return "Yesterday"
    return f"{words.WEEKDAYS[day.weekday()]} {times.day(day, today)}"
