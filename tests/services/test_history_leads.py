"""Leads that an import only told as history: the person sends something, and is here again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.domain.funnel import Status
from bot.domain.lead import LeadFacts
from bot.domain.replay import replay
from bot.services.revive_history import revive_history
from storage import clocks, journal, leads
from storage.models_intake import Histories
from storage.rows import table_of
from tests.services.desk_kit import JANA, START, Desk
from tests.waiting_kit import kinds_of, told

#: She came to a webinar, which is enough for an MQL, and asks for nothing.
VISIT = replace(JANA, source="webinar", external_id="jana@crm", message="")
BELOW = replace(VISIT, source="list")


@pytest.fixture
def desk(database_url: str) -> Desk:
    return Desk(database_url)


def history(desk: Desk, status: Status, facts: LeadFacts = VISIT) -> int:
    with desk.work() as work:
        return told(work, facts, status, owner="gone@old.example", routed=3).id


def stands(desk: Desk, lead_id: int, *expected: Any) -> None:
    """(kind, status, round), as the table has it; the journal says the same, and the past is still known."""
    with desk.work() as work:
        lead = leads.read_lead(work.conn, lead_id)
        kinds_of(work, lead_id)
        entries = journal.list_entries(work.conn, "lead", lead_id)
        pasts = work.conn.execute(table_of(Histories).select()).all()
    assert lead is not None
    assert (lead.kind, lead.status, lead.round) == expected
    state = replay((e.kind, e.data, None) for e in entries)
    assert (state.status, state.round, state.rep_id) == (lead.state, lead.round, lead.owner_id)
    assert [(past.lead_id, past.routed) for past in pasts] == [(lead_id, 3)]


def test_a_customers_visit_is_recorded_and_their_call_starts_a_round(desk: Desk) -> None:
    lead = history(desk, Status.WON)
    assert desk.arrives(VISIT, visits=5) == lead
    stands(desk, lead, "history", "won", 1)
    assert desk.lead(lead).visits == 5
    assert desk.arrives(JANA, external_id="call-1") == lead  # known by her address
    stands(desk, lead, "live", "offered", 2)
    assert desk.lead(lead).owner_id == desk.person_id("ann")
    desk.deliver()
    assert "Accept" in desk.buttons("card:")


@pytest.mark.parametrize(
    "status", [Status.RECEIVED, Status.OFFERED, Status.WORKING, Status.REVIEW, Status.NURTURING]
)
def test_what_lay_open_in_the_old_system_is_offered_when_it_is_an_mql(
    desk: Desk, status: Status
) -> None:
    # Word for word what the export said, and older: it is the first that the person sends to us all the same.
    lead = history(desk, status)
    desk.arrives(VISIT, occurred_at=START.replace(year=2025))
    stands(desk, lead, "live", "offered", 2)
    assert desk.lead(lead).occurred_at == START
    with desk.work() as work:
        running = {c.kind for c in clocks.list_clocks(work.conn, lead, running=True)}
    assert running == {"accept"}


def test_below_the_bar_it_sleeps_until_it_scores(desk: Desk) -> None:
    lead = history(desk, Status.WORKING, BELOW)
    desk.arrives(BELOW, visits=2)
    stands(desk, lead, "live", "nurturing", 1)
    desk.arrives(VISIT)
    stands(desk, lead, "live", "offered", 2)


def test_disqualified_there_it_comes_back_only_when_it_asks(desk: Desk) -> None:
    lead = history(desk, Status.DISQUALIFIED)
    desk.arrives(VISIT, visits=2)
    stands(desk, lead, "history", "disqualified", 1)
    desk.arrives(JANA)
    stands(desk, lead, "live", "offered", 2)


def test_an_import_can_bring_it_back_once(desk: Desk) -> None:
    lead = history(desk, Status.LOST)
    for _ in range(2):
        with desk.work() as work:
            locked = leads.lock_lead(work.conn, lead)
            assert locked is not None
            revive_history(work, locked, anew=True)
            assert kinds_of(work, lead) == ["arrived", "revived"]
    stands(desk, lead, "live", "nurturing", 1)
