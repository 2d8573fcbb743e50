"""The 30-day audit of PostgreSQL's own counting, beside reading the rows and counting in Python.

300,000 leads of a year with offers and touches, made by SQL. What is not here: how a report is shown.
"""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from benchmarks.places import Ground, NotMeasured
from benchmarks.row import Bar, Found, Row, interleave
from storage.database import Database
from storage.reports import Scope, tally_audit

LEADS = 300_000
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
_FILL = (
    "INSERT INTO people (email, name, in_playbook, deactivated, resolve_error)"
    " SELECT 'rep' || i || '@acme.example', 'Rep', true, false, '' FROM generate_series(1, 60) i",
    "INSERT INTO leads (status, kind, round, version, journal_seq, owner_id, team, playbook_version, sla_name, score,"
    " reasons, fast_lane, source, external_id, email, first_name, last_name, title, company, phone, country, language,"
    " employees, industry, message, source_score, score_reasons, campaign, visits, account_owner, url, extra,"
    " search_text, arrived_at, occurred_at, news_key, status_at, touches, lapses, reason, suppressed, waiting)"
    " SELECT 'accepted', 'live', 1, 3, 8, 1 + i % 60, 'team' || i % 3, 1, 'standard', 60, '[]', false,"
    " 'source' || i % 4, 'k' || i, '', 'Jana', 'Novak', 'VP', 'Globex', '+43', 'AT', 'de', 100, '', 'A message',"
    " 60, '[]', 'campaign' || i % 8, 0, '', '', '{}', '', at, at, '', at, 0, 0, '', false, false"
    " FROM (SELECT i, timestamptz '2026-11-23 09:00Z' - i * interval '105 seconds' AS at"
    " FROM generate_series(1, :leads) i) made",
    "INSERT INTO offers (id, lead_id, round, n, rep_id, team, rule, why, trace, playbook_version, state, offered_at,"
    " show_at, reason) SELECT 'o' || id || '-' || n, id, 1, n, 1 + (id + n) % 60, team, 'rest', '', '[]', 1,"
    " CASE WHEN n = 2 THEN 'accepted' WHEN id % 5 = 0 THEN 'rejected' ELSE 'lapsed' END, arrived_at, arrived_at, ''"
    " FROM leads, generate_series(1, 2) n",
    "INSERT INTO touches (lead_id, round, person_id, kind, outcome, state, at) SELECT id, 1, owner_id, 'call', '',"
    " CASE WHEN id % 3 = 0 THEN 'verified' ELSE 'self_reported' END, arrived_at FROM leads WHERE id % 2 = 0",
    "ANALYZE",
)


def measure(ground: Ground) -> Found:
    """Both count the same leads by team, source, campaign and age."""
    leads = 5_000 if ground.small else LEADS
    with ground.postgres() as url:
        database = Database(url)
        with database.write() as conn:
            for statement in _FILL:
                named = {"leads": leads} if ":leads" in statement else {}
                conn.execute(text(statement), named)
        counted = (_in_sql(database)[1], _in_python(database)[1])
        if counted[0] != counted[1] or not counted[0]:
            raise NotMeasured(f"SQL counts {counted[0]} leads, Python {counted[1]}")
        sides = interleave(
            {"sql": lambda: _in_sql(database)[0], "python": lambda: _in_python(database)[0]}
        )
        database.dispose()
    return Found(
        {
            "rows in Python against SQL": sides.ratio("python", "sql"),
            "SQL": sides.figure("sql", "ms"),
            "Python": sides.figure("python", "ms"),
        },
        (f"{counted[0]:,} of {leads:,} leads are of the last 30 days",),
    )


def _in_sql(database: Database) -> tuple[float, int]:
    began = time.perf_counter()
    with database.read() as conn:
        cells = tally_audit(conn, Scope(NOW, NOW - timedelta(days=30)))
    milliseconds = (time.perf_counter() - began) * 1000
    return milliseconds, sum(cell.tally.leads for cell in cells)


_LEADS = text(
    "SELECT id, kind, team, source, campaign, arrived_at FROM leads WHERE kind <> 'test' AND arrived_at >= :since"
)
_OFFERS = text(
    "SELECT o.lead_id, o.state FROM offers o JOIN leads l ON l.id = o.lead_id WHERE l.arrived_at >= :since"
)
_TOUCHES = text(
    "SELECT t.lead_id, t.state FROM touches t JOIN leads l ON l.id = t.lead_id WHERE l.arrived_at >= :since"
)


def _in_python(database: Database) -> tuple[float, int]:
    began = time.perf_counter()
    since = {"since": NOW - timedelta(days=30)}
    with database.read() as conn:
        leads = conn.execute(_LEADS, since).all()
        routed: Counter[int] = Counter()
        rejected: set[int] = set()
        for lead_id, state in conn.execute(_OFFERS, since):
            routed[lead_id] += 1
            if state == "rejected":
                rejected.add(lead_id)
        verified: Counter[int] = Counter()
        said: Counter[int] = Counter()
        for lead_id, state in conn.execute(_TOUCHES, since):
            (verified if state == "verified" else said)[lead_id] += 1
    cells: dict[tuple[object, ...], list[int]] = {}
    for row in leads:
        if not routed[row.id]:
            continue
        age = (NOW - row.arrived_at).days // 7
        tally = cells.setdefault((row.team, row.source, row.campaign, age, row.kind), [0] * 5)
        untouched = not verified[row.id] and not said[row.id]
        tally[0] += 1
        tally[1] += untouched
        tally[2] += not verified[row.id] and said[row.id] > 0
        tally[3] += untouched and row.id in rejected
        tally[4] += routed[row.id] >= 2
    milliseconds = (time.perf_counter() - began) * 1000
    return milliseconds, sum(tally[0] for tally in cells.values())


ROWS: tuple[Row, ...] = (
    Row(
        "reports",
        f"the audit of 30 days among {LEADS:,} leads of a year, PostgreSQL",
        "the same rows read by SQLAlchemy Core and counted in Python",
        (Bar("rows in Python against SQL", ">=", 5),),
        measure,
    ),
)
