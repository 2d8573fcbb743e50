"""Six weeks of real services, and every figure of their reports counted again from the journal, on both databases.

The weeks are lived once, on SQLite, and copied as they are. What is not here: the counting (`reports_by_hand`).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from bot.domain.kpi import Count, Cut, Kpi, Ratio, Share, Spread, Value
from bot.domain.period import parse_period
from bot.domain.report import Report
from bot.services.make_report import make_report
from storage.database import Database
from storage.models import Base, Journal, Offers
from storage.rows import table_of
from tests.journal_by_hand import Entry, History, read
from tests.reports_by_hand import Counting, Figures
from tests.services.busy_weeks import DOWN, END, BusyWeeks

ZONE = ZoneInfo("Europe/Berlin")
_journal = table_of(Journal)
_offers = table_of(Offers)
#: What reports count of offers without looking at anything else.
CARRIED = ("source", "systems_seconds", "accepted_seconds", "touched_at", "touched_seconds")
COUNTED = import_module("storage.migrations.versions.0007_counted")
#: All that a report is made from.
READ = {
    "people",
    "absences",
    "liveness",
    "leads",
    "histories",
    "offers",
    "clocks",
    "touches",
    "journal",
}
#: What is asked for, and the local days that it is about: the first, and the one after the last.
PERIODS: dict[str, tuple[date, date]] = {
    "2026-W10": (date(2026, 3, 2), date(2026, 3, 9)),  # summer time begins in New York
    "2026-W12": (date(2026, 3, 16), date(2026, 3, 23)),  # Slack takes nothing, then Baton is down
    "2026-W13": (date(2026, 3, 23), date(2026, 3, 30)),  # summer time begins in Berlin
    "2026-W14": (date(2026, 3, 30), date(2026, 4, 6)),
    "2026-03": (date(2026, 3, 1), date(2026, 4, 1)),
    "2026-03-24": (date(2026, 3, 24), date(2026, 3, 25)),
    "this week": (date(2026, 4, 6), date(2026, 4, 13)),
    "30d": (date(2026, 3, 11), date(2026, 4, 10)),
}
#: What must have happened in these weeks, or they prove nothing.
LIVED = [
    "revived", "test", "accepted", "undone", "rejected", "passed", "recycled", "touched", "withdrawn",
    "qualified", "won", "lost", "extended", "excused", "taken", "reassigned", "nurtured",
    "given back", "offered again", "crm counted", "crm verified", "crm updated", "crm withdrawn",
]  # fmt: skip


@pytest.fixture(scope="module")
def weeks(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BusyWeeks]:
    """Lived once for all tests here."""
    path = tmp_path_factory.mktemp("weeks") / "baton.db"
    shutil.copyfile(sqlite_template, path)
    lived = BusyWeeks(f"sqlite:///{path}", leads=60)
    lived.live()
    missing = [what for what in LIVED if not lived.done[what]]
    assert not missing, lived.done
    yield lived
    lived.database.dispose()


@pytest.fixture
def copied(weeks: BusyWeeks, database_url: str) -> Iterator[BusyWeeks]:
    """The same weeks in the database of this test."""
    yield from _copy(weeks, database_url)


@pytest.fixture
def of_before(weeks: BusyWeeks, database_url: str) -> Iterator[BusyWeeks]:
    """The same, told by a journal that does not say yet how long a stage took."""

    def older(row: dict[str, Any]) -> dict[str, Any]:
        data = row.get("data")
        return row | {"data": {k: v for k, v in data.items() if k != "took"}} if data else row

    yield from _copy(weeks, database_url, older)


def _copy(weeks: BusyWeeks, url: str, changed: Callable[[Any], Any] = dict) -> Iterator[BusyWeeks]:
    there = BusyWeeks.__new__(BusyWeeks)
    there.database, there.now, there.agreement = Database(url), weeks.now, weeks.agreement
    with weeks.database.read() as source, there.database.write() as target:
        for table in Base.metadata.sorted_tables:
            rows = [changed(dict(row._mapping)) for row in source.execute(select(table))]
            if rows and table.name in READ:
                target.execute(table.insert(), rows)
    yield there
    there.database.dispose()


def journal_of(weeks: BusyWeeks) -> History:
    """The raw entries about leads, put together."""
    with weeks.database.read() as conn:
        rows = conn.execute(
            select(_journal).where(_journal.c.subject_kind == "lead").order_by(_journal.c.id)
        ).all()
    return read(Entry(row.subject_id, row.at, row.kind, row.data) for row in rows)


def hours_of(weeks: BusyWeeks, kind: str, person: int | None, team: str, *span: datetime) -> int:
    """By the playbook alone."""
    agreement = weeks.agreement
    if kind == "review":
        calendar = agreement.marketing.calendar
    elif kind == "decide":
        calendar = agreement.teams[team].calendar
    else:
        with weeks.work() as work:
            email = next(m.email for m in work.roster.by_id.values() if m.id == person)
        calendar = agreement.people[email].calendar
    return calendar.between(*span)


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), ZONE).astimezone(UTC)


def counting(
    weeks: BusyWeeks, told: History, days: tuple[date, date] | None, team: str
) -> Counting:
    begin, end = map(midnight, days or (date(2020, 1, 1), END.date() + timedelta(days=1)))
    return Counting(
        told,
        lambda *given: hours_of(weeks, *given),
        begin if days else None,
        end,
        min(end, END),
        END,
        team,
    )


def plain(value: Value) -> object:
    match value:
        case Count(n):
            return n
        case Share(part, of) | Ratio(part, of):
            return part, of
        case Spread(n, p50, p90):
            return n, p50, p90


def plainly(values: Mapping[Kpi, Value]) -> Figures:
    return {kpi.value: plain(value) for kpi, value in values.items()}


def _counts(figure: object) -> bool:
    """A figure that is nothing proves nothing."""
    return bool(figure[0] if isinstance(figure, tuple) else figure)


def report_of(weeks: BusyWeeks, asked: str, team: str) -> Report:
    with weeks.work() as work:
        return make_report(work, parse_period(asked, END, str(ZONE)), team=team)


def test_every_figure_of_every_period_is_as_counted_from_the_journal(copied: BusyWeeks) -> None:
    told = journal_of(copied)
    evening = midnight(END.date() + timedelta(days=1))
    for asked, team in product((*PERIODS, "all"), ("", "emea", "west")):
        days = PERIODS.get(asked)
        found = report_of(copied, asked, team)
        hand = counting(copied, told, days, team)
        expected = hand.figures() | hand.due(evening)
        assert len(expected) == len(Kpi)
        assert team or asked != "all" or all(map(_counts, expected.values())), expected
        assert plainly(found.values) == expected, (asked, team)
        if days is not None and days[1] <= END.date():
            before = counting(copied, told, (days[0] - (days[1] - days[0]), days[0]), team)
            if asked != "2026-03":
                assert plainly(found.before) == before.figures(), (asked, team)
        for kpi, kind in ((Kpi.ACCEPTED_IN_TIME, "accept"), (Kpi.TOUCHED_IN_TIME, "first_touch")):
            shown = {name: plain(value) for name, value in found.parts[kpi, Cut.PERSON]}
            assert shown == hand.of_person(kind, [DOWN]), (asked, team, kind)
    whole = counting(copied, told, None, "")
    kinds = "accept", "first_touch"
    assert any(whole.of_person(kind, [DOWN]) != whole.of_person(kind, []) for kind in kinds)


def test_a_journal_of_before_says_the_same(of_before: BusyWeeks, weeks: BusyWeeks) -> None:
    for asked in ("2026-03", "all"):
        found, expected = (report_of(each, asked, "") for each in (of_before, weeks))
        assert found.values == expected.values
        assert found.parts == expected.parts


def test_what_offers_carry_is_what_a_migration_works_out(copied: BusyWeeks) -> None:
    """Clicks and CRMs kept it true step by step; the migration reads leads, offers and touches once."""
    carried = select(*(_offers.c[name] for name in ("id", *CARRIED))).order_by(_offers.c.id)
    empty = {name: 0 if name == "systems_seconds" else None for name in CARRIED}
    with copied.database.write() as conn:
        lived = [tuple(row) for row in conn.execute(carried)]
        conn.execute(_offers.update().values(empty))
        for statement in COUNTED.filling(conn.dialect.name):
            conn.exec_driver_sql(statement)
        worked_out = [tuple(row) for row in conn.execute(carried)]

    assert worked_out == lived
    for place, name in enumerate(CARRIED, start=1):
        assert len({row[place] for row in lived}) > 2, name
