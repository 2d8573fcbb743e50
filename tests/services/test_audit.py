"""The audit over live leads and history: what counts, what does not, and what marketing is told."""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.commands import auditing
from bot.domain.audit import Tally, safe_cell
from bot.services import answer_offer, audit_leads
from bot.services.audit_leads import send_audit
from storage import leads, touches
from storage.models import Leads
from storage.models_intake import Histories
from storage.rows import table_of
from tests.services.desk_kit import JANA, Desk

_leads = table_of(Leads)


@pytest.fixture
def desk(database_url: str) -> Desk:
    return Desk(database_url)


def told(desk: Desk, name: str, *, days: int = 3, kind: str = "history", **past: object) -> int:
    """A lead that an import told."""
    facts = replace(JANA, source="crm", external_id=name, email="", first_name=name)
    at = desk.now - timedelta(days=days)
    empty = {
        "owner": "",
        "team": "",
        "touches": 0,
        "self_reported": 0,
        "routed": 0,
        "rejected": False,
    }
    with desk.work() as work:
        lead = leads.insert_lead(work.conn, facts, now=at, kind=kind, news_key="")
        work.conn.execute(table_of(Histories).insert(), empty | past | {"lead_id": lead})
    return lead


def arrives(desk: Desk, name: str, source: str = "contact_me") -> int:
    return desk.arrives(
        external_id=name, email=f"{name}@globex.example", first_name=name, source=source
    )


def touch(desk: Desk, lead: int, state: str) -> None:
    with desk.work() as work:
        touches.insert_touch(
            work.conn, lead_id=lead, round=1, offer_id=None, person_id=desk.member(work, "ann").id,
            kind="call", outcome="", state=state, at=work.now,
        )  # fmt: skip


def total(desk: Desk, **scope: object) -> Tally:
    with desk.work() as work:
        return audit_leads.audit_leads(work, **scope).total  # type: ignore[arg-type]


def test_live_leads_count_by_what_really_happened_to_them(desk: Desk) -> None:
    arrives(desk, "untouched")
    assert total(desk) == Tally(leads=1, never_touched=1)

    said = arrives(desk, "said")
    touch(desk, said, "self_reported")
    assert total(desk) == Tally(leads=2, never_touched=1, self_reported=1)

    touch(desk, said, "verified")  # the CRM has it after all
    taken_back = arrives(desk, "taken_back")
    touch(desk, taken_back, "withdrawn")
    assert total(desk) == Tally(leads=3, never_touched=2)

    sent_back = arrives(desk, "sent_back")
    desk.do(answer_offer.reject, "ann", desk.offer_of(sent_back), "not_our_kind")
    assert total(desk) == Tally(leads=4, never_touched=3, rejected=1)

    passed_on = arrives(desk, "passed_on")
    desk.do(answer_offer.pass_on, "ann", desk.offer_of(passed_on))
    assert total(desk) == Tally(leads=5, never_touched=4, rejected=1, rerouted=1)


def test_a_lead_that_somebody_touched_later_was_not_rejected_at_first_glance(desk: Desk) -> None:
    lead = arrives(desk, "second_thought")
    desk.do(answer_offer.reject, "ann", desk.offer_of(lead), "not_our_kind")
    touch(desk, lead, "self_reported")
    assert total(desk) == Tally(leads=1, self_reported=1)


def test_only_what_sales_got_counts_and_never_a_test(desk: Desk) -> None:
    arrives(desk, "below_the_bar", source="nowhere")
    told(desk, "test", kind="test")
    tested = arrives(desk, "tested")
    with desk.work() as work:
        work.conn.execute(_leads.update().where(_leads.c.id == tested).values(kind="test"))
    assert total(desk) == Tally()

    told(desk, "old")
    assert total(desk) == Tally(leads=1, never_touched=1)


def test_history_and_what_came_after_it_are_one_lead(desk: Desk) -> None:
    lead = told(desk, "a", team="emea", self_reported=1, routed=1, rejected=True)
    told(desk, "b", team="emea", rejected=True)
    told(desk, "c", team="west", touches=2, self_reported=1, routed=3)
    assert total(desk) == Tally(leads=3, never_touched=1, self_reported=1, rejected=1, rerouted=1)
    assert total(desk, team="west") == Tally(leads=1, rerouted=1)

    touch(desk, lead, "verified")
    assert total(desk, team="emea") == Tally(leads=2, never_touched=1, rejected=1)


def test_the_cuts_and_the_bands_of_age(desk: Desk) -> None:
    for days in (0, 7, 8, 30, 31, 90, 91, 365, 366):
        told(desk, f"d{days}", days=days, team="emea" if days < 10 else "")
    with desk.work() as work:
        found = audit_leads.audit_leads(work)
        since = audit_leads.audit_leads(work, since=(desk.now - timedelta(days=30)).date())
    assert [tally.leads for _, tally in found.by_age()] == [2, 2, 2, 2, 1]
    assert [(name, tally.leads) for name, tally in found.by_team()] == [("no team", 6), ("emea", 3)]
    assert [name for name, _ in found.by_source()] == ["crm"]
    assert [each.lead_id for each in found.oldest] == [9, 8, 7, 6, 5]
    assert since.total.leads == 4


def test_marketing_is_told_once_a_day_in_counts(desk: Desk) -> None:
    told(desk, "a", team="emea", touches=1)
    told(desk, "b", team="emea")
    told(desk, "c", team="west <!channel>", rejected=True)
    with desk.work() as work:
        assert send_audit(work) == desk.now
        assert send_audit(work) is None
    desk.deliver()

    said = desk.shown("audit:")
    assert said.startswith("Of 3 leads handed to sales, 2 (67 %) were never touched.")
    assert "Rejected at first glance: 1 (33 %)." in said
    assert "Most untouched by team: emea: 1 of 2 (50 %)" in said
    assert "Jana" not in str(desk.bodies)
    assert len(said.splitlines()) <= 8

    desk.now += timedelta(days=1)
    with desk.work() as work:
        assert send_audit(work) == desk.now


def test_a_cell_of_the_file_is_never_a_formula(desk: Desk, tmp_path: Path) -> None:
    nasty = ["=1+1", "+43", "-2", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://x","y"), "z"\n=2']
    for text in nasty:
        told(desk, text, team=text)
    path = tmp_path / "audit.csv"
    with desk.work() as work:
        assert auditing._write(work, path, None, "") == len(nasty)
    with path.open(encoding="utf-8", newline="") as handle:
        _, *rows = csv.reader(handle)
    assert not [cell for row in rows for cell in row if cell.startswith(tuple("=+-@\t\r\0"))]
    assert [row[2][1:] for row in rows] == nasty  # nothing else was changed
    assert safe_cell("\0=1") == "'\0=1"
    assert safe_cell("a=1") == "a=1"
