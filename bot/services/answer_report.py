"""`/baton report [team] [period]` and `/baton report what <figure>`. Read-only, for the asker alone.

Everybody in the playbook sees the totals of every team. Figures about a person: that person, and the manager of the
team where `people_figures` lets them. What is not here: counting (`make_report`), wording (`bot.rendering`).
"""

from __future__ import annotations

from bot.domain.access import Bond, Deed, may
from bot.domain.agreement import Team
from bot.domain.kpi_definitions import DEFINITIONS
from bot.domain.people_figures import FEWEST, PeopleFigures
from bot.domain.period import WORDS, Period, parse_period
from bot.domain.report import Report
from bot.rendering.replies import render_reply
from bot.rendering.report_answer import (
    PersonFigures,
    ReportAnswer,
    find_definition,
    render_definition,
    render_definitions,
    render_report,
)
from bot.rendering.rich import Message
from bot.services.answer_queries import say_refusal
from bot.services.make_report import make_report
from bot.services.present_forms import no_member
from bot.services.present_parts import label_of
from bot.services.see_figures import agreed_to_show, asks_for_people
from bot.services.work import Member, Work

#: Nobody can be held to a week that is not over.
USUAL = "last week"
_WHAT = ("what", "explain", "define")
_HELP = (
    "/baton report: last week. Add a team, a period, or both: /baton report {team} this week\n"
    "Teams: {teams}\n"
    "{periods}"
    "What a figure means: /baton report what answered in time"
)


def report_command(work: Work, actor: Member | None, text: str) -> Message:
    """What somebody typed behind `/baton report`."""
    if (
        actor is None
        or not actor.active
        or not may(actor.roles, frozenset({Bond.NONE}), Deed.SEE_REPORT)
    ):
        return say_refusal(work, actor, no_member(actor))
    asked = " ".join(as_typed(text).split())
    word, _, rest = asked.partition(" ")
    if word.casefold() in _WHAT:
        found = find_definition(DEFINITIONS, rest) if rest else None
        return (
            render_definition(found) if found is not None else render_definitions(DEFINITIONS, rest)
        )
    if asked.casefold() in ("help", "?"):
        return render_reply(_help(work))
    try:
        team, period = read_scope(work, asked)
    except ValueError as unclear:
        said = str(unclear)
        more = _help(work, periods=WORDS not in said)  # once is enough
        return render_reply(f"{said[:1].upper()}{said[1:]}.\n{more}")
    report = make_report(work, period, team=team)
    return render_report(
        _answer(work, actor, report), lambda code: label_of(work, code) if code else ""
    )


def as_typed(text: str) -> str:
    """Slack escapes three characters of what is typed behind a command; a name may have them."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def read_scope(work: Work, asked: str) -> tuple[str, Period]:
    """Team ("" for all) and period, in either order. ValueError with a sentence for what is neither."""
    team, rest = "", asked
    folded = asked.casefold()
    for name in sorted(work.agreement.teams, key=len, reverse=True):
        known = " ".join(name.split()).casefold()
        if folded == known or folded.startswith(f"{known} "):
            team, rest = name, asked[len(known) :]
            break
        if folded.endswith(f" {known}"):
            team, rest = name, asked[: -len(known)]
            break
    return team, parse_period(rest.strip() or USUAL, work.now, work.agreement.timezone)


def _help(work: Work, *, periods: bool = True) -> str:
    teams = sorted(work.agreement.teams)
    return _HELP.format(
        team=teams[0] if teams else "",
        teams=", ".join(teams),
        periods=f"Periods: {WORDS}\n" if periods else "",
    )


# ------------------------------------------------------------------ figures about people


def _answer(work: Work, actor: Member, report: Report) -> ReportAnswer:
    own = next((load for load in report.loads if load.person_id == actor.id), None)
    mine = PersonFigures("", own) if own is not None else None
    team = work.agreement.teams.get(report.team)
    if team is None or not asks_for_people(actor, team):
        return ReportAnswer(report, mine)
    if not agreed_to_show(work, team):
        return ReportAnswer(report, mine, why_no_people=_why_not(team))
    people = tuple(
        PersonFigures(work.roster.name_of(load.person_id), load)
        for load in report.loads
        if load.team == team.name and load.person_id != actor.id
    )
    return ReportAnswer(report, mine, people)


def _why_not(team: Team) -> str:
    if team.people_figures is PeopleFigures.SELF:
        return "Figures of single people: everybody sees their own only, as the playbook says."
    return f"Figures of single people: not for a team of fewer than {FEWEST} reps. Everybody sees their own."
