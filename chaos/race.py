"""A race: a database with an agreement and offers in it, and processes that start at one signal.

What is not here: what a process does (`racer`), what must hold in the end (`books`, and each experiment).
"""

from __future__ import annotations

import hashlib
import multiprocessing
import random
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from bot.clock import Clock
from bot.services.receive_leads import Incoming, Message, Received, receive_leads
from bot.services.runtime import Runtime
from bot.services.work import Work
from chaos.playbooks import agreement_of, playbook_text
from chaos.racer import facts_of, run_task
from storage import people
from storage.database import Database
from storage.models import Offers
from storage.rows import table_of

_offers = table_of(Offers)

ROOT = Path(__file__).parent.parent
#: A Monday in office hours.
START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
READY = "ready"
_COUNTRIES = ("DE", "US", "SG")

#: What a process of a race does with its task. It calls the second argument when it is ready, which waits for the
#: signal.
Job = Callable[[Mapping[str, Any], Callable[[], None]], Any]


@dataclass(frozen=True, slots=True)
class Put:
    """One offer before one rep, as it stands at the start."""

    offer: str
    lead: int
    rep: str
    manager: str


class Hall:
    """The database of one race. Time stands at `now` while it is prepared."""

    def __init__(self, url: str, *, reps: int = 4) -> None:
        self.url = url
        self.text = playbook_text(reps)
        self.now = START
        self.database = Database(url)
        self.agreement = agreement_of(self.text)
        self.runtime = Runtime(self.database, Clock(lambda: self.now), self.agreement)
        self.runtime.write_now(self._meet)

    def _meet(self, work: Work) -> None:
        for person in self.agreement.people.values():
            people.ensure_person(work.conn, person.email, person.name)
        for row in people.list_people(work.conn):
            people.save_person(
                work.conn, row.id, slack_user_id=f"U{row.id}", slack_channel_id=f"D{row.id}"
            )

    def receive(self, leads: Sequence[Mapping[str, Any]], *, batch: int = 100) -> list[int]:
        """Leads by the ordinary way in; their ids."""
        found: list[int] = []
        for first in range(0, len(leads), batch):
            items = tuple(
                Incoming(i, facts_of(lead, self.now))
                for i, lead in enumerate(leads[first : first + batch])
            )
            name = f"hall-{leads[first]['external_id']}"
            message = Message("hall", name, name, b"{}", items)
            received = self.runtime.write_now(partial(_receive, message=message))
            found += [int(result["lead"]) for result in received.results]
        return found

    def offers(self) -> list[Put]:
        """Every open offer, oldest first."""

        def look(work: Work) -> list[Put]:
            rows = work.conn.exec_driver_sql(
                "SELECT o.id, o.lead_id, p.email, o.team FROM offers o JOIN people p ON p.id = o.rep_id"
                " WHERE o.state = 'open' ORDER BY o.lead_id"
            )
            teams = work.agreement.teams
            return [Put(offer, lead, rep, teams[team].manager) for offer, lead, rep, team in rows]

        return self.runtime.read_now(look)

    def task(self, job: str, **more: Any) -> dict[str, Any]:
        """What a racer is told."""
        return {
            "job": job, "url": self.url, "playbook": self.text, "now": self.now.isoformat(), **more,
        }  # fmt: skip

    def close(self) -> None:
        """Close the database."""
        self.runtime.close()


def _receive(work: Work, message: Message) -> Received:
    received = receive_leads(work, message)
    # The reps have seen their cards, an offer that nobody saw does not lapse; and in the same transaction, or a
    # worker that is up already posts some of them, late, and gives their clocks that time back.
    _show_cards(work)
    return received


def _show_cards(work: Work) -> None:
    work.conn.execute(
        _offers.update().where(_offers.c.delivered_at.is_(None)).values(delivered_at=work.now)
    )


def made_leads(many: int, *, name: str = "lead") -> list[dict[str, Any]]:
    """So many different leads, all sales-ready, for all teams in turn."""
    return [
        {
            "source": "race",
            "external_id": f"{name}-{i}",
            "email": f"{name}.{i}@company{i}.example",
            "first_name": "Jana",
            "last_name": f"Novak {i}",
            "company": f"Company {i}",
            "country": _COUNTRIES[i % 3],
            "source_score": 80,
        }
        for i in range(many)
    ]


def near_order(items: Sequence[Any], seed: int, window: int = 6) -> list[Any]:
    """The same items in another order, none far from its place: two processes keep meeting at the same item."""
    rng = random.Random(seed)
    return [
        item
        for _, item in sorted(
            ((place + rng.uniform(0, window), item) for place, item in enumerate(items)),
            key=lambda placed: placed[0],
        )
    ]


def digest(text: str) -> str:
    """What the intake would note as the hash of a body."""
    return hashlib.sha256(text.encode()).hexdigest()


def race(
    tasks: Sequence[Mapping[str, Any]], *, limit: float = 120.0, racer: Job = run_task
) -> list[Any]:
    """Start a process for each task, give the signal when all are ready, and return what each found.

    RuntimeError when one of them failed.
    """
    with _racers(tasks, racer) as lines:
        for line in lines:
            if _heard(line, limit) != READY:
                raise RuntimeError("a racer did not start")
        for line in lines:
            line.send(None)
        return [_heard(line, limit) for line in lines]


@contextmanager
def _racers(tasks: Sequence[Mapping[str, Any]], racer: Job) -> Iterator[list[Connection]]:
    """Processes forked from one that has imported everything already: to import it anew would take each of them
    longer than most races."""
    forge = multiprocessing.get_context("forkserver")
    forge.set_forkserver_preload(["chaos.racer", "chaos.http_racer"])
    lines: list[Connection] = []
    processes: list[BaseProcess] = []
    try:
        for task in tasks:
            ours, theirs = forge.Pipe()
            process = forge.Process(target=_run, args=(theirs, racer, dict(task)), daemon=True)
            process.start()
            theirs.close()
            lines.append(ours)
            processes.append(process)
        yield lines
    finally:
        for line in lines:
            line.close()
        for each in processes:
            each.join(2)
            if each.is_alive():
                each.kill()
                each.join()
            each.close()


def _run(line: Connection, racer: Job, task: dict[str, Any]) -> None:
    """In the process of a racer."""

    def wait_for_the_signal() -> None:
        line.send((True, READY))
        line.recv()

    try:
        line.send((True, racer(task, wait_for_the_signal)))
    except EOFError:  # the race was given up
        return
    except Exception as error:
        line.send((False, "".join(traceback.format_exception(error))[-2000:]))


def _heard(line: Connection, limit: float) -> Any:
    if not line.poll(limit):
        raise RuntimeError("a racer did not end in time")
    try:
        well, found = line.recv()
    except EOFError:
        raise RuntimeError("a racer ended without a word") from None
    if not well:
        raise RuntimeError(f"a racer failed: {found}")
    return found
