"""`baton import FILE --map MAP`: an export becomes history, offers that wait, or leads before marketing's eyes.

It may be stopped at any moment and run again: it goes on where it was. It works beside a running Baton, which comes
in between its short transactions. Exit codes: 0 all rows are in, or the import was complete before, 1 some were
refused (they are in a file to mend), 2 it could not be done. What is not here: what becomes of a row
(`bot.services.import_leads`), what is shown (`import_telling`).
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from sqlalchemy.exc import DBAPIError

from bot.clock import Clock
from bot.commands.failing import CommandFault
from bot.commands.import_telling import (
    FIRST_ROWS,
    Bar,
    print_counts,
    print_faults,
    print_first_rows,
    print_notes,
    print_unlisted,
    rate,
    shown,
)
from bot.commands.opening import agreement_in_force, opened_database, opened_runtime, plainly
from bot.commands.wording import minute
from bot.domain.agreement import Agreement
from bot.domain.past import BadRow, ImportMode, ImportRow
from bot.playbook.column_map import ColumnMap, load_column_map
from bot.services.import_leads import Overtaken, end_import, import_rows, open_import
from bot.services.make_imported import Prepared, prepare_rows
from bot.services.runtime import Runtime
from bot.services.work import Work
from bot.settings import load_settings
from handlers.csv_rows import CsvFault, CsvFile, open_csv, write_refused
from handlers.import_items import ImportItems, open_items
from storage import imports, waiting
from storage.imports import ImportRun

#: A batch is sized so that its transaction takes about so long (seconds): on SQLite everybody else waits meanwhile.
SQLITE_HOLD, POSTGRES_HOLD = 0.12, 0.4
#: After so many the database is asked to look again at how its leads are spread.
MANY_ROWS = 1_000
#: So many different texts a value table are counted.
MOST_TEXTS = 1_000
FIRST_BATCH, LEAST_BATCH, MOST_BATCH = 250, 25, 2_000
#: Whoever waits for a SQLite file looks every 50 ms at most in the first quarter of a second.
SQLITE_GAP = 0.05


def import_(
    file: Annotated[Path, Parameter(help="The export, CSV.")],
    /,
    *,
    map_: Annotated[
        Path, Parameter(name="--map", help="Which column is what: a YAML file, see docs/import.md.")
    ],
    as_: Annotated[
        ImportMode,
        Parameter(
            name="--as",
            help="history: told and never offered. offer: to reps, best first, as they are free. "
            "review: before marketing's eyes.",
        ),
    ] = ImportMode.HISTORY,
    dry_run: Annotated[
        bool,
        Parameter(
            help="Show the first rows mapped and all faults; write nothing.",
            negative="",
            show_default=False,
        ),
    ] = False,
    encoding: Annotated[str | None, Parameter(help="Unless it is recognised.")] = None,
    separator: Annotated[
        str | None, Parameter(help="comma, semicolon, tab or pipe, unless it is recognised.")
    ] = None,
) -> int:
    """Import an export; 1 when rows were refused."""
    try:
        column_map = _loaded_map(map_)
        csv_file = open_csv(file, encoding=encoding, separator=separator)
        if faults := column_map.check_header(csv_file.header):
            raise CommandFault(
                *map(str, faults), f"{file} does not fit {map_}; nothing was written."
            )
        if dry_run:
            return _dry_run(csv_file, column_map, as_)
        with plainly():
            return _import(csv_file, column_map, as_, (encoding, separator))
    except CsvFault as fault:
        raise CommandFault(f"{file}: {fault}") from None
    except BrokenPipeError:
        return 1  # whoever read our output has gone; what was counted is in
    except OSError as error:
        raise CommandFault(f"{file} cannot be read: {error.strerror or error}.") from None


def _loaded_map(path: Path) -> ColumnMap:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise CommandFault(f"{path} cannot be read: {error.strerror or error}.") from None
    except UnicodeDecodeError as error:
        raise CommandFault(f"{path} cannot be read: byte {error.start} is not UTF-8.") from None
    result = load_column_map(text, str(path))
    if result.column_map is None:
        raise CommandFault(*map(str, result.faults), "Nothing was written.")
    return result.column_map


def _dry_run(csv_file: CsvFile, column_map: ColumnMap, mode: ImportMode) -> int:
    now = Clock().business()
    items = open_items(csv_file, column_map, mode=mode, now=now)
    judged = _judging(now) if mode is ImportMode.OFFER else None
    first: list[ImportRow] = []
    faults: list[tuple[int, str]] = []
    good = 0
    for item in items.items():
        if isinstance(item, BadRow):
            faults.append((item.line, item.reason))
            continue
        good += 1
        if judged is not None:
            judged.look(item)
        if len(first) < FIRST_ROWS:
            first.append(item)
    print_first_rows(first, mode, column_map.notation.zone or UTC)
    print(f"{csv_file.path}: {good:,} of {good + len(faults):,} rows can be used as {mode.value}")
    _print_about(csv_file, items)
    if judged is not None:
        judged.tell()
    _print_unlisted(csv_file, column_map, mode)
    print_faults(faults)
    print("Nothing was written.")
    return 1 if faults else 0


def _judging(now: datetime) -> _Judged | None:
    """None where there is no agreement yet: a map can be tried before anything is set up."""
    try:
        with plainly():
            settings = load_settings()
            with opened_database(settings) as database:
                return _Judged(agreement_in_force(settings, database), now)
    except CommandFault as fault:
        print(f"baton: rows are not judged: {fault.sentences[0]}", file=sys.stderr)
        return None


class _Judged:
    """What the agreement in force makes of the rows that a dry run looks at, none of them looked up."""

    def __init__(self, agreement: Agreement, now: datetime) -> None:
        self._agreement = agreement
        self._run = ImportRun(0, ImportMode.OFFER.value, "", 0, 0, 0, 0, 0, now, None)
        self._wait = self._sleep = self._refused = 0

    def look(self, row: ImportRow) -> None:
        (prepared,) = prepare_rows(self._agreement, self._run, [row])
        made = prepared.made if isinstance(prepared, Prepared) else prepared
        if isinstance(made, BadRow):
            self._refused += 1
        elif made.values.get("waiting"):
            self._wait += 1
        else:
            self._sleep += 1

    def tell(self) -> None:
        undecided = f", {self._refused:,} cannot be decided" if self._refused else ""
        print(
            f"  As if nobody knew them: {self._wait:,} wait for a free rep, {self._sleep:,} go to nurturing{undecided}"
        )


def _print_unlisted(csv_file: CsvFile, column_map: ColumnMap, mode: ImportMode) -> None:
    """What the map's value tables do not list: a text that was forgotten, or a wrong column."""
    tables = [
        table
        for table in column_map.tables(csv_file.header)
        if mode is ImportMode.HISTORY or not table.field.startswith("past.")
    ]
    if not tables:
        return
    counts: list[Counter[str]] = [Counter() for _ in tables]
    for record in csv_file.records():
        if isinstance(record, BadRow):
            continue
        for table, count in zip(tables, counts, strict=True):
            text = column_map.unlisted(table, record.cells)
            if text and (text in count or len(count) < MOST_TEXTS):
                count[text] += 1
    for table, count in zip(tables, counts, strict=True):
        if count:
            print_unlisted(table.field, table.column, count)


