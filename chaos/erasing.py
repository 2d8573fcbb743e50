"""People are erased from a database full of others: not a byte of them is left, nor after a restore of an old backup,
nor after everything is sent once more; and nobody else loses anything.

Each person has words of their own: name, number, address, key, what they said, what a rep noted of them. They are
looked for in every byte of the files (SQLite) and every column of every table (PostgreSQL). What is not here: messages
in Slack (a scenario of the tests looks there).
"""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection, select

from bot.clock import Clock
from bot.services.answer_offer import reject
from bot.services.erase_person import erase_lead, erase_messages, find_person, reapply_erasures
from bot.services.receive_leads import Incoming, Message, Received, receive_leads
from bot.services.restore_backup import restore_backup
from bot.services.spot_erased import Erased
from bot.services.work import Work
from chaos.books import damage
from chaos.canaries import find_words
from chaos.experiment import Experiment, Ground
from chaos.race import Hall
from chaos.racer import facts_of
from chaos.verdict import Verdict
from storage.backups import copy_database, suffix_of
from storage.database import Database
from storage.erasures import list_ledger
from storage.ledger_files import read_ledger_file, write_ledger_file
from storage.models import Leads
from storage.rows import table_of
from storage.vacuuming import vacuum

KEY = "the key of the experiment: 32 characters or more"
BATCH = 10
_leads = table_of(Leads)


@dataclass(frozen=True, slots=True)
class Someone:
    """A made-up person and the words by which they are found."""

    lead: dict[str, Any]
    note: str

    @property
    def email(self) -> str:
        return str(self.lead["email"])

    @property
    def words(self) -> list[str]:
        names = ("first_name", "last_name", "email", "external_id", "message")
        return [*(str(self.lead[name]) for name in names), str(self.lead["phone"])[-7:], self.note]


def _people(many: int, rng: random.Random) -> list[Someone]:
    def word() -> str:
        return "".join(rng.choices("bcdfghjklmnpqrstvwxz", k=12))

    made: list[Someone] = []
    for i in range(many):
        name = word()
        lead = {
            "source": "race",
            "external_id": f"x-{word()}",
            "email": f"{name}@{word()}.example",
            "first_name": word(),
            "last_name": name,
            "company": word(),
            "phone": f"+43 1 {rng.randrange(10**6, 10**7)}",
            "message": f"Call about {word()}",
            "country": ("DE", "US", "SG")[i % 3],
            "source_score": 80,
        }
        made.append(Someone(lead, word()))
    return made


