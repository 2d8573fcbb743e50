"""The leads of a made-up month: what an export's leads want and how they ended, spread over the days as leads come.

From the export come where a lead is from, what it is interested in, how large the company is and how it went; who it
is is made up (`demo_names`), so that no real person stands in a demo. The same seed gives the same leads. What is not
here: sending them, what reps do with them (`demo_reps`).
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from bot.demo_names import person_of, wish_of
from bot.domain.funnel import Status
from bot.domain.past import ImportMode, ImportRow
from bot.playbook.column_map import load_column_map
from handlers.csv_rows import CsvFault, open_csv
from handlers.import_items import open_items

#: Leads of a day against those of another, Monday first; of an hour against another, midnight first. Most come while
#: people sit at their desks, some in the evening, few at night and at weekends.
DAYS: Final = (1.1, 1.25, 1.2, 1.1, 0.85, 0.25, 0.3)
HOURS: Final = (1, 1, 1, 1, 1, 2, 4, 8, 14, 18, 20, 18, 13, 15, 18, 17, 14, 11, 8, 7, 6, 5, 3, 2)
#: So many of a hundred ask to be called, as on any web page with such a form.
HAND_RAISERS: Final = 12
#: When an export was made is not known: nothing in it lies in the future.
_EXPORTED: Final = datetime(2199, 1, 1, tzinfo=UTC)


class ExportFault(Exception):
    """The export or its map cannot be used; each of `sentences` says why."""

    def __init__(self, *sentences: str) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = sentences


class Fate(StrEnum):
    """What a lead comes to when somebody works it. OPEN: nobody knows yet; NO_LEAD: it never was one."""

    BUYS = "buys"
    OPEN = "open"
    LOST = "lost"
    SLEEPS = "sleeps"
    NO_LEAD = "no_lead"


_FATES: Final[Mapping[Status, Fate]] = {
    Status.WON: Fate.BUYS,
    Status.QUALIFIED: Fate.BUYS,
    Status.LOST: Fate.LOST,
    Status.DISQUALIFIED: Fate.NO_LEAD,
    Status.NURTURING: Fate.SLEEPS,
}


@dataclass(frozen=True, slots=True)
class MadeLead:
    """A lead that will come. `body`: as `POST /leads` takes it. `fate`: known to nobody but the play."""

    at: datetime
    body: Mapping[str, Any]
    fate: Fate


def read_export(export: Path, map_path: Path) -> list[ImportRow]:
    """The usable rows, in the file's order. Raises `ExportFault`."""
    try:
        result = load_column_map(map_path.read_text(encoding="utf-8"), str(map_path))
    except (OSError, UnicodeDecodeError) as error:
        raise ExportFault(f"{map_path} cannot be read: {error}.") from None
    if result.column_map is None:
        raise ExportFault(*map(str, result.faults))
    try:
        csv_file = open_csv(export)
        if faults := result.column_map.check_header(csv_file.header):
            raise ExportFault(*map(str, faults), f"{export} does not fit {map_path}.")
        items = open_items(csv_file, result.column_map, mode=ImportMode.HISTORY, now=_EXPORTED)
        rows = [item for item in items.items() if isinstance(item, ImportRow)]
    except CsvFault as fault:
        raise ExportFault(f"{export}: {fault}") from None
    except OSError as error:
        raise ExportFault(f"{export} cannot be read: {error.strerror or error}.") from None
    if not rows:
        raise ExportFault(f"{export} has no row that could be used.")
    return rows


def fitting_map(export: Path, maps: Iterable[Path]) -> Path:
    """The first of these maps that names nothing but columns of the export. Raises `ExportFault`."""
    try:
        header = open_csv(export).header
    except CsvFault as fault:
        raise ExportFault(f"{export}: {fault}") from None
    except OSError as error:
        raise ExportFault(f"{export} cannot be read: {error.strerror or error}.") from None
    for path in maps:
        column_map = load_column_map(path.read_text(encoding="utf-8"), str(path)).column_map
        if column_map is not None and not column_map.check_header(header):
            return path
    raise ExportFault(f"No map that ships fits {export}: write one (docs/import.md), and name it.")


def make_leads(
    rows: Sequence[ImportRow], many: int, *, first: date, last: date, zone: ZoneInfo, seed: int
) -> list[MadeLead]:
    """`many` leads by the time they come. Of a longer export every so manieth row is taken, a shorter one is gone
    through again and again, each time with another person and slightly other figures."""
    dice = random.Random(f"leads {seed}")  # noqa: S311 - seeded: the same month again
    moments = _moments(many, first, last, zone, dice)
    if len(rows) >= many:
        chosen = [rows[place * len(rows) // many] for place in range(many)]
    else:
        chosen = [rows[place % len(rows)] for place in range(many)]
    dice.shuffle(chosen)  # exports are sorted by something
    again = many > len(rows)
    return [
        MadeLead(at, _body(row, number, again, dice), _fate(row, again, dice))
        for number, (at, row) in enumerate(zip(moments, chosen, strict=True), 1)
    ]


def _moments(
    many: int, first: date, last: date, zone: ZoneInfo, dice: random.Random
) -> list[datetime]:
    days = [first + timedelta(days=ahead) for ahead in range((last - first).days + 1)]
    drawn = dice.choices(days, [DAYS[day.weekday()] for day in days], k=many)
    hours = dice.choices(range(24), HOURS, k=many)
    found = []
    for day, hour in zip(drawn, hours, strict=True):
        at = time(hour, dice.randrange(60), dice.randrange(60))
        found.append(datetime.combine(day, at, zone).astimezone(UTC))
    return sorted(found)


def _body(row: ImportRow, number: int, again: bool, dice: random.Random) -> dict[str, Any]:
    facts, who = row.facts, person_of(number, dice)
    raises_hand = dice.randrange(100) < HAND_RAISERS
    visits, employees = facts.visits, facts.employees
    if again:
        visits = max(0, visits + dice.randint(-1, 2))
        employees = round(employees * dice.uniform(0.6, 1.7))
    body: dict[str, Any] = {
        "source": "contact_me" if raises_hand else _source(row),
        "external_id": f"H-{number:05}",
        "first_name": who.first_name,
        "last_name": who.last_name,
        "email": who.email,
        "company": who.company,
        "phone": who.phone if facts.phone or dice.random() < 0.6 else "",
        "title": facts.title,
        "country": facts.country,
        "language": facts.language,
        "employees": employees,
        "industry": facts.industry,
        "campaign": facts.campaign,
        "visits": visits,
        "message": wish_of(dice) if raises_hand else "",
        "extra": facts.extra,
    }
    return {name: value for name, value in body.items() if value not in ("", 0, {})}


def _source(row: ImportRow) -> str:
    """Where a lead comes from: its campaign, which says more than the name of the system that kept it."""
    words = row.facts.campaign.lower().replace(":", " ").split()
    return " ".join(words[:2]) or row.facts.source


def _fate(row: ImportRow, again: bool, dice: random.Random) -> Fate:
    """How it went. In an export that is gone through again, not every copy goes the same way."""
    found = Fate.NO_LEAD if row.past.rejected else _FATES.get(row.past.status, Fate.OPEN)
    others = (Fate.OPEN, Fate.SLEEPS, Fate.BUYS, Fate.LOST)
    return dice.choice(others) if again and dice.random() < 0.35 else found
