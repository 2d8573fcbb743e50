"""What the database holds at the end, read once, and what does not fit together in it.

Each function gives sentences, one a fault; none means that all is well. What is not here: what was sent by whom
(each experiment knows that), Slack's side.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlalchemy import select, text

from bot.domain.replay import BrokenJournal, Replayed, ReplayedOffer, replay
from bot.domain.sla import BREACH_STEP
from storage.clocks import ClockRow, TimerRow
from storage.database import Database
from storage.journal import JournalRow
from storage.leads import LeadRow
from storage.models import Base, Clocks, Journal, LeadKeys, Leads, Offers, Outbox, Timers
from storage.offers import OfferRow
from storage.rows import as_row, table_of

R = TypeVar("R", LeadRow, OfferRow, ClockRow, TimerRow, JournalRow)


@dataclass(frozen=True, slots=True)
class Books:
    """Everything about leads, in memory."""

    leads: tuple[LeadRow, ...]
    keys: dict[tuple[str, str], int]  # (source, external id) -> lead
    offers: tuple[OfferRow, ...]
    clocks: tuple[ClockRow, ...]
    timers: tuple[TimerRow, ...]
    journal: dict[int, list[JournalRow]]  # lead -> entries in order
    posts: dict[str, str]  # delivery id of a decided message -> its state

    def entries(self, lead_id: int, kind: str) -> list[JournalRow]:
        """The entries of one kind about a lead, in order."""
        return [entry for entry in self.journal.get(lead_id, []) if entry.kind == kind]


def open_books(database: Database) -> Books:
    """Read everything in one transaction."""
    with database.read() as conn:

        def rows(kind: type[R], model: type[Base]) -> Iterator[R]:
            for row in conn.execute(select(table_of(model)).order_by("id")):
                yield as_row(kind, row)

        journal: dict[int, list[JournalRow]] = defaultdict(list)
        for entry in rows(JournalRow, Journal):
            if entry.subject_kind == "lead":
                journal[entry.subject_id].append(entry)
        keys = table_of(LeadKeys).c
        outbox = table_of(Outbox).c
        return Books(
            leads=tuple(rows(LeadRow, Leads)),
            keys={
                (str(source), str(external)): int(lead)
                for source, external, lead in conn.execute(
                    select(keys.source, keys.external_id, keys.lead_id)
                )
            },
            offers=tuple(rows(OfferRow, Offers)),
            clocks=tuple(rows(ClockRow, Clocks)),
            timers=tuple(rows(TimerRow, Timers)),
            journal=dict(journal),
            posts={
                str(d): str(s)
                for d, s in conn.execute(
                    select(outbox.delivery_id, outbox.state).where(~outbox.edits)
                )
            },
        )


def misfits(books: Books) -> list[str]:
    """Leads whose journal, replayed, does not give the status, rep, round, offers and clocks that the tables hold."""
    offers: dict[int, dict[str, ReplayedOffer]] = defaultdict(dict)
    for offer in books.offers:
        offers[offer.lead_id][offer.id] = ReplayedOffer(offer.rep_id, offer.state)
    clocks: dict[int, dict[int, tuple[object, ...]]] = defaultdict(dict)
    for clock in books.clocks:
        clocks[clock.lead_id][clock.id] = (
            clock.kind, clock.ended_at is None, clock.outcome, clock.due_at,
        )  # fmt: skip
    found: list[str] = []
    for lead in books.leads:
        entries = books.journal.get(lead.id, [])
        if [entry.seq for entry in entries] != list(range(1, len(entries) + 1)):
            found.append(f"lead {lead.id}: the journal has a gap")
        try:
            told = replay((entry.kind, entry.data, entry.actor_kind) for entry in entries)
        except BrokenJournal as broken:
            found.append(f"lead {lead.id}: {broken}")
            continue
        held = (lead.status, lead.round, lead.owner_id, offers[lead.id], clocks[lead.id])
        if _as_held(told) != held:
            found.append(f"lead {lead.id}: the journal says {_as_held(told)}, the tables {held}")
    return found


def _as_held(told: Replayed) -> tuple[object, ...]:
    clocks = {
        number: (clock.kind, clock.running, clock.outcome, datetime.fromisoformat(clock.due_at))
        for number, clock in told.clocks.items()
    }
    return (
        told.status.value if told.status else "", told.round, told.rep_id, told.offers, clocks,
    )  # fmt: skip


def unguarded(books: Books) -> list[str]:
    """Leads with two offers at once, ended leads with a clock that runs, running clocks that nothing will end."""
    found = [
        f"lead {lead} has {many} offers at once"
        for lead, many in Counter(
            offer.lead_id for offer in books.offers if offer.state in ("open", "accepted")
        ).items()
        if many > 1
    ]
    armed = {t.subject_id for t in books.timers if t.subject_kind == "clock" and t.state == "armed"}
    fired = {
        (t.subject_id, t.generation)
        for t in books.timers
        if t.subject_kind == "clock" and t.state == "fired" and t.step.startswith("100:")
    }
    found += [
        f"clock {clock.id} ({clock.kind}) of lead {clock.lead_id} runs without a timer"
        for clock in books.clocks
        if clock.ended_at is None
        and clock.id not in armed
        and (clock.id, clock.generation) not in fired
    ]
    return found


def step_faults(books: Books) -> list[str]:
    """Steps that applied more or less often than their timers fired, and effects without a step."""
    fired = Counter(
        (timer.subject_id, timer.step)
        for timer in books.timers
        if timer.subject_kind == "clock" and timer.state == "fired"
    )
    told: Counter[tuple[int, str]] = Counter()
    effects: Counter[tuple[int, str]] = Counter()
    lapses: Counter[int] = Counter()
    held_back: Counter[int] = Counter()  # nobody had seen the card: the step fired, nothing lapsed
    #: A due time that was moved (a card that came late) may be missed anew.
    breaches: Counter[tuple[int, int]] = Counter()
    moved: Counter[int] = Counter()
    for lead_id, entries in books.journal.items():
        for entry in entries:
            if entry.kind in ("clock_moved", "clock_resumed"):
                moved[entry.data["clock"]] += 1
            elif entry.kind == "clock_breached":
                breaches[entry.data["clock"], moved[entry.data["clock"]]] += 1
            if entry.kind == "step_fired" and "clock" in entry.data:
                told[(entry.data["clock"], entry.data["step"])] += 1
            elif entry.kind == "clock_breached":
                told[(entry.data["clock"], BREACH_STEP)] += 1
            elif entry.kind == "escalated" and entry.data["clock"] is not None:
                effects[(entry.data["clock"], entry.data["step"])] += 1
            elif entry.kind == "offer_ended" and entry.data["state"] == "lapsed":
                lapses[lead_id] += 1
            elif entry.kind == "held_back":
                held_back[lead_id] += 1
    found = [
        f"clock {clock}: {step} applied {told[clock, step]} times, its timers fired {many} times"
        for (clock, step), many in fired.items()
        if step != BREACH_STEP and told[clock, step] != many
    ]
    found += [
        f"clock {clock} was breached {many} times"
        for (clock, _), many in breaches.items()
        if many > 1
    ]
    found += [
        f"clock {clock}: {step} was told {many} times"
        for (clock, step), many in effects.items()
        if not step.startswith("lapse") and many > fired[clock, step]
    ]
    moves: Counter[int] = Counter()
    lead_of = {clock.id: clock.lead_id for clock in books.clocks}
    for (clock, step), many in fired.items():
        if step.endswith((":reoffer", ":review")):
            moves[lead_of[clock]] += many
    found += [
        f"lead {lead}: {lapses[lead]} offers lapsed by {moves[lead]} steps, {held_back[lead]} held back"
        for lead in lapses | moves
        if lapses[lead] + held_back[lead] != moves[lead]
    ]
    return found


def overdue(books: Books, now: datetime) -> list[str]:
    """Timers that should have fired by `now` and did not."""
    return [
        f"timer {timer.id} ({timer.step}) of lead {timer.lead_id} was due at {timer.due_at}"
        for timer in books.timers
        if (timer.state == "armed" and timer.due_at <= now) or timer.state == "parked"
    ]


def damage(database: Database) -> list[str]:
    """What SQLite's own check of the file finds; nothing on PostgreSQL, which has none."""
    if not database.is_sqlite:
        return []
    with database.read() as conn:
        said = [str(row[0]) for row in conn.execute(text("PRAGMA integrity_check"))]
        said += [str(row) for row in conn.execute(text("PRAGMA foreign_key_check"))]
    return [line for line in said if line != "ok"]
