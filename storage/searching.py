"""Finding leads by what people type: by key or address, by words, by nearly the same letters.

Words are folded already (`bot.domain.findable`). Every query has a way without the index, over the newest leads.
What is not here: in which order these are tried and what counts as alike (`find_leads`), the index (`search_index`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Subquery,
    and_,
    case,
    column,
    func,
    literal_column,
    or_,
    select,
    table,
    union_all,
)

from bot.domain.funnel import OPEN
from storage.leads import LeadRow, list_by_ids
from storage.models import LeadKeys, Leads
from storage.rows import table_of
from storage.search_index import NAME, has_index

_leads = table_of(Leads)
_keys = table_of(LeadKeys)
_index = table(NAME, column("rowid"))
_terms = table(f"{NAME}_terms", column("term"), column("doc"))
#: FTS5 takes the table's own name for "any column".
_indexed: ColumnElement[str] = literal_column(NAME)

_IS_OPEN = _leads.c.status.in_([status.value for status in OPEN])
_RANK = case((_leads.c.kind == "history", 2), (_IS_OPEN, 0), else_=1).label("rank")

#: Without an index: how many of the newest leads are looked through.
SCANNED = 20_000
_GRAM = 3
_MOST_GRAMS = 24
#: Matches that are ranked and counted. Of a word that more leads have, the newest and the open ones are enough.
MOST = 500
_OPEN_ONES = 1_000
#: Entries of the index that a question with typos may touch, rare trigrams first; PostgreSQL reads a row for each.
_MOST_ENTRIES = {"sqlite": 15_000, "postgresql": 4_000}
#: How many of the newest leads tell which trigrams are rare, where the index does not tell.
_SAMPLE = 2_000


@dataclass(frozen=True, slots=True)
class Found:
    """The first leads of a search, and how many there are in all; `MOST` + 1 stands for more than that."""

    leads: list[LeadRow]
    total: int


def find_exact(conn: Connection, asked: str) -> Found:
    """Leads known by exactly this key or personal e-mail, as somebody pasted it."""
    by_key = select(_keys.c.lead_id).where(_keys.c.external_id == asked)
    by_email = select(_leads.c.id).where(_leads.c.email_key == asked.lower())
    ids = list(conn.execute(union_all(by_key, by_email)).scalars())
    found = sorted(list_by_ids(conn, sorted(set(ids))), key=rank_of)
    return Found(found, len(found))


def find_words(conn: Connection, words: Sequence[str], *, limit: int) -> Found:
    """Leads in whose text each of `words` occurs; one of less than three letters begins a word there.

    A word may be a phrase. In the order of `rank_of`.
    """
    there = and_(*(_contains(word) for word in words))
    newest = select(_leads.c.id, _RANK).where(there).order_by(_leads.c.id.desc())
    if conn.dialect.name == "sqlite":
        grams = sorted({gram for word in words for gram in _grams_in(word)})[:_MOST_GRAMS]
        if grams and has_index(conn):
            newest = (
                select(_index.c.rowid.label("id"), _RANK)
                .join(_leads, _leads.c.id == _index.c.rowid)
                .where(_matches(grams), there)
                .order_by(_index.c.rowid.desc())
            )
    some = newest.limit(MOST + 1).subquery()
    with _by_index(conn):
        rows = conn.execute(
            select(some.c.id, func.count().over())
            .order_by(some.c.rank, some.c.id.desc())
            .limit(limit)
        ).all()
    ids, total = [int(i) for i, _ in rows], int(rows[0][1]) if rows else 0
    found = list_by_ids(conn, ids)
    if total > MOST and rank_of(found[-1])[0] > 0:  # an open one may be older than all these
        more = list_by_ids(conn, _open_ones(conn, there, limit))
        found = sorted({lead.id: lead for lead in [*found, *more]}.values(), key=rank_of)[:limit]
    return Found(found, total)


def list_alike(conn: Connection, asked: str, *, limit: int) -> list[tuple[int, str]]:
    """(id, text) of leads that share letters with `asked`, the likeliest first: candidates for a comparison."""
    texts = select(_leads.c.id, _leads.c.search_text)
    newest = texts.order_by(_leads.c.id.desc())
    if not has_index(conn):
        return _pairs(conn, newest.limit(SCANNED))
    wanted = {gram for word in asked.split() for gram in _grams_in(f" {word}")}
    grams = _telling(conn, wanted)
    if not grams:
        return []
    if conn.dialect.name == "sqlite":
        best = _best_on_sqlite(grams, limit)
        ranked = texts.join(best, best.c.id == _leads.c.id)
        return _pairs(conn, ranked.order_by(best.c.shared.desc(), _leads.c.id.desc()))
    # Counting what is shared takes PostgreSQL ten times as long as Python.
    there = or_(*(_contains(gram) for gram in grams))
    with _by_index(conn):
        # In no order: for the newest first it would go through all leads by their numbers.
        found = _pairs(conn, texts.where(there).limit(3 * _MOST_ENTRIES["postgresql"]))
    found.sort(key=lambda pair: (-sum([gram in pair[1] for gram in wanted]), -pair[0]))
    return found[:limit]


def _pairs(conn: Connection, query: Select[int, str]) -> list[tuple[int, str]]:
    return [(int(i), str(text)) for i, text in conn.execute(query)]


def rank_of(lead: LeadRow) -> tuple[int, int]:
    """The order in which leads are shown: live before imported history, open before closed, then the newest."""
    return 2 if lead.kind == "history" else int(lead.state not in OPEN), -lead.id


@contextmanager
def _by_index(conn: Connection) -> Iterator[None]:
    """PostgreSQL plans for what is asked now, not once for any pattern, and by the index: reading all rows costs more.

    Measured: 0.1 instead of 60 ms, since the driver prepares what it runs often.
    """
    if conn.dialect.name == "sqlite":
        yield
        return
    wanted = {"plan_cache_mode": "force_custom_plan", "enable_seqscan": "off"}
    usual = {"plan_cache_mode": "auto", "enable_seqscan": "on"}
    conn.execute(select(*(func.set_config(name, value, True) for name, value in wanted.items())))
    yield
    conn.execute(select(*(func.set_config(name, value, True) for name, value in usual.items())))


def _open_ones(conn: Connection, there: ColumnElement[bool], limit: int) -> list[int]:
    """Of the newest open leads those that match, newest first."""
    newest = (
        select(_leads.c.id)
        .where(_IS_OPEN)
        .order_by(_leads.c.id.desc())
        .limit(_OPEN_ONES)
        .subquery()
    )
    query = (
        select(_leads.c.id)
        .join(newest, newest.c.id == _leads.c.id)
        .where(there, _leads.c.kind != "history")
        .order_by(_leads.c.id.desc())
        .limit(limit)
    )
    return [int(i) for i in conn.execute(query).scalars()]


def _contains(word: str) -> ColumnElement[bool]:
    """The text has a space in front of every word."""
    return _leads.c.search_text.contains(_sought(word), autoescape=True)


# ------------------------------------------------------------------ trigrams


def _sought(word: str) -> str:
    return word if len(word) >= _GRAM else f" {word}"


def _grams_in(word: str) -> Iterable[str]:
    sought = _sought(word)
    return (sought[i : i + _GRAM] for i in range(len(sought) - _GRAM + 1))


def _matches(grams: Iterable[str]) -> ColumnElement[bool]:
    """All of them, as FTS5 reads it: each in quotes, those inside doubled, so that nothing typed is an operator."""
    quoted = ('"' + gram.replace('"', '""') + '"' for gram in grams)
    return _indexed.op("MATCH", is_comparison=True)(" ".join(quoted))


def _telling(conn: Connection, grams: set[str]) -> list[str]:
    """The rarest of `grams` that occur: those that say most, and as many as may be looked at."""
    if conn.dialect.name == "sqlite":
        seen = select(_terms.c.doc, _terms.c.term).where(_terms.c.term.in_(grams))
        counts = [(int(doc), str(term)) for doc, term in conn.execute(seen)]
    else:
        newest = select(_leads.c.id, _leads.c.search_text).order_by(_leads.c.id.desc())
        sample = _pairs(conn, newest.limit(_SAMPLE))
        share = max(1.0, sample[0][0] / len(sample)) if sample else 1.0
        texts = "\n".join(text for _, text in sample)
        # pg_trgm knows letters and digits only: for "r-s" it would look at every row.
        plain = [gram for gram in grams if gram.lstrip().isalnum()]
        counts = [(int(share * texts.count(gram)), gram) for gram in plain]
    chosen: list[str] = []
    entries = 0
    for count, gram in sorted(counts)[:_MOST_GRAMS]:
        entries += count
        if chosen and entries > _MOST_ENTRIES[conn.dialect.name]:
            break
        chosen.append(gram)
    return chosen


def _best_on_sqlite(grams: Sequence[str], limit: int) -> Subquery:
    hits = union_all(*(select(_index.c.rowid).where(_matches([g])) for g in grams)).subquery()
    shared = func.count().label("shared")
    return (
        select(hits.c.rowid.label("id"), shared)
        .group_by(hits.c.rowid)
        .order_by(shared.desc(), hits.c.rowid.desc())
        .limit(limit)
        .subquery()
    )