def _import(
    csv_file: CsvFile, column_map: ColumnMap, mode: ImportMode, said: tuple[str | None, str | None]
) -> int:
    settings = load_settings()
    with opened_database(settings) as database:
        agreement = agreement_in_force(settings, database)
        with opened_runtime(settings, database, agreement) as runtime:

            def begin(work: Work) -> ImportRun:
                return open_import(
                    work,
                    file_sha256=csv_file.sha256,
                    map_sha256=_identity(column_map, said),
                    mode=mode,
                    source=column_map.source,
                )

            run = runtime.write_now(begin)
            items = open_items(csv_file, column_map, mode=mode, now=run.started_at)
            if run.ended_at is not None:
                print(
                    f"{csv_file.path} was imported as {mode.value} by this map at {minute(run.ended_at)}. "
                    "Nothing changed."
                )
                _print_end(runtime, csv_file, items, run)
                return 0  # there was nothing to do; the first time said 1 if rows were refused
            run = Importer(runtime, csv_file, items, run).go()
            _print_end(runtime, csv_file, items, run)
            return 1 if run.refused else 0


def _identity(column_map: ColumnMap, said: tuple[str | None, str | None]) -> str:
    """The map, and how the file was said to be written: read otherwise it is another import."""
    if said == (None, None):
        return column_map.sha256
    return hashlib.sha256(repr((column_map.sha256, *said)).encode()).hexdigest()


