"""An import, batch by batch: each row ends as accepted, updated, duplicate or refused, and is counted once.

The cursor moves in the transaction of the rows it covers, by a conditional UPDATE: a killed run goes on where it was,
and of two runs of one import only one gets on. What a batch does is what its rows would do one by one: rows about
one lead within it wait for each other. What is not here: files (`handlers`), what a row makes of a lead
(`make_imported`, before the transaction; `meet_imported`).
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from sqlalchemy.exc import DBAPIError, IntegrityError

from bot.domain.funnel import TERMINAL
from bot.domain.past import BadRow, ImportMode, ImportRow
from bot.services.announce_import import announce_review_import
from bot.services.make_imported import IMPORTED, Prepared
from bot.services.meet_imported import retell, says_nothing_new, take_row
from bot.services.work import Work
from storage import imports, leads
from storage.database import concerns_all
from storage.imports import Entry, ImportRun, Key, KnownLead, NewLead
from storage.leads import email_key_of

log = logging.getLogger(__name__)

#: "closed …": counted so, too, and about a lead that stays won, lost or disqualified.
Outcome = Literal["accepted", "updated", "duplicate", "closed updated", "closed duplicate"] | BadRow

#: How often a single row is tried whose key or mailbox somebody else takes at the same moment.
TRIES = 3
REFUSED = "The database refused a value of this row."
#: What the drivers raise for a value that no column holds, beside errors of the database itself.
_BAD_VALUE = (DBAPIError, OverflowError, UnicodeError)


class Overtaken(Exception):
    """Another run of the same import did some of these rows meanwhile; nothing was changed."""


def open_import(
    work: Work, *, file_sha256: str, map_sha256: str, mode: ImportMode, source: str
) -> ImportRun:
    """The import of this file under this mapping in this mode: begun now, or as far as it is."""
    return imports.begin_import(
        work.conn,
        file_sha256=file_sha256,
        map_sha256=map_sha256,
        mode=mode.value,
        source=source,
        now=work.now,
    )


def import_rows(work: Work, run: ImportRun, rows: Sequence[Prepared | BadRow]) -> ImportRun:
    """Do the next records of the file (`prepare_rows`), in one transaction; the import as it is then. `Overtaken`."""
    if not imports.move_cursor(work.conn, run, run.cursor + len(rows)):
        raise Overtaken
    refused = [row for row in rows if isinstance(row, BadRow)]
    counts: Counter[str] = Counter()
    closed = 0
    for outcome in _apply(work, run, [row for row in rows if isinstance(row, Prepared)]):
        if isinstance(outcome, BadRow):
            refused.append(outcome)
        else:
            counts[outcome.removeprefix("closed ")] += 1
            closed += outcome.startswith("closed ")
    imports.insert_faults(work.conn, run, [(row.line, row.reason) for row in refused])
    after = imports.add_counts(work.conn, run, {**counts, "refused": len(refused)})
    return replace(after, closed=run.closed + closed)


def end_import(work: Work, run: ImportRun) -> ImportRun:
    """The last record is done. Marketing is told once of what waits before their eyes. Raises `Overtaken`."""
    if not imports.end_import(work.conn, run, work.now):
        raise Overtaken
    if run.mode == ImportMode.REVIEW and run.accepted + run.updated:
        announce_review_import(work, run.id, imports.count_in_review(work.conn, IMPORTED))
    return replace(run, ended_at=work.now)


def _apply(work: Work, run: ImportRun, rows: Sequence[Prepared]) -> list[Outcome]:
    """What became of each row. Those that fail together are tried by halves, until each culprit stands alone."""
    for attempt in range(1, TRIES + 1):
        savepoint = work.conn.begin_nested()
        try:
            outcomes = _together(work, run, rows)
            savepoint.commit()
        except Exception as error:
            if concerns_all(error):
                raise  # the whole batch is tried again by the caller
            savepoint.rollback()
            work.forget_roster()
            if len(rows) > 1:
                half = len(rows) // 2
                return _apply(work, run, rows[:half]) + _apply(work, run, rows[half:])
            if not isinstance(error, IntegrityError) or attempt == TRIES:
                return [BadRow(rows[0].row.line, _why(error))]
        else:
            return outcomes
    raise AssertionError("unreachable")


def _why(error: Exception) -> str:
    if isinstance(error, _BAD_VALUE):
        return REFUSED
    log.error("a row could not be imported", exc_info=error)
    return f"It could not be applied, because of a fault in Baton ({type(error).__name__})."


def _together(work: Work, run: ImportRun, rows: Sequence[Prepared]) -> list[Outcome]:
    """Rows in as few statements as they allow: those that must see what an earlier one did come in the next wave."""
    outcomes: dict[int, Outcome] = {}
    todo = list(range(len(rows)))
    while todo:
        wave = _Wave(work, run, [rows[place] for place in todo])
        later = wave.run_through()
        outcomes.update({todo[i]: outcome for i, outcome in wave.outcomes.items()})
        if len(later) == len(todo):
            raise RuntimeError("rows of an import wait for each other")
        todo = [todo[i] for i in later]
    return [outcomes[place] for place in range(len(rows))]


class _Wave:
    """Rows in the file's order against the leads that are in the database, and against each other."""

    def __init__(self, work: Work, run: ImportRun, rows: Sequence[Prepared]) -> None:
        self._work = work
        self._run = run
        self._rows = rows
        self.outcomes: dict[int, Outcome] = {}
        self._later: list[int] = []
        #: Names (keys and mailboxes) of rows that come later: whoever shares one comes later too.
        self._blocked: set[Key | str] = set()
        #: Names of leads that this wave writes, and the row that each comes from.
        self._fresh: dict[Key | str, ImportRow] = {}
        self._new: list[tuple[int, NewLead]] = []
        self._retold: dict[int, tuple[KnownLead, tuple[Entry, ...]]] = {}
        self._by_key, self._by_mailbox = imports.find_names(
            work.conn,
            (_key(each.row) for each in rows),
            (box for each in rows if (box := email_key_of(each.row.facts.email))),
        )
        self._known = imports.lock_known(
            work.conn, (*self._by_key.values(), *self._by_mailbox.values())
        )
        self._erased_keys, self._erased_boxes = work.erased.known_again(
            work.conn,
            work.real,
            [(*_key(each.row), each.row.facts.email) for each in rows],
        )

    def run_through(self) -> list[int]:
        """Do what can be done now; the places of the rows that must come later."""
        for place, each in enumerate(self._rows):
            names: list[Key | str] = [_key(each.row)]
            if mailbox := email_key_of(each.row.facts.email):
                names.append(mailbox)
            outcome = None if self._blocked.intersection(names) else self._meet(place, each, names)
            if outcome is None:
                self._blocked.update(names)
                self._later.append(place)
            else:
                self.outcomes[place] = outcome
        self._write()
        return sorted(self._later)

    def _meet(self, place: int, each: Prepared, names: Sequence[Key | str]) -> Outcome | None:
        row = each.row
        key = _key(row)
        mailbox = email_key_of(row.facts.email) or ""
        named = self._by_key.get(key)
        if named is None and key in self._erased_keys:
            return "duplicate"
        lead_id = named if named is not None else self._by_mailbox.get(mailbox)
        if lead_id is None and row.facts.email.strip().lower() in self._erased_boxes:
            return "duplicate"
        if lead_id is None:
            return self._meet_new(place, each, names)
        if mailbox in self._fresh:
            return None  # whose mailbox it is stands in the database after this wave
        if named is None and not leads.add_key(self._work.conn, lead_id, *key):
            return None  # taken this moment
        self._by_key[key] = lead_id
        news = self._take(lead_id, row)
        self._note_mailbox(lead_id)
        if self._run.mode != ImportMode.HISTORY and self._known[lead_id].lead.state in TERMINAL:
            return "closed updated" if news or named is None else "closed duplicate"
        return "updated" if news or named is None else "duplicate"

    def _meet_new(self, place: int, each: Prepared, names: Sequence[Key | str]) -> Outcome | None:
        """Nobody in the database has one of these names; an earlier row of this wave may."""
        if any(name in self._fresh for name in names):
            first = self._fresh.get(_key(each.row))
            nothing_new = first is not None and says_nothing_new(self._run, first, each.row)
            return "duplicate" if nothing_new else None
        if isinstance(each.made, BadRow):
            return each.made
        self._fresh.update(dict.fromkeys(names, each.row))
        self._new.append((place, each.made))
        return "accepted"

    def _take(self, lead_id: int, row: ImportRow) -> bool:
        known = self._known[lead_id]
        if known.lead.kind == "history" and self._run.mode == ImportMode.HISTORY:
            return self._retell(lead_id, known, row)
        news = take_row(self._work, self._run, known.lead, row)
        if news:
            self._known.update(imports.lock_known(self._work.conn, [lead_id]))
        return news

    def _retell(self, lead_id: int, known: KnownLead, row: ImportRow) -> bool:
        retold = retell(self._run, known, row)
        if retold is None:
            return False
        after = retold.known
        mailbox = email_key_of(row.facts.email)
        if after.lead.email_key is None and mailbox and mailbox not in self._by_mailbox:
            after = replace(after, lead=replace(after.lead, email_key=mailbox))
        self._known[lead_id] = after
        _, before = self._retold.get(lead_id, (known, ()))
        self._retold[lead_id] = (after, (*before, retold.entry))
        return True

    def _note_mailbox(self, lead_id: int) -> None:
        mailbox = self._known[lead_id].lead.email_key
        if mailbox:
            self._by_mailbox[mailbox] = lead_id

    def _write(self) -> None:
        conn, now = self._work.conn, self._work.now
        imports.save_told(conn, list(self._retold.values()), at=now)
        ids = imports.insert_leads(conn, [lead for _, lead in self._new], at=now)
        for lead_id, (place, _) in zip(ids, self._new, strict=True):
            if lead_id is None:
                # Somebody took its key or mailbox this moment: it is news about that lead.
                del self.outcomes[place]
                self._later.append(place)


def _key(row: ImportRow) -> Key:
    return row.facts.source, row.facts.external_id
