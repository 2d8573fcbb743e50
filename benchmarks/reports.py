"""The report: counted by the database, beside loading the rows and counting in Python; and how long it takes.

Both sides make the figures of three spans of time, as a report shows them. The report makes more than that: all parts
and people's loads. What is not here: the leads that are counted (`past_year`).
"""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

from sqlalchemy import Connection, event, text

from benchmarks.past_year import NOW, fill
from benchmarks.places import Ground, NotMeasured
from benchmarks.row import Bar, Figure, Found, Row, interleave
from bot.domain.kpi import Count, Kpi, Ratio, Share, Spread, Value
from bot.domain.period import Period, local_day, midnight, parse_period, period_before
from bot.domain.report import Report
from bot.playbook.loading import load_playbook
from bot.services.make_report import make_report
from bot.services.work import Work
from storage import prepared
from storage.database import Database
from tests.services.desk_kit import PLAYBOOK

LEADS = 100_000
ZONE = "Europe/Berlin"
_RUNS, _FEW = 20, 10
Figures = dict[str, object]
_AGREEMENT = load_playbook(PLAYBOOK, today=NOW.date()).agreement


def measure(ground: Ground) -> Found:
    """Python counts the same as the report; then they take turns, then the report runs alone."""
    leads = 3_000 if ground.small else LEADS
    with ExitStack() as stack:
        bases = {
            "PostgreSQL": Database(stack.enter_context(ground.postgres())),
            "SQLite": Database(stack.enter_context(ground.sqlite())),
        }
        for database in bases.values():
            stack.callback(database.dispose)
        entries = fill(list(bases.values()), leads)
        postgres = bases["PostgreSQL"]
        compared = _compare(postgres)
        sides = interleave(
            {
                "report": lambda: _timed(lambda: _report(postgres, "30d")),
                "python": lambda: _timed(lambda: _in_python(postgres)),
            }
        )
        figures = {"rows in Python against the report": sides.ratio("python", "report")}
        for name, database in bases.items():
            figures[f"report against its bare SQL, {name}"] = _against_bare(database)
            for period, what, runs in (("31d", "31 days", _RUNS), ("all", "all time", _FEW)):
                figures[f"{what}, p95, {name}"] = _p95(database, period, runs)
        figures["report of 30 days"] = sides.figure("report", "ms")
        figures["Python"] = sides.figure("python", "ms")
    return Found(
        figures,
        (
            f"{leads:,} leads of a year with {entries:,} entries of the journal; "
            f"{compared} figures were the same on both sides",
        ),
    )


def _timed(deed: Callable[[], object]) -> float:
    began = time.perf_counter()
    deed()
    return (time.perf_counter() - began) * 1000


def _report(database: Database, asked: str) -> Report:
    if _AGREEMENT is None:
        raise NotMeasured("the playbook of the tests does not load")
    with database.read() as conn:
        work = Work(conn, NOW, NOW, replace(_AGREEMENT, version=1))
        return make_report(work, parse_period(asked, NOW, ZONE))


def _p95(database: Database, asked: str, runs: int) -> Figure:
    """Of so many runs after a first one."""
    _report(database, asked)
    times = [_timed(lambda: _report(database, asked)) for _ in range(runs)]
    return Figure((statistics.quantiles(times, n=20, method="inclusive")[-1],), "ms")


# ------------------------------------------------------------------ the same statements, and nothing else


def _against_bare(database: Database) -> Figure:
    """The statements of one report, written down, run again on the driver alone."""
    _report(database, "31d")
    with _written_down(database) as said:
        _report(database, "31d")
    sides = interleave(
        {
            "report": lambda: _timed(lambda: _report(database, "31d")),
            "bare": lambda: _timed(lambda: _run_bare(database, said)),
        },
        repetitions=9,
    )
    return sides.ratio("report", "bare")


def _run_bare(database: Database, said: list[tuple[str, Any]]) -> None:
    with database.read() as conn:
        driver: Any = conn.connection.driver_connection
        for statement, values in said:
            driver.execute(statement, values).fetchall()


