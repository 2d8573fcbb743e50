"""Imports without files: rows in order, taken in batches of any size into the database of a desk."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from bot.domain.funnel import Status
from bot.domain.lead import LeadFacts
from bot.domain.past import BadRow, ImportMode, ImportRow, Past
from bot.services.import_leads import end_import, import_rows, open_import
from bot.services.make_imported import prepare_rows
from storage.imports import ImportRun
from tests.services.desk_kit import START, Desk

Rows = Sequence[ImportRow | BadRow]
LAST_YEAR = START - timedelta(days=300)


def row(line: int, key: str, past: Past | None = None, **facts: Any) -> ImportRow:
    """One row about `key`; a webinar makes it an MQL of the desk's playbook, a list does not."""
    values = {"source": "webinar", "external_id": key, **facts}
    return ImportRow(line, LeadFacts(**values), past or Past())


def begin(desk: Desk, mode: ImportMode, *, file: str = "file", map_: str = "map") -> ImportRun:
    """The import of `file` by `map_`, as far as it is."""
    with desk.work() as work:
        return open_import(work, file_sha256=file, map_sha256=map_, mode=mode, source="webinar")


def take(desk: Desk, run: ImportRun, rows: Rows) -> ImportRun:
    """One batch in a transaction of its own."""
    prepared = prepare_rows(desk.agreement, run, rows)
    with desk.work() as work:
        return import_rows(work, run, prepared)


def bring(
    desk: Desk,
    rows: Rows,
    mode: ImportMode = ImportMode.HISTORY,
    *,
    size: int = 500,
    file: str = "file",
    map_: str = "map",
    after: Callable[[], None] = lambda: None,
) -> ImportRun:
    """The whole import, or what is left of it; nothing when it is finished. `after` each batch."""
    run = begin(desk, mode, file=file, map_=map_)
    if run.ended_at is not None:
        return run
    while run.cursor < len(rows):
        run = take(desk, run, rows[run.cursor : run.cursor + size])
        after()
    with desk.work() as work:
        return end_import(work, run)


def counts(run: ImportRun) -> tuple[int, int, int, int]:
    """(accepted, updated, duplicate, refused)."""
    return run.accepted, run.updated, run.duplicate, run.refused


def messy_rows(many: int, seed: int) -> list[ImportRow | BadRow]:
    """About as many duplicates as leads: keys, mailboxes and facts again and again, newer, older, undated; some bad."""
    rng = random.Random(seed)
    made: list[ImportRow | BadRow] = []
    for line in range(2, many + 2):
        if rng.random() < 0.05:
            made.append(BadRow(line, "The row has 2 cells, too few."))
            continue
        who = rng.randrange(many // 3)
        dated = rng.random() < 0.7
        made.append(
            row(
                line,
                f"k{who if rng.random() < 0.8 else rng.randrange(many)}",
                Past(
                    status=rng.choice([Status.NURTURING, Status.WON, Status.WORKING]),
                    owner=rng.choice(["", "gone@old.example"]),
                    touches=rng.choice([0, 0, 2]),
                    reason=rng.choice(["", "no_answer"]),
                ),
                source=rng.choice(["webinar", "webinar", "list"]),
                email=rng.choice(["", f"p{who}@north.example", "info@north.example"]),
                phone=rng.choice(["", "+43 1 555", "+43 1 556"]),
                company=rng.choice(["", "North"]),
                occurred_at=LAST_YEAR + timedelta(days=rng.randrange(9)) if dated else None,
                extra=rng.choice([{}, {"tags": "Ringing"}, {"city": "Pune"}]),
            )
        )
    return made
