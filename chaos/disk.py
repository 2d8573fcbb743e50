"""A SQLite file whose disk is full at a random moment: who is not acknowledged comes again, escalations go on with the
reserve, and Baton notices by itself when there is room.

`PRAGMA max_page_count` makes SQLite itself say SQLITE_FULL; the reserve here gives back pages, as the real one gives
back bytes. What is not here: HTTP (its door answers 503 while `Room` has a fault), a disk that loses what it has taken.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event, text
from sqlalchemy.exc import DBAPIError

from bot.services.fire_timers import BATCH, fire_due
from bot.services.keep_room import Room
from bot.services.receive_leads import Incoming, Message, receive_leads
from chaos.books import damage, misfits, open_books, overdue, step_faults, unguarded
from chaos.experiment import SQLITE, Experiment, Ground
from chaos.race import Hall, digest, made_leads
from chaos.racer import facts_of
from chaos.verdict import Verdict
from storage.database import Database
from storage.reserves import Reserve

LEADS = 5
RESERVE_PAGES = 1024
MOST_MESSAGES = 400
PAST_DUE = timedelta(minutes=21)


class Disk(Reserve):
    """So many pages there are for the file, and a reserve among them."""

    def __init__(self, database: Database) -> None:
        super().__init__(Path("of pages"))
        self._database = database
        self.pages = 1 << 30
        self._kept = 0
        event.listen(database.engine, "begin", self._tell)

    @property
    def used(self) -> int:
        """Pages of the file."""
        with self._database.read() as conn:
            return int(conn.execute(text("PRAGMA page_count")).scalar_one())

    def make(self) -> bool:
        """As a real one: unless there is not as much again."""
        if not self._kept and self.pages - self.used >= 2 * RESERVE_PAGES:
            self._kept = RESERVE_PAGES
        return bool(self._kept)

    def free(self) -> bool:
        """The next transaction has the room."""
        was, self._kept = self._kept, 0
        return bool(was)

    def _tell(self, conn: Connection) -> None:
        conn.exec_driver_sql(f"PRAGMA max_page_count = {self.pages - self._kept}")


def full_disk(ground: Ground) -> Verdict:
    """`ground.size` random limits."""
    verdict = Verdict(ground.size, ground.seed)
    rng = random.Random(ground.seed)
    hall = Hall(ground.url)
    disk = Disk(hall.database)
    run = _Run(hall, disk, Room(hall.database, disk))
    began = time.monotonic()
    try:
        run.room.look()
        for number in range(ground.size):
            run.fill_up(number, rng.randint(4, 120))
        books = open_books(hall.database)
        stored = {external for _, external in books.keys}
        verdict.faults = run.faults
        if stored != run.acknowledged:
            verdict.faults.append(f"{len(run.acknowledged)} acknowledged, {len(stored)} stored")
        verdict.faults += misfits(books) + unguarded(books) + step_faults(books)
        verdict.faults += overdue(books, hall.now) + damage(hall.database)
    finally:
        hall.close()
    verdict.seconds = round(time.monotonic() - began, 1)
    verdict.figures = {
        "leads acknowledged": len(run.acknowledged), "writes without room": run.refused,
        "turned away at the door": run.turned_away, "steps fired while full": run.fired,
    }  # fmt: skip
    return verdict


class _Run:
    def __init__(self, hall: Hall, disk: Disk, room: Room) -> None:
        self._hall, self._disk, self.room = hall, disk, room
        self.acknowledged: set[str] = set()
        self.faults: list[str] = []
        self.refused = self.turned_away = self.fired = 0

    def fill_up(self, number: int, pages: int) -> None:
        """One limit: leads until it is met, what is due meanwhile, room again, and the leads that came in vain."""
        self._disk.pages = self._disk.used + RESERVE_PAGES + pages
        waiting: list[tuple[str, list[dict[str, Any]]]] = []
        for message in range(MOST_MESSAGES):
            name = f"d{number}-{message}"
            leads = made_leads(LEADS, name=name)
            if not self._send(name, leads):
                waiting.append((name, leads))
                if len(waiting) > 2:
                    break
        if not self.room.is_full:
            self.faults.append(f"limit {number}: the disk was never found full")
        self.faults += [f"{name} is half there" for name, _ in waiting if self._is_there(name)]
        self._hall.now += PAST_DUE
        try:
            while (fired := self._hall.runtime.write_now(fire_due)) == BATCH:
                self.fired += fired
            self.fired += fired
        except DBAPIError as error:
            self.faults.append(f"limit {number}: steps did not fire: {error.orig}")
        self.room.look()
        if not self.room.is_full:
            self.faults.append(f"limit {number}: room was found where none is")
        self._disk.pages = 1 << 30
        self.room.look()
        if self.room.is_full:
            self.faults.append(f"limit {number}: nobody noticed that there is room again")
        self.faults += [
            f"{name} is not taken with room"
            for name, leads in waiting
            if not self._send(name, leads)
        ]

    def _send(self, name: str, leads: Sequence[Mapping[str, Any]]) -> bool:
        """As the door does it: 503 while there is a fault, and when a write fails."""
        if self.room.faults():
            self.turned_away += 1
            return False
        items = tuple(Incoming(i, facts_of(lead, self._hall.now)) for i, lead in enumerate(leads))
        message = Message("disk", name, digest(name), b"{}", items)
        try:
            self._hall.runtime.write_now(lambda work: receive_leads(work, message))
        except DBAPIError:
            self.refused += 1
            return False
        self.acknowledged |= {str(lead["external_id"]) for lead in leads}
        return True

    def _is_there(self, name: str) -> bool:
        """Whether anything of a message that was refused is stored."""
        queries = (
            "SELECT 1 FROM inbox WHERE msg_id = :name",
            "SELECT 1 FROM leads WHERE external_id LIKE :name || '-%'",
        )
        with self._hall.database.read() as conn:
            return any(conn.execute(text(q), {"name": name}).first() for q in queries)


EXPERIMENTS = (
    Experiment(
        "disk",
        "a full disk at random moments of intake",
        "acknowledged = stored, nothing half written, every due step fires from the reserve, integrity ok, room is "
        "noticed",
        "the reserve: steps of existing leads do not fire while the disk is full",
        everyday=5,
        full=50,
        run=full_disk,
        kinds=(SQLITE,),
    ),
)
