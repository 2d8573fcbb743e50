"""The leads of one batch of due timers: read once with a few queries, and written at the end with a few statements.

A statement costs more than the row it writes, and a commit more than both, so hundreds of leads share them. What
is not here: what a step does (`fire_timers`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection

from bot.services.choose_rep import count_open
from bot.services.lead_rows import HeldRows
from bot.services.work import Work
from bot.services.write_together import write_gathered
from storage import arrivals, batches, clocks, leads, offers
from storage.clocks import ClockRow, TimerRow
from storage.leads import LeadRow


class Batch:
    """The leads of a batch and their clocks, read once, and what is to be written at its end.

    A lead that moved is read anew (`forget`).
    """

    def __init__(self, work: Work, due: Mapping[int, list[TimerRow]]) -> None:
        self.work = work
        self._leads = {lead.id: lead for lead in leads.list_by_ids(work.conn, list(due))}
        wanted = {t.subject_id for mine in due.values() for t in mine if t.subject_kind == "clock"}
        self._clocks = clocks.read_clocks(work.conn, wanted)
        self._stale: set[int] = set()
        self._settled: dict[str, list[int]] = {"fired": [], "superseded": []}
        self._needless: list[int] = []
        self._breached: list[int] = []

    def lead(self, lead_id: int) -> LeadRow | None:
        """The lead as it is now."""
        if (held := self._held(lead_id)) is not None:
            return held.lead
        if lead_id in self._stale:
            return leads.read_lead(self.work.conn, lead_id)
        return self._leads.get(lead_id)

    def clock(self, clock_id: int, lead_id: int) -> ClockRow | None:
        """A clock of that lead as it is now."""
        if (held := self._held(lead_id)) is not None:
            return held.clocks.get(clock_id)
        if lead_id in self._stale:
            return clocks.read_clock(self.work.conn, clock_id)
        return self._clocks.get(clock_id)

    def forget(self, lead_id: int) -> None:
        """The lead moved: what was read of it is worth nothing from here on."""
        self._stale.add(lead_id)

    def hold(self, lead_ids: Collection[int | None]) -> None:
        """These leads are about to move: their rows are read together, changed in memory, and written at the end.

        Not when a CRM is told of it: what it is told is read back at once.
        """
        work = self.work
        wanted = [lead_id for lead_id in self._leads if lead_id in lead_ids]
        if not wanted or work.gathered is None or work.tells_crm:
            return
        count_open(work)
        offers_of = offers.list_of_leads(work.conn, wanted)
        clocks_of = clocks.list_of_leads(work.conn, wanted)
        next_clock_id = self._clock_numbers(2 * len(wanted))
        for lead_id in wanted:
            if (lead := self.lead(lead_id)) is not None:
                work.gathered.held[lead_id] = HeldRows(
                    lead, offers_of.get(lead_id, ()), clocks_of.get(lead_id, ()), next_clock_id
                )

    def _clock_numbers(self, at_once: int) -> Callable[[], int]:
        """The next number for a clock, fetched by the dozen."""
        left: list[int] = []
        given: list[int] = [0]

        def next_one() -> int:
            if not left:
                # SQLite names those that it named before as long as they are not in the table.
                some = arrivals.reserve_clock_ids(self.work.conn, at_once + len(given))
                left.extend(i for i in reversed(some) if i > given[-1])
            given.append(left.pop())
            return given[-1]

        return next_one

    def _held(self, lead_id: int) -> HeldRows | None:
        gathered = self.work.gathered
        return gathered.held.get(lead_id) if gathered is not None else None

    def settle(self, timers: Iterable[TimerRow], state: str) -> None:
        """Mark timers fired or superseded."""
        self._settled[state] += [t.id for t in timers]

    def make_needless(self, timer: TimerRow) -> None:
        """Taken to fire, but something higher spoke."""
        self._needless.append(timer.id)

    def breach(self, clock: ClockRow, *, at_once: bool) -> ClockRow:
        """The clock ran out. `at_once`: another clock of the lead may ask for it."""
        if (held := self._held(clock.lead_id)) is not None:
            return held.save_clock(clock.id, breached_at=clock.due_at)
        if at_once:
            return clocks.save_clock(self.work.conn, clock.id, breached_at=clock.due_at)
        self._breached.append(clock.id)
        return replace(clock, breached_at=clock.due_at)

    def write(self) -> None:
        """Write what was gathered."""
        work, gathered = self.work, self.work.gathered
        if gathered is None:
            return
        work.gathered = None
        conn = work.conn
        _write_held(conn, list(gathered.held.values()))
        # What fires is marked before the clocks that ended disarm what is left, the rest after that.
        clocks.settle_timers(conn, self._settled["fired"], "fired", work.now)
        write_gathered(work, gathered)
        clocks.settle_timers(conn, self._settled["superseded"], "superseded", work.now)
        clocks.supersede_taken(conn, self._needless)
        clocks.mark_breached(conn, self._breached)


def _write_held(conn: Connection, held: Sequence[HeldRows]) -> None:
    """The leads, offers and clocks that were changed in memory."""
    batches.save_leads(conn, [(rows.lead_before, rows.lead) for rows in held])
    batches.save_offers(
        conn,
        [(before, rows.offers[i]) for rows in held for i, before in rows.offers_before.items()],
        [o for rows in held for i, o in rows.offers.items() if i not in rows.offers_before],
    )
    batches.save_clocks(
        conn,
        [(before, rows.clocks[i]) for rows in held for i, before in rows.clocks_before.items()],
        [c for rows in held for i, c in rows.clocks.items() if i not in rows.clocks_before],
    )
