"""Importing: Baton's batches on PostgreSQL (COPY, then SQL) beside ORM objects by the thousand; and memory that stays
flat, however long the file.

Both write the same leads, keys, pasts and journals. Memory is that of a process of its own, at its highest. What is not
here: reading CSV (a tenth of the time).
"""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Iterable, Iterator
from datetime import timedelta
from importlib.metadata import version
from multiprocessing.connection import Connection
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from benchmarks.generated import make_leads
from benchmarks.places import Ground, NotMeasured
from benchmarks.row import Bar, Figure, Found, Row, interleave
from bot.domain.past import ImportMode, ImportRow, Past
from bot.services.import_leads import end_import
from storage.database import Database
from storage.models import Journal, LeadKeys, Leads
from storage.models_intake import Histories
from tests.import_kit import begin, take
from tests.services.desk_kit import START, Desk

#: Both sides are steady from the second batch on; more would only take longer, the peer's side above all.
ROWS_A_RUN = 3_000
BATCH = 1_000
SHORT, LONG = 10_000, 100_000
_TABLES = (Leads, LeadKeys, Histories, Journal)


def rows_of(many: int) -> Iterator[ImportRow]:
    """Leads of history as an export has them."""
    for line, facts in enumerate(make_leads(many), start=2):
        yield ImportRow(line, facts, Past(touches=line % 3, arrived_at=START - timedelta(days=200)))


def bring(url: str, many: int, rows: Iterable[ImportRow] | None = None) -> float:
    """The whole import, a batch at a time: no more than a batch of rows is ever in memory, unless `rows` were made
    before. The seconds it took, without opening the house."""
    desk = Desk(url)
    began = time.perf_counter()
    run = begin(desk, ImportMode.HISTORY)
    batch: list[ImportRow] = []
    for row in rows_of(many) if rows is None else rows:
        batch.append(row)
        if len(batch) == BATCH:
            run = take(desk, run, batch)
            batch = []
    if batch:
        run = take(desk, run, batch)
    with desk.work() as work:
        run = end_import(work, run)
    seconds = time.perf_counter() - began
    desk.database.dispose()
    if run.accepted != many:
        raise NotMeasured(f"{run.accepted} of {many} rows were accepted")
    return seconds


def speed(ground: Ground) -> Found:
    """Both in turn, each into a fresh database."""
    many = 1_000 if ground.small else ROWS_A_RUN
    objects = _what_baton_writes(ground, many)
    ready = list(rows_of(many))  # neither side makes up its rows while it is measured

    def baton() -> float:
        with ground.postgres() as url:
            return many / bring(url, many, ready)

    def orm() -> float:
        with ground.postgres() as url:
            database = Database(url)
            with database.read():  # the first connection is no part of importing
                pass
            began = time.perf_counter()
            for first in range(0, many, BATCH):
                with Session(database.engine) as session:
                    chosen = range(first + 1, first + BATCH + 1)
                    for model, rows in objects.items():
                        session.add_all(model(**row) for n in chosen for row in rows.get(n, ()))
                        session.flush()
                    session.commit()
            seconds = time.perf_counter() - began
            with database.read() as conn:
                if conn.execute(text("SELECT count(*) FROM leads")).scalar_one() != many:
                    raise NotMeasured("the peer did not write all leads")
            database.dispose()
            return many / seconds

    sides = interleave({"baton": baton, "orm": orm})
    return Found(
        {
            "PostgreSQL against ORM chunks": sides.ratio("baton", "orm"),
            "Baton": sides.figure("baton", "rows/s"),
            "ORM": sides.figure("orm", "rows/s"),
        },
        (f"{many:,} rows a repetition; Baton also judges what each row is and who is known already",),
    )  # fmt: skip


def _what_baton_writes(ground: Ground, many: int) -> dict[Any, dict[int, list[dict[str, Any]]]]:
    """The rows of an import by table and by the lead, counted from 1."""
    found: dict[Any, dict[int, list[dict[str, Any]]]] = {}
    with ground.postgres() as url:
        bring(url, many)
        database = Database(url)
        with database.read() as conn:
            for model in _TABLES:
                of_lead: dict[int, list[dict[str, Any]]] = {}
                for row in conn.execute(select(model.__table__)):
                    values = dict(row._mapping)
                    place = values.get("lead_id") or values.get("subject_id") or values["id"]
                    if model in (LeadKeys, Journal):
                        del values["id"]
                    of_lead.setdefault(place, []).append(values)
                found[model] = of_lead
        database.dispose()
    return found


def memory(ground: Ground) -> Found:
    """The highest resident memory of a process that imports a short file, and of one that imports a long one."""
    short, long = (500, 1_000) if ground.small else (SHORT, LONG)
    peaks = {}
    for many in (short, long):
        with ground.sqlite() as url:
            peaks[many] = _peak(url, many)
    return Found(
        {
            "long against short file": Figure((peaks[long] / peaks[short],), "x"),
            f"{short:,} rows": Figure((peaks[short],), "MB"),
            f"{long:,} rows": Figure((peaks[long],), "MB"),
        }
    )


def _peak(url: str, many: int) -> float:
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_import_and_tell, args=(theirs, url, many))
    process.start()
    try:
        if not ours.poll(600):
            raise NotMeasured("the import did not end")
        return float(ours.recv())
    finally:
        process.kill()
        process.join()


def _import_and_tell(told: Connection, url: str, many: int) -> None:
    bring(url, many)
    told.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


ROWS: tuple[Row, ...] = (
    Row(
        "imports",
        "rows of an export a second, leads of history, batches of 1,000, PostgreSQL",
        f"SQLAlchemy {version('sqlalchemy')} ORM objects of the same rows, ready made, 1,000 a commit",
        (Bar("PostgreSQL against ORM chunks", ">=", 4),),
        speed,
    ),
    Row(
        "import_memory",
        f"memory of importing {LONG:,} rows beside {SHORT:,}",
        "",
        (Bar("long against short file", "<=", 1.2),),
        memory,
    ),
)