def erasing(ground: Ground) -> Verdict:
    """A tenth of `ground.size` people is erased."""
    rng = random.Random(ground.seed)
    many = max(1, ground.size // 10)
    verdict = Verdict(many, ground.seed)
    began = time.monotonic()
    hall = Hall(ground.url)
    try:
        hall.runtime.erased = Erased(KEY)
        people = _people(ground.size, rng)
        _send(hall, people)
        _reject(hall, people)
        backup = ground.folder / f"before{suffix_of(hall.database)}"
        copy_database(hall.database, backup, made_at=hall.now)
        gone = rng.sample(people, many)
        words = [word for person in gone for word in person.words]
        seen = len(find_words(ground.url, words))
        before = _figures(hall.database)
        hall.now += timedelta(hours=1)
        for person in gone:
            _erase(hall, person)
        left = vacuum(hall.database, full=True)
        verdict.faults += [f"vacuum: {left}"] if left else []
        verdict.faults += [f"after erasing, {hit}" for hit in find_words(ground.url, words)]
        hall.now += timedelta(minutes=1)
        again = _send(hall, people) + _send(hall, people, name="once-more")
        vacuum(hall.database, full=True)
        verdict.faults += [f"sent again, {hit}" for hit in find_words(ground.url, words)]
        after = _figures(hall.database)
        if after != before - Counter({"with a name": many}):
            verdict.faults.append(f"figures were {dict(before)}, are {dict(after)}")
        verdict.faults += damage(hall.database)
        ledger = ground.folder / "erasures.ledger"
        with hall.database.read() as conn:
            write_ledger_file(ledger, list_ledger(conn))
        verdict.faults += [
            f"the ledger's file: {word}" for word in words if word in ledger.read_text()
        ]
    finally:
        hall.close()
    restored = Database(ground.spare)
    try:
        done = restore_backup(
            restored, backup, Clock(lambda: hall.now), replace=True,
            ledger=read_ledger_file(ledger), erase_again=partial(_again, hall),
        )  # fmt: skip
        vacuum(restored, full=True)
        verdict.faults += [f"restored, {hit}" for hit in find_words(ground.spare, words)]
        if done.erased != many or _figures(restored)["with a name"] != ground.size - many:
            verdict.faults.append(f"{done.erased} of {many} erased again: {_figures(restored)}")
    finally:
        restored.dispose()
    if seen < many:
        verdict.faults.append("the oracle is blind: it did not find them before")
    verdict.seconds = round(time.monotonic() - began, 1)
    verdict.figures = {
        "people": ground.size, "erased": many, "words looked for": len(words),
        "answers when sent again": dict(sorted(again.items())), "erased again": done.erased,
    }  # fmt: skip
    return verdict


def _send(hall: Hall, people: Sequence[Someone], *, name: str = "list") -> Counter[str]:
    """All of them in lists of ten, with an item in each that nobody can use: so the body is kept."""
    said: Counter[str] = Counter()
    for first in range(0, len(people), BATCH):
        leads = [person.lead for person in people[first : first + BATCH]]
        items = (
            *(Incoming(i, facts_of(lead, hall.now)) for i, lead in enumerate(leads)),
            Incoming(len(leads), None, "company must be a text."),
        )
        raw = json.dumps([*leads, {**leads[0], "company": 7}]).encode()
        digest = hashlib.sha256(raw).hexdigest()
        message = Message("hall", f"{name}-{digest}", digest, raw, items)
        received: Received = hall.runtime.write_now(partial(_receive, message=message))
        said.update(str(result["status"]) for result in received.results)
    return said


def _receive(work: Work, message: Message) -> Received:
    return receive_leads(work, message)


def _reject(hall: Hall, people: Sequence[Someone]) -> None:
    """Each is rejected once, with a note about them; half of them stay open elsewhere."""
    notes = {person.email: person.note for person in people}

    def all_of(work: Work) -> None:
        rows = work.conn.execute(select(_leads.c.id, _leads.c.email))
        emails = {lead_id: email for lead_id, email in rows}
        for number, put in enumerate(offers):
            reason = "wrong_territory" if number % 2 else "not_our_kind"
            actor = work.roster.by_email[put.rep]
            reject(work, actor, put.offer, reason, notes[emails[put.lead]])

    offers = hall.offers()
    hall.runtime.write_now(all_of)


def _erase(hall: Hall, person: Someone) -> None:
    found = hall.runtime.read_now(lambda work: find_person(work, person.email))
    hall.runtime.write_now(lambda work: erase_messages(work, hall.runtime.erased, person.email))
    for lead in found.leads:
        hall.runtime.write_now(partial(_erase_one, hall, lead.id))


def _erase_one(hall: Hall, lead_id: int, work: Work) -> bool:
    return erase_lead(work, hall.runtime.erased, lead_id)


def _again(hall: Hall, conn: Connection, now: datetime, real: datetime) -> int:
    return reapply_erasures(Work(conn, now, real, hall.agreement), KEY)


def _figures(database: Database) -> Counter[str]:
    """What must not change by it, and how many have a name."""
    counts: Counter[str] = Counter()
    with database.read() as conn:
        for row in conn.exec_driver_sql(
            "SELECT l.source, l.first_name <> '', (SELECT count(*) FROM offers o WHERE o.lead_id = l.id), "
            "(SELECT count(*) FROM clocks c WHERE c.lead_id = l.id) FROM leads l"
        ):
            counts.update({
                "leads": 1, f"from {row[0]}": 1, "with a name": int(bool(row[1])),
                "offers": int(row[2]), "clocks": int(row[3]),
            })  # fmt: skip
    return counts


EXPERIMENTS = (
    Experiment(
        "erasing",
        "a tenth of all people is erased, everything is sent again, an old backup is put back",
        "no word of theirs in any byte or column, the figures of all others unchanged",
        "without the VACUUM 28 of 28 words are found, without the hashed keys 24 when all is sent again, without "
        "emptying bodies 6, without deleting notes 4, without erasing again 28 in the restored database",
        everyday=100,
        full=1_000,
        run=erasing,
    ),
)
