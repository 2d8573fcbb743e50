"""People, teams and the marketing side of the playbook as values, each with its effective calendar.

What is not here: who may be what (`addresses`, `checks`), hours and zones as text (`calendars`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from bot.domain.agreement import Marketing, Person, Team
from bot.domain.business_time import Calendar
from bot.domain.people_figures import PeopleFigures
from bot.playbook.addresses import Addresses, normal
from bot.playbook.calendars import TimePart, TimeReader, joined
from bot.playbook.faults import Faults, shown
from bot.playbook.schema import CompanyPart, PersonPart, PlaybookPart
from bot.playbook.words import WordReader

_LANGUAGE = re.compile(r"[a-z]{2,3}")


@dataclass(frozen=True, slots=True)
class Crew:
    """Everybody."""

    people: Mapping[str, Person]
    teams: Mapping[str, Team]
    marketing: Marketing
    calendar: Calendar  # the company's


def name_from(address: str) -> str:
    """`ann.lee@acme.example` -> "Ann Lee": the name of somebody whose name is not written down."""
    words = re.split(r"[._+-]+", address.partition("@")[0])
    return " ".join(word.capitalize() for word in words if word) or address


def read_crew(part: PlaybookPart, addresses: Addresses, times: TimeReader) -> Crew:
    """All people and teams; faults in hours, zones and languages go to the reader's list."""
    company = part.company or CompanyPart()
    base = times.read(
        ("company",), company.timezone, company.hours, company.holidays, company.closures
    )
    signers = part.agreement
    team_times: dict[str, TimePart] = {}
    teams: dict[str, Team] = {}
    for name, team in (part.teams or {}).items():
        if team is None:
            continue
        team_times[name] = times.read(
            ("teams", name), team.timezone, team.hours, team.holidays, team.closures
        )
        teams[name] = Team(
            name=name,
            manager=normal(team.manager),
            above=normal(team.above) or normal(signers.sales if signers else None),
            members=_members(team.members),
            channel=team.channel or "",
            calendar=joined(team_times[name], base),
            people_figures=WordReader(times.faults).word(
                ("teams", name, "people_figures"), team.people_figures, PeopleFigures.TEAM
            ),
        )
    marketing, marketing_time = _marketing(part, times, base)
    people: dict[str, Person] = {}
    for key, person in (part.people or {}).items():
        address = normal(key)
        group, level = _place(address, teams, team_times, marketing, marketing_time)
        own = person or PersonPart()
        time = times.read(("people", key), own.timezone, own.hours, own.holidays)
        people[address] = Person(
            email=address,
            name=(own.name or "").strip() or name_from(address),
            roles=addresses.roles.get(address) or frozenset(),
            team=group,
            languages=_languages(own.languages, key, times.faults),
            open_cap=own.open_cap,
            deputy=normal(own.deputy),
            calendar=joined(time, level, base),
        )
    return Crew(people, teams, marketing, joined(base))


def _marketing(part: PlaybookPart, times: TimeReader, base: TimePart) -> tuple[Marketing, TimePart]:
    side = part.marketing
    signer = normal(part.agreement.marketing if part.agreement else None)
    if side is None:
        return Marketing((), signer, "", joined(base)), TimePart()
    time = times.read(("marketing",), side.timezone, side.hours, side.holidays, side.closures)
    marketing = Marketing(
        members=_members(side.members),
        above=normal(side.above) or signer,
        channel=side.channel or "",
        calendar=joined(time, base),
    )
    return marketing, time


def _place(
    address: str,
    teams: Mapping[str, Team],
    team_times: Mapping[str, TimePart],
    marketing: Marketing,
    marketing_time: TimePart,
) -> tuple[str, TimePart]:
    """The team somebody is a member of, and whose time they share: the team's, also when they manage it."""
    for name, team in teams.items():
        if address in team.members:
            return name, team_times[name]
    if address in marketing.members:
        return "", marketing_time
    for name, team in teams.items():
        if address == team.manager:
            return "", team_times[name]
    return "", TimePart()


def _members(written: list[str | None] | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(normal(address) for address in written or [] if normal(address)))


def _languages(written: list[str | None] | None, key: str, faults: Faults) -> tuple[str, ...]:
    languages: list[str] = []
    for index, language in enumerate(written or []):
        if language is None:
            continue
        code = language.strip().lower()
        if not _LANGUAGE.fullmatch(code):
            faults.add(
                ("people", key, "languages", index),
                f"{shown(language)} is not a language code; write for example de or en",
            )
        languages.append(code)
    return tuple(dict.fromkeys(languages))
