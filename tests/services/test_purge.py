"""Retention: what was closed long ago is emptied, no figure changes, and who is known by a number can come back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.domain.funnel import Action, Actor, Status
from bot.domain.retention import Retention
from bot.services.audit_leads import audit_leads
from bot.services.back_up import fit_folder
from bot.services.move_lead import Acting, Ending, move
from bot.services.purge_leads import look, purge_at_night, purge_step
from bot.services.receive_leads import Message, receive_leads
from bot.services.work import Work
from bot.settings import Settings
from chaos.canaries import find_words, words_in
from sandbox.model import Message as Shown
from sandbox.persistence import Store
from storage import inbox, journal, leads, offers
from storage.erasures import LedgerRow
from storage.leads import LeadRow
from storage.ledger_files import read_ledger_file, write_ledger_file
from storage.vacuuming import vacuum
from tests.schema import create_schema
from tests.services.desk_kit import START, Desk

WORDS = ("novak", "globex", "0100", "dialler", "unreadable")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    url = f"sqlite:///{tmp_path}/baton.db"
    create_schema(url)
    made = Desk(url)
    yield made
    made.database.dispose()


def _close(desk: Desk, lead_id: int) -> None:
    with desk.work() as work:
        lead = leads.lock_lead(work.conn, lead_id)
        assert lead is not None
        offer = offers.read_offer(work.conn, lead.current_offer_id or "")
        assert offer is not None
        move(
            work,
            lead,
            Action.DISQUALIFY,
            Acting(Actor.CRM),
            Status.DISQUALIFIED,
            ending=Ending(offer, "done"),
            changes={"current_offer_id": None, "owner_id": None},
        )


def _lead(work: Work, lead_id: int) -> LeadRow:
    lead = leads.read_lead(work.conn, lead_id)
    assert lead is not None
    return lead


def test_what_was_closed_long_ago_is_emptied_and_no_figure_changes(desk: Desk) -> None:
    old = desk.arrives()
    unlike: dict[str, Any] = {"phone": "", "message": "", "company": "Open", "last_name": "O"}
    still_open = desk.arrives(external_id="open", email="o@o.example", **unlike)
    with desk.work() as work:
        receive_leads(work, Message("s", "m", "h", b"{unreadable", parse_error="no JSON"))
    _close(desk, old)
    with desk.work() as work:
        assert not look(work)
        figures = audit_leads(work).cells
    desk.now += timedelta(days=179)
    with desk.work() as work:
        assert purge_step(work).bodies == 1
        assert _lead(work, old).email
    desk.now += timedelta(days=2)
    with desk.work() as work:
        assert look(work).leads == 1
        assert not purge_at_night(work).leads, "not in the middle of the day"
        done = purge_step(work)
        assert (done.leads, done.journals) == (1, 0)
        after = [(c.team, c.source, c.tally) for c in audit_leads(work).cells]
        assert after == [(c.team, c.source, c.tally) for c in figures]
        assert _lead(work, still_open).email == "o@o.example"
        message = inbox.find_message(work.conn, "s", "m")
        assert message is not None
        assert (message.state, message.raw) == ("dropped", None)
    assert vacuum(desk.database) == ""
    assert find_words(str(desk.database.url), WORDS) == []

    back = desk.arrives()
    assert back == old, "its number is known"
    with desk.work() as work:
        assert _lead(work, old).purged_at is None
        assert _lead(work, old).email


def test_the_journal_of_an_emptied_lead_goes_two_years_later(desk: Desk) -> None:
    lead_id = desk.arrives()
    other = desk.arrives(external_id="other", email="other@o.example")
    _close(desk, lead_id)
    desk.now += timedelta(days=181)
    with desk.work() as work:
        purge_step(work)
        before = len(journal.list_entries(work.conn, "lead", other))
    desk.now += timedelta(days=731)
    with desk.work() as work:
        assert look(work).journals == 1
        assert purge_step(work).journals == 1
        assert journal.list_entries(work.conn, "lead", lead_id) == []
        assert len(journal.list_entries(work.conn, "lead", other)) == before
        assert not purge_step(work)


def test_the_ledgers_file_is_added_to_and_read_by_nobody_else(tmp_path: Path) -> None:
    path = tmp_path / "backups" / "erasures.ledger"
    one, two = (LedgerRow("email", letter * 64, START) for letter in "ab")
    assert write_ledger_file(path, [one]) == 1
    with path.open("a") as file:
        file.write("email cut-o")
    assert write_ledger_file(path, [one, two]) == 1
    assert read_ledger_file(path) == [one, two]
    assert path.stat().st_mode & 0o777 == 0o600
    fit_folder(path.parent)  # backups go there, too
    assert read_ledger_file(tmp_path / "none") == []


def test_what_was_edited_away_is_not_left_in_the_stand_ins_file(tmp_path: Path) -> None:
    path = tmp_path / "workspace.db"
    store = Store(path)
    for text in ("x" * 9000 + " kanari " + "x" * 9000, "[erased]"):
        store.save_message(Shown("C1", "1.1", "U1", text))
    store.close()
    assert words_in(path.read_bytes(), ["kanari"], path.name) == []
    assert words_in(path.read_bytes(), ["[erased]"], path.name) != []


def test_without_other_numbers_both_places_say_the_same() -> None:
    assert Retention.of_days(*Settings.model_construct().keep_days) == Retention()
