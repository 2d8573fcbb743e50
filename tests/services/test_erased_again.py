"""Whoever was erased stays erased when an older database is put back: also who stands only in what nobody could use.

Leads, and everything else that Baton keeps of a person: `tests.scenarios.test_erased`, `chaos.erasing`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from bot.services.erase_person import erase_lead, erase_messages, find_person, reapply_erasures
from bot.services.receive_leads import Message, receive_leads
from bot.services.spot_erased import Erased
from bot.services.work import Work
from chaos.canaries import find_words
from storage.backups import copy_database
from storage.database import Database
from storage.erasures import add_to_ledger, list_ledger
from storage.vacuuming import vacuum
from tests.schema import create_schema
from tests.services.desk_kit import START, Desk

KEY = "0123456789abcdef0123456789abcdef"
EMAIL = "zuzana.xqjx@quokka.example"
WORDS = ("zuzana", "quokka", "3141592", "wombat")
BODIES = {
    "in a sentence": b'[{"note": "wombat: write to Zuzana.Xqjx@quokka.example."}]',
    "by a number": b'[{"note": "wombat: ring 0043 555 3141592"}]',
    "no json": b"{ wombat <zuzana.xqjx@quokka.example>",
}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    url = f"sqlite:///{tmp_path}/baton.db"
    create_schema(url)
    return Desk(url)


def test_who_stands_in_kept_bodies_alone_does_not_come_back_with_a_backup(
    desk: Desk, tmp_path: Path
) -> None:
    lead_id = desk.arrives(
        email=EMAIL,
        phone="+43 555 3141592",
        first_name="Zuzana",
        last_name="Xqjx",
        company="Quokka",
    )
    with desk.work() as work:
        for name, body in BODIES.items():
            receive_leads(work, Message("s", name, name, body, parse_error="no lead"))
    copy = tmp_path / "copy.db"
    copy_database(desk.database, copy, made_at=START)

    erased = Erased(KEY)
    with desk.work() as work:  # this one was over before: the ledger does not know its id
        work.conn.execute(text("UPDATE inbox SET raw = NULL WHERE msg_id = 'no json'"))
        assert find_person(work, EMAIL).messages == 2
        erase_messages(work, erased, EMAIL)
        assert erase_lead(work, erased, lead_id)
        ledger = list_ledger(work.conn)

    restored = Database(f"sqlite:///{copy}")
    assert len(find_words(f"sqlite:///{copy}", WORDS)) == len(WORDS)
    with restored.write() as conn:
        add_to_ledger(conn, ledger)
        assert reapply_erasures(Work(conn, START, START, desk.agreement), KEY) == 1
    assert vacuum(restored) == ""
    assert find_words(f"sqlite:///{copy}", WORDS) == []
    restored.dispose()
    desk.database.dispose()


def test_the_search_index_holds_no_letters_of_who_was_erased(desk: Desk) -> None:
    lead_id = desk.arrives(email=EMAIL, last_name="Xqjx")
    with desk.work() as work:
        erase_lead(work, Erased(KEY), lead_id)
    assert b"qj" in _index(desk.database), "FTS5 keeps what was deleted in its segments"
    assert vacuum(desk.database) == ""
    assert b"qj" not in _index(desk.database)
    desk.database.dispose()


def _index(database: Database) -> bytes:
    with database.read() as conn:
        return b"".join(conn.execute(text("SELECT block FROM leads_search_data")).scalars())
