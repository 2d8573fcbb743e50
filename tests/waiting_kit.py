"""Leads as an import leaves them behind: waiting for a rep, told as history, before marketing's eyes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bot.domain.funnel import Action, Status
from bot.domain.lead import LeadFacts
from bot.services.judge_lead import assess_lead
from bot.services.move_lead import SYSTEM, move, write
from bot.services.release_waiting import Release
from bot.services.work import Work
from storage import journal, leads
from storage.leads import LeadRow
from storage.models_intake import Histories
from storage.offers import new_offer_id
from storage.rows import insert_if_new, table_of
from tests.services.desk_kit import JANA, Desk


def imported(work: Work, facts: LeadFacts, *, kind: str, status: Status, **changes: Any) -> LeadRow:
    """A lead out of a file."""
    lead_id = leads.insert_lead(work.conn, facts, now=work.now, kind=kind, news_key="import")
    assert leads.add_key(work.conn, lead_id, facts.source, facts.external_id)
    write(
        work,
        lead_id,
        "arrived",
        data={"status": status.value, "round": 1, "source": facts.source},
    )
    lead = leads.lock_lead(work.conn, lead_id)
    assert lead is not None
    return leads.save_lead(work.conn, lead, status=status.value, **changes)


def waits(work: Work, facts: LeadFacts) -> LeadRow:
    """Judged, and waiting for a free rep."""
    lead = imported(work, facts, kind="live", status=Status.RECEIVED)
    lead, verdict = assess_lead(work, lead)
    assert verdict.mql
    return leads.save_lead(work.conn, lead, waiting=True)


def told(work: Work, facts: LeadFacts, status: Status, **past: Any) -> LeadRow:
    """History: where it stood in the old system."""
    lead = imported(work, facts, kind="history", status=status)
    assert insert_if_new(work.conn, table_of(Histories), lead_id=lead.id, **past)
    return lead


def in_review(work: Work, facts: LeadFacts) -> LeadRow:
    """Before marketing's eyes, without a message of its own."""
    lead = imported(work, facts, kind="live", status=Status.RECEIVED)
    review = new_offer_id()
    changes = {"reason": "imported", "review_id": review}
    data = {"reason": "imported", "review": review}
    moved = move(work, lead, Action.JUDGE, SYSTEM, Status.REVIEW, changes=changes, data=data)
    assert moved is not None
    return moved


def kinds_of(work: Work, lead_id: int) -> list[str]:
    """What the journal says happened, in order, without a gap."""
    entries = journal.list_entries(work.conn, "lead", lead_id)
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    return [entry.kind for entry in entries]


def wait(desk: Desk, *names: str, **changes: Any) -> list[int]:
    """MQLs that wait, by their keys."""
    with desk.work() as work:
        return [
            waits(work, replace(JANA, source="webinar", external_id=name, message="",
                                email=f"{name}@x.example", **changes)).id
            for name in names
        ]  # fmt: skip


def release(desk: Desk, by: Release | None = None) -> int:
    """One look, and what it comes to; how many were offered."""
    by = by or Release()
    with desk.work() as work:
        steps = by.plan(work)
    given_away = 0
    for step in steps:
        with desk.work() as work:
            given_away += step(work)
    return given_away