class Importer:
    """Takes the file's rows to the database, in batches that nobody has to wait for long."""

    def __init__(
        self, runtime: Runtime, csv_file: CsvFile, items: ImportItems, run: ImportRun
    ) -> None:
        self._runtime = runtime
        self._csv_file = csv_file
        self._items = items
        self._run = run
        sqlite = runtime.database.is_sqlite
        self._hold, self._gap = (SQLITE_HOLD, SQLITE_GAP) if sqlite else (POSTGRES_HOLD, 0.0)
        self._size = FIRST_BATCH
        self._let_go = time.monotonic()

    def go(self) -> ImportRun:
        """Everything that is still to be done; the import as it is then."""
        if self._run.cursor:
            print(f"baton: goes on after {self._run.cursor:,} rows", file=sys.stderr, flush=True)
        with shown(self._csv_file.lines) as bar:
            try:
                for batch in self._batches():
                    self._do(batch, bar)
                self._run = self._runtime.write_now(lambda work: end_import(work, self._run))
                if self._run.accepted + self._run.updated > MANY_ROWS:
                    # The import is done, whatever becomes of this: the database looks by itself in time.
                    with suppress(DBAPIError):
                        self._runtime.write_now(lambda work: imports.refresh_statistics(work.conn))
            except Overtaken:
                raise CommandFault(
                    "Another run of this import is under way, so this one ends. Nothing was counted twice."
                ) from None
            except KeyboardInterrupt:
                print(
                    f"baton: stopped after {self._run.cursor:,} rows, all of them counted. "
                    "The same command goes on there.",
                    file=sys.stderr,
                )
                raise
        print(
            f"{self._csv_file.path} as {self._run.mode}: {bar.records:,} rows in {bar.seconds:.1f} s, "
            f"{rate(bar.records, bar.seconds)}"
        )
        return self._run

    def _batches(self) -> Iterator[list[ImportRow | BadRow]]:
        rows = self._items.items(self._run.cursor)
        while batch := list(islice(rows, self._size)):
            yield batch

    def _do(self, batch: list[ImportRow | BadRow], bar: Bar) -> None:
        if not bar.records:
            bar.began_at = batch[0].line
        prepared = prepare_rows(self._runtime.agreement, self._run, batch)
        # Reading the batch took its time, too: others had that.
        time.sleep(max(0.0, self._gap - (time.monotonic() - self._let_go)))
        began = 0.0

        def put(work: Work) -> ImportRun:
            nonlocal began
            began = time.monotonic()  # only now: who waits for the file does not hold it
            return import_rows(work, self._run, prepared)

        self._run = self._runtime.write_now(put)
        self._let_go = time.monotonic()
        held = max(self._let_go - began, 0.001)
        fitting = int(len(batch) * self._hold / held)
        self._size = max(LEAST_BATCH, min(fitting, 2 * self._size, MOST_BATCH))
        bar.move(len(batch), batch[-1].line)


def _print_about(csv_file: CsvFile, items: ImportItems) -> None:
    print_notes((*csv_file.notes, *items.notes))


def _print_end(runtime: Runtime, csv_file: CsvFile, items: ImportItems, run: ImportRun) -> None:
    """The summary, and the rows to mend."""

    def look(work: Work) -> tuple[list[tuple[int, str]], int]:
        return imports.list_faults(work.conn, run.id), waiting.count_waiting(work.conn)

    print_counts(run)
    if run.closed:
        rows = "row is" if run.closed == 1 else "rows are"
        print(f"  {run.closed:,} {rows} of leads that are closed already, and not offered")
    _print_about(csv_file, items)
    faults, waits = runtime.read_now(look)
    if run.mode == ImportMode.OFFER:
        print(f"  Leads that wait for a free rep, of this and other imports: {waits:,}")
    if faults:
        print_faults(faults)
        _keep_refused(csv_file, faults)


def _keep_refused(csv_file: CsvFile, faults: list[tuple[int, str]]) -> None:
    """The refused rows beside the export; what is there of another import stays as it is."""
    stem = csv_file.path.stem
    fresh = csv_file.path.with_name(f".{stem}.refused.new")
    try:
        write_refused(csv_file, faults, fresh)
        for number in range(1, 1_000):
            target = fresh.with_name(f"{stem}.refused{f'-{number}' if number > 1 else ''}.csv")
            if not target.exists() or target.read_bytes() == fresh.read_bytes():
                fresh.replace(target)
                print(f"  Rows to mend, each with its fault: {target}")
                return
        fresh.unlink()
    except OSError as error:
        why = error.strerror or str(error)
        print(f"baton: the refused rows could not be written beside it: {why}.", file=sys.stderr)
