"""Retention, a bounded batch at a time: leads that were closed long ago are emptied, old bodies and messages go.

The worker does it at night; whoever has a lot to catch up calls `baton purge`. What the figures count stays, and the
cards in Slack say that nothing is kept any more. What is not here: for how long (`bot.domain.retention`), erasing on
request (`erase_person`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from bot.services import purge_figures
from bot.services.erase_person import edit_left_over
from bot.services.move_lead import cancel_wake, redraw, write
from bot.services.work import Work
from storage import cards, erasures, leads, purging

#: So many of each kind in one transaction.
BATCH = 100
#: Hours of the company's night in which the worker does it.
NIGHT = range(1, 5)


@dataclass(frozen=True, slots=True)
class Purged:
    """How many of each: leads emptied, their journals deleted, bodies, messages sent, alarms, challenges whose figures
    about people went."""

    leads: int = 0
    journals: int = 0
    bodies: int = 0
    sent: int = 0
    alarms: int = 0
    figures: int = 0

    def __bool__(self) -> bool:
        return any(getattr(self, f.name) for f in fields(self))

    def __add__(self, other: Purged) -> Purged:
        return Purged(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


def look(work: Work) -> Purged:
    """What would go now. Only reads."""
    keep, conn = work.retention, work.conn
    due, journals = purging.count_due(conn, work.now - keep.leads, work.now - keep.journal)
    return Purged(
        due,
        journals,
        purging.count_bodies(conn, work.now - keep.bodies),
        purging.count_sent(conn, work.real - keep.sent),
        purging.count_alarms(conn, work.real - keep.sent),
        purge_figures.count_due(work),
    )


def purge_step(work: Work, limit: int = BATCH) -> Purged:
    """One batch of everything; nothing in it: there is nothing left to do."""
    keep, conn = work.retention, work.conn
    emptied = sum(
        _empty(work, lead_id)
        for lead_id in sorted(purging.list_due_leads(conn, work.now - keep.leads, limit))
    )
    old = purging.list_due_journals(conn, work.now - keep.journal, limit)
    purging.delete_journals(conn, old)
    return Purged(
        emptied,
        len(old),
        purging.drop_bodies(conn, work.now - keep.bodies, limit),
        purging.delete_sent(conn, work.real - keep.sent, limit * 10),
        purging.delete_alarms(conn, work.real - keep.sent, limit * 10),
        purge_figures.purge_figures(work, limit),
    )


def purge_at_night(work: Work) -> Purged:
    """The same, when it is night in the company."""
    hour = work.now.astimezone(work.agreement.calendar.zone).hour
    if hour not in NIGHT:
        return Purged()
    edit_left_over(work)
    return purge_step(work)


def _empty(work: Work, lead_id: int) -> int:
    conn = work.conn
    lead = leads.lock_lead(conn, lead_id)
    if lead is None or not purging.is_due(conn, lead_id, work.now - work.retention.leads):
        return 0
    purging.drop_addresses(conn, lead.id)
    external_id = "" if "@" in lead.external_id else lead.external_id
    write(work, lead.id, "purged")
    cancel_wake(work, lead.id)
    erasures.empty_lead(conn, lead, external_id=external_id, purged_at=work.now)
    erasures.hold_back_all(conn, lead.id, real=work.real)
    cards.reopen_cards(conn, lead.id)
    redraw(work, lead)
    return 1
