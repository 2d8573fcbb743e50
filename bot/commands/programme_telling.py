"""What a playbook says about reports and challenges, as it was understood: for `baton check` and `playbook apply`.

What is not here: what is wrong with it (`checking`), how a running challenge stands (`bot.services`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from bot.commands.wording import counted, one_line
from bot.domain.agreement import Agreement
from bot.domain.challenge import Kind, Terms
from bot.domain.people_figures import FEWEST, PeopleFigures
from bot.playbook.calendars import DAYS

_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_KINDS = {Kind.RACE: "a race", Kind.TEAMS: "team against team", Kind.IMPROVED: "most improved"}


def programme_lines(agreement: Agreement) -> list[str]:
    """A line about the reports, one about figures where teams differ, one about each challenge."""
    return [
        _reports(agreement),
        *_figures(agreement),
        *(_challenge(agreement, terms) for terms in agreement.challenges),
    ]


def print_programme(agreement: Agreement) -> None:
    """The same, indented below what was said of the whole file."""
    for line in programme_lines(agreement):
        print(f"  {line}")


def _reports(agreement: Agreement) -> str:
    times = agreement.reports
    said: list[str] = []
    if times.weekly_day is not None:
        channel = times.channel or agreement.marketing.channel
        said.append(f"weekly {DAYS[times.weekly_day]} {_clock(times.weekly_at)} in {channel}")
    if times.digest_at is not None:
        said.append(f"digest {_clock(times.digest_at)} to each manager")
    if times.monthly:
        said.append("monthly to both signers")
    return f"reports: {', '.join(said) or 'none go by themselves'}"


def _figures(agreement: Agreement) -> Iterator[str]:
    teams = agreement.teams.values()
    if all(team.people_figures is PeopleFigures.TEAM for team in teams):
        return
    said: list[str] = []
    for team in teams:
        rule, size = team.people_figures, len(team.members)
        few = rule is PeopleFigures.TEAM and size < FEWEST
        rest = f" (totals only, {counted(size, 'rep')})" if few else ""
        said.append(f"{one_line(team.name, 40)} {rule.value}{rest}")
    yield f"people_figures: {', '.join(said)}"


def _challenge(agreement: Agreement, terms: Terms) -> str:
    teams = " + ".join(one_line(name, 40) for name in terms.teams)
    said = [
        one_line(terms.name, 60),
        days_in_words(terms.begins, terms.ends),
        teams,
        f"{_KINDS[terms.kind]} by {terms.counting.value}",
        "a hidden trial run" if terms.trial else _board(agreement, terms),
    ]
    if terms.prizes:
        said.append(counted(len(terms.prizes), "prize"))
    return f"challenge: {', '.join(said)}"


def _board(agreement: Agreement, terms: Terms) -> str:
    own = {agreement.teams[name].channel for name in terms.teams if name in agreement.teams}
    channel = terms.channel or (own.pop() if len(own) == 1 else "")
    where = f" in {channel}" if channel else ""
    return f"board {_weekdays(terms.post_days)} {_clock(terms.post_at)}{where}"


def days_in_words(first: date, last: date) -> str:
    """`1-31 March 2026`, `28 February - 3 March 2026`."""
    until = f"{last.day} {_MONTHS[last.month - 1]} {last.year}"
    if first == last:
        return until
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}-{until}"
    since = f"{first.day} {_MONTHS[first.month - 1]}"
    return f"{since} - {until}" if first.year == last.year else f"{since} {first.year} - {until}"


def _weekdays(days: tuple[int, ...]) -> str:
    """`mon-fri`, `mon,wed,fri`: as the playbook writes them."""
    if len(days) > 2 and days[-1] - days[0] == len(days) - 1:
        return f"{DAYS[days[0]]}-{DAYS[days[-1]]}"
    return ",".join(DAYS[day] for day in days)


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
