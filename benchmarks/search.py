"""How long `/lead …` takes to find leads among many, beside the scan that it took the place of; on both databases.

Run: `make bench ROW=search`. Also what the index costs when leads are written. It answers correctly or it counts for
nothing: how many answers hold the lead that was meant is printed beside the times.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rapidfuzz import fuzz, process
from sqlalchemy import Connection, select, text

from benchmarks.generated import make_leads
from benchmarks.places import Ground
from benchmarks.row import Bar, Figure, Found, Row
from bot.domain.findable import digits, fold, search_text
from bot.domain.lead import LeadFacts, is_personal_mailbox
from bot.services.find_leads import find_leads
from bot.services.work import Work
from storage import search_index
from storage.database import Database
from storage.leads import LeadRow, list_by_ids
from storage.models import LeadKeys, Leads
from storage.rows import table_of
from tests.services.desk_kit import Desk

_leads = table_of(Leads)
_keys = table_of(LeadKeys)
_ASKED = 60
LEADS = 50_000
#: Most leads of an old company are closed, a few hundred are open.
_OPEN_SHARE = 0.02


@dataclass(frozen=True, slots=True)
class Question:
    """What is typed, and what stands in the lead that it means."""

    text: str
    meant: str


def run(ground: Ground) -> Found:
    """Fill both databases, ask, and print medians and 95th percentiles in milliseconds."""
    count = 2_000 if ground.small else LEADS
    facts = list(make_leads(count))
    print(
        f"  {count:,} leads, {_ASKED} questions of each sort, milliseconds: median / p95; peer: LIKE and a scan"
    )
    figures: dict[str, Figure] = {}
    with ground.sqlite() as url:
        figures |= measure("SQLite", url, facts)
    with ground.postgres() as url:
        figures |= measure("PostgreSQL", url, facts)
    return Found(figures)


def measure(name: str, url: str, facts: Sequence[LeadFacts]) -> dict[str, Figure]:
    """Fill one database with and without the index, then ask."""
    database = Database(url)
    with database.write() as conn:
        search_index.drop(conn)
    bare = fill(database, facts)
    with database.write() as conn:
        conn.execute(_keys.delete())
        conn.execute(_leads.delete())
        search_index.ensure(conn)
    indexed = fill(database, facts)
    print(f"  {name}: {bare:,.0f} leads/s written without the index, {indexed:,.0f} with it")
    state = search_index.search_index_state(database)
    print(f"  index: {state or 'in use'}")
    if not database.is_sqlite:  # as autovacuum does it a minute later
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as alone:
            alone.execute(text("VACUUM ANALYZE leads"))
    database.dispose()
    desk = Desk(url)
    with desk.database.read() as conn:
        work = Work(conn, desk.now, desk.now, desk.agreement)
        print(f"  {'':24}{'Baton':>18}{'peer':>18}   found")
        slowest: list[float] = []
        ratios: list[float] = []
        for sort, questions in sorts_of(facts).items():
            mine, hits = ask(lambda q: find_leads(work, q).leads, questions)
            theirs, _ = ask(lambda q: scan(conn, q), questions[: _ASKED // 4])
            print(f"  {sort:24}{shown(mine):>18}{shown(theirs):>18}   {hits}")
            slowest.append(statistics.quantiles(mine, n=20)[-1])
            ratios.append(statistics.median(theirs) / statistics.median(mine))
    desk.database.dispose()
    return {
        f"{name}, slowest p95": Figure((max(slowest),), "ms"),
        f"{name}, peer's time by ours, a sort": Figure(tuple(ratios), "x"),
        f"{name}, writing with the index by without": Figure((indexed / bare,), "x"),
    }


def sorts_of(facts: Sequence[LeadFacts]) -> dict[str, list[Question]]:
    """The questions of each sort."""
    dice = random.Random(11)
    some = dice.sample(facts, _ASKED)

    def first(f: LeadFacts) -> str:
        return f.company.split()[0]

    def noise() -> str:
        return "".join(dice.choices("qxzjkvw", k=dice.randint(4, 12)))

    return {
        "exact key": [Question(f.external_id, f.external_id) for f in some],
        "e-mail": [Question(f.email, f.email) for f in some],
        "phone, other spelling": [Question(f"00{digits(f.phone)}", f.external_id) for f in some],
        "company": [Question(f.company, f.company) for f in some],
        "person": [Question(f.name, f.name) for f in some],
        "person and company": [Question(f"{f.last_name} {first(f)}", f.external_id) for f in some],
        "typo in company": [Question(slip(dice, first(f)), first(f)) for f in some],
        "typo in person": [Question(slip(dice, f.name), f.name) for f in some],
        "typo, both": [Question(slip(dice, f"{f.name} {first(f)}"), f.external_id) for f in some],
        "two letters": [Question(f.last_name[:2], f.last_name[:2]) for f in some],
        "one letter": [Question(f.last_name[:1], f.last_name[:1]) for f in some],
        "no match": [Question(noise(), "") for _ in some],
        "very common word": [
            Question(word, word) for word in dice.choices(("gmbh", "example", "tech"), k=_ASKED)
        ],
    }


def slip(dice: random.Random, text: str) -> str:
    """One slip of the finger: a letter left out, doubled, swapped with the next, or its neighbour on the keys."""
    at = dice.randrange(1, len(text) - 1)
    return dice.choice(
        (
            text[:at] + text[at + 1 :],
            text[:at] + text[at] + text[at:],
            text[:at] + text[at + 1] + text[at] + text[at + 2 :],
            text[:at] + dice.choice("aeiorst") + text[at + 1 :],
        )
    )


def ask(
    find: Callable[[str], Sequence[LeadRow]], questions: Sequence[Question]
) -> tuple[list[float], str]:
    """Milliseconds of each question; how many answers hold a lead that was meant."""
    times: list[float] = []
    hits = 0
    for question in questions:
        begun = time.perf_counter()
        found = find(question.text)
        times.append((time.perf_counter() - begun) * 1000)
        hits += any(fold(question.meant) in search_text(lead.facts()) for lead in found)
    return times, f"{hits} of {len(questions)}"


def shown(times: Sequence[float]) -> str:
    """Median and 95th percentile."""
    return f"{statistics.median(times):.1f} / {statistics.quantiles(times, n=20)[-1]:.1f}"


def scan(conn: Connection, query: str) -> list[LeadRow]:
    """The peer, as Baton 0.1 did it: LIKE over the texts, then rapidfuzz over the newest 20,000 of them."""
    folded = fold(query)
    ids = _like(conn, folded)
    if not ids and " " in folded:
        words = folded.split()
        wide = list_by_ids(conn, _like(conn, max(words, key=len)))
        ids = [
            x.id
            for x in wide
            if all(word in fold(f"{x.facts().name} {x.company}") for word in words)
        ]
    if not ids:
        rows = conn.execute(
            select(_leads.c.id, _leads.c.search_text).order_by(_leads.c.id.desc()).limit(20_000)
        )
        texts = {int(i): str(text) for i, text in rows}
        alike = process.extract(folded, texts, scorer=fuzz.partial_ratio, score_cutoff=80, limit=20)
        ids = [lead_id for _, _, lead_id in alike]
    return list_by_ids(conn, ids)


def _like(conn: Connection, word: str) -> list[int]:
    there = _leads.c.search_text.contains(word, autoescape=True)
    return list(
        conn.execute(
            select(_leads.c.id).where(there).order_by(_leads.c.id.desc()).limit(200)
        ).scalars()
    )


def fill(database: Database, facts: Sequence[LeadFacts]) -> float:
    """Write all leads in transactions of 1,000; leads a second."""
    dice = random.Random(3)
    begun = time.perf_counter()
    for start in range(0, len(facts), 1_000):
        with database.write() as conn:
            batch = list(enumerate(facts[start : start + 1_000], start + 1))
            conn.execute(_leads.insert(), [_row(n, fact, dice) for n, fact in batch])
            conn.execute(
                _keys.insert(),
                [
                    {"source": f.source, "external_id": f.external_id, "lead_id": n}
                    for n, f in batch
                ],
            )
    return len(facts) / (time.perf_counter() - begun)


def _row(number: int, facts: LeadFacts, dice: random.Random) -> dict[str, Any]:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    names = ("source", "external_id", "email", "first_name", "last_name", "company", "phone")
    return {
        **{name: getattr(facts, name) for name in names},
        "id": number,
        "status": "accepted" if dice.random() < _OPEN_SHARE else "nurturing",
        "email_key": facts.email.lower() if is_personal_mailbox(facts.email) else None,
        "message": "We are looking for something that works with what we have. " * 3,
        "search_text": search_text(facts),
        "reasons": [],
        "score_reasons": ["asked for a call"],
        "extra": {"utm": "x" * 40},
        "arrived_at": now,
        "occurred_at": now,
        "status_at": now,
    }


ROWS = (
    Row(
        "search",
        f"finding leads by what somebody typed, among {LEADS:,}: the slowest sort of question, p95",
        "LIKE, then rapidfuzz over the newest 20,000 (Baton 0.1)",
        (Bar("SQLite, slowest p95", "<=", 500.0), Bar("PostgreSQL, slowest p95", "<=", 500.0)),
        run,
    ),
)