@contextmanager
def _written_down(database: Database) -> Iterator[list[tuple[str, Any]]]:
    """Statements with their values, as the driver gets them: of SQLAlchemy, and prepared ones."""
    said: list[tuple[str, Any]] = []
    execute = prepared._execute

    def noted(conn: Connection, form: Any, values: Any) -> Any:
        said.append((form.sql, values))
        return execute(conn, form, values)

    def of_sqlalchemy(_conn: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if statement.startswith(("SELECT", "WITH")):  # the transaction begins by itself
            said.append((statement, values))

    event.listen(database.engine, "before_cursor_execute", of_sqlalchemy)
    with patch.object(prepared, "_execute", noted):
        yield said
    event.remove(database.engine, "before_cursor_execute", of_sqlalchemy)


# ------------------------------------------------------------------ the other side


def _compare(database: Database) -> int:
    """How many figures both sides have, which must be the same; refused otherwise."""
    report, counted = _report(database, "30d"), _in_python(database)
    if report.baseline is None:
        raise NotMeasured("the report has no baseline")
    shown = (report.values, report.before, report.baseline.values)
    for values, figures in zip(shown, counted, strict=True):
        mine = {kpi.value: _plain(value) for kpi, value in values.items()}
        for name, figure in figures.items():
            if mine[name] != figure:
                raise NotMeasured(f"{name}: the report says {mine[name]}, Python {figure}")
        if not figures[Kpi.ARRIVED]:
            raise NotMeasured("nothing arrived")
    return sum(map(len, counted))


def _plain(value: Value) -> object:
    match value:
        case Count(n):
            return n
        case Share(part, of) | Ratio(part, of):
            return part, of
        case Spread(n, p50, p90):
            return n, p50, p90


def _in_python(database: Database) -> tuple[Figures, ...]:
    """The period, the one before, and the first two weeks."""
    period = parse_period("30d", NOW, ZONE)
    before = period_before(period)
    with database.read() as conn:
        first = conn.execute(text("SELECT min(offered_at) FROM offers")).scalar_one()
        day = local_day(first, ZONE)
        weeks = midnight(day, ZONE), midnight(day + timedelta(days=14), ZONE)
        return tuple(_count(conn, *span) for span in (_span(period), _span(before), weeks))


def _span(period: Period | None) -> tuple[datetime, datetime]:
    if period is None:
        raise NotMeasured("nothing was before")
    return period.begin, period.end


_QUERIES = {
    "leads": "SELECT team, source, status FROM leads"
    " WHERE kind = 'live' AND arrived_at >= :begin AND arrived_at < :end",
    "offers": "SELECT o.lead_id, o.n, o.team, l.source, l.touched_at FROM offers o JOIN leads l ON l.id = o.lead_id"
    " WHERE l.kind = 'live' AND o.offered_at >= :begin AND o.offered_at < :end",
    "ended": "SELECT o.state, o.reason, o.team, l.source FROM offers o JOIN leads l ON l.id = o.lead_id"
    " WHERE l.kind = 'live' AND o.ended_at >= :begin AND o.ended_at < :end",
    "clocks": "SELECT c.kind, c.team, c.person_id, c.outcome, c.excused, c.breached_at, c.started_at, c.ended_at,"
    " c.taken_seconds, o.accepted_at FROM clocks c LEFT JOIN offers o ON o.id = c.offer_id"
    " WHERE (c.ended_at >= :begin AND c.ended_at < :end) OR (c.breached_at >= :begin AND c.breached_at < :end)",
    "touches": "SELECT t.lead_id, t.state, t.at, l.arrived_at, l.team, l.source FROM touches t"
    " JOIN leads l ON l.id = t.lead_id"
    " WHERE l.kind = 'live' AND t.state <> 'withdrawn' AND t.at >= :begin AND t.at < :end",
    "journal": "SELECT j.kind, j.data, l.team, l.source FROM journal j JOIN leads l ON l.id = j.subject_id"
    " WHERE l.kind = 'live' AND j.subject_kind = 'lead' AND j.kind IN ('escalated', 'moved')"
    " AND j.at >= :begin AND j.at < :end",
}
_CLOCKS: Mapping[str, Kpi] = {
    "accept": Kpi.ACCEPTED_IN_TIME,
    "first_touch": Kpi.TOUCHED_IN_TIME,
    "follow_up": Kpi.FOLLOWED_UP_IN_TIME,
    "decide": Kpi.DECIDED_IN_TIME,
    "route": Kpi.ROUTED_IN_TIME,
    "review": Kpi.REVIEWED_IN_TIME,
}


def _count(conn: Connection, begin: datetime, end: datetime) -> Figures:
    """The figures that rows of this span alone can tell; no lead of the past year came back."""
    rows = {name: list(conn.execute(text(sql), {"begin": begin, "end": end}))
            for name, sql in _QUERIES.items()}  # fmt: skip
    touched = {row.lead_id: row.touched_at for row in rows["offers"]}
    ended = Counter(row.state for row in rows["ended"])
    moves = Counter(row.data["to"] if row.kind == "moved" else row.kind for row in rows["journal"])
    made, offered, arrived = len(rows["offers"]), len(touched), len(rows["leads"])
    firsts: dict[int, Any] = {}
    for row in rows["touches"]:
        if row.lead_id not in firsts or row.at < firsts[row.lead_id].at:
            firsts[row.lead_id] = row
    return {
        Kpi.ARRIVED: arrived,
        Kpi.OFFERED: offered,
        Kpi.PICKED_UP: (sum(at is not None and at < end for at in touched.values()), offered),
        Kpi.BECAME_MQL: (sum(row.n == 1 for row in rows["offers"]), arrived),
        Kpi.BECAME_CUSTOMER: (moves["won"], moves["qualified"]),
        Kpi.REJECTED: (ended["rejected"], made),
        Kpi.RECYCLED: (ended["recycled"], made),
        Kpi.REROUTED: (sum(row.n > 1 for row in rows["offers"]), offered),
        Kpi.ESCALATIONS: (moves["escalated"], offered),
        Kpi.VERIFIED: (
            sum(row.state == "verified" for row in rows["touches"]), len(rows["touches"])
        ),
        Kpi.SPEED_TO_LEAD: _spread(
            [(row.at - row.arrived_at) // timedelta(seconds=1) for row in firsts.values()]
        ),
        **_promises(rows["clocks"], begin, end),
    }  # fmt: skip


def _promises(rows: list[Any], begin: datetime, end: datetime) -> Figures:
    kept: Counter[str] = Counter()
    broken: Counter[str] = Counter()
    business: dict[str, list[int]] = {kind: [] for kind in _CLOCKS}
    wall: dict[str, list[int]] = {kind: [] for kind in _CLOCKS}
    for row in rows:
        over = row.ended_at is not None and begin <= row.ended_at < end
        if over and row.outcome in ("met", "late"):
            kept[row.kind] += row.outcome == "met" and not row.excused
            if row.kind != "accept" or row.accepted_at is not None:
                business[row.kind].append(row.taken_seconds)
                wall[row.kind].append((row.ended_at - row.started_at) // timedelta(seconds=1))
        if row.breached_at is not None and begin <= row.breached_at < end:
            broken[row.kind] += not row.excused
    found: Figures = {
        kpi.value: (kept[kind], kept[kind] + broken[kind]) for kind, kpi in _CLOCKS.items()
    }
    return found | {
        Kpi.TIME_TO_ACCEPT: _spread(business["accept"]),
        Kpi.TIME_TO_ACCEPT_WALL: _spread(wall["accept"]),
        Kpi.TIME_TO_TOUCH: _spread(business["first_touch"]),
        Kpi.TIME_TO_TOUCH_WALL: _spread(wall["first_touch"]),
    }


def _spread(seconds: list[int]) -> tuple[int, int | None, int | None]:
    seconds.sort()
    many = len(seconds)
    if not many:
        return 0, None, None
    return many, seconds[-(-many // 2) - 1], seconds[-(-9 * many // 10) - 1]


_BOTH = ("PostgreSQL", "SQLite")
ROWS: tuple[Row, ...] = (
    Row(
        "reports",
        f"the report of 30 days among {LEADS:,} leads of a year, PostgreSQL; reports of 31 days and of all time",
        "the rows of the same three spans read by SQLAlchemy Core and counted in Python; the same SQL on the driver",
        (
            Bar("rows in Python against the report", ">=", 5),
            *(Bar(f"report against its bare SQL, {name}", "<=", 1.2) for name in _BOTH),
            *(Bar(f"31 days, p95, {name}", "<=", 500) for name in _BOTH),
            *(Bar(f"all time, p95, {name}", "<=", 2000) for name in _BOTH),
        ),
        measure,
    ),
)
