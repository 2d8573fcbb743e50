"""What an import makes of its rows: of people nobody knows, and of leads that Baton has already."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from bot.domain.agreement import RuleFault, RuleInput
from bot.domain.funnel import Action, Actor, Status
from bot.domain.past import ImportMode, Past
from bot.services.move_lead import Acting, move
from chaos.books import misfits, open_books
from chaos.imported import books_of, end_state
from storage import imports, leads
from storage.models import Outbox
from storage.rows import table_of
from tests.import_kit import LAST_YEAR, bring, counts, row
from tests.services.desk_kit import START, Desk

WON = Past(Status.WON, owner="gone@old.example", team="old team", touches=3, reason="price")


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    desk = Desk(database_url)
    yield desk
    assert misfits(open_books(desk.database)) == []  # the journals tell what the tables hold
    desk.database.dispose()


def lead_of(desk: Desk, key: str, source: str = "webinar") -> dict[str, Any]:
    """The lead with this key: its columns, past and journal."""
    found = [lead for keys, lead in end_state(desk.database).items() if (source, key) in keys]
    assert len(found) == 1
    return found[0]


def kinds(lead: dict[str, Any]) -> list[str]:
    return [kind for _, kind, _, _ in lead["journal"]]


def nothing_happens(desk: Desk) -> bool:
    """Nothing is offered, nothing ticks, nothing is to be posted."""
    books = books_of(desk.database)
    return not any(books[name] for name in ("offers", "clocks", "timers", "outbox"))


# --- people nobody knows -------------------------------------------------------------------------------


def test_history_is_told_with_its_past_and_never_offered(desk: Desk) -> None:
    rows = [row(2, "k1", WON, occurred_at=LAST_YEAR), row(3, "k2", source="contact_me")]

    assert counts(bring(desk, rows)) == (2, 0, 0, 0)

    lead = lead_of(desk, "k1")
    assert (lead["kind"], lead["status"], lead["reason"]) == ("history", "won", "price")
    assert (lead["owner_id"], lead["waiting"]) == (None, False)
    assert lead["past"] == ("gone@old.example", "old team", 3, 0, 0, False)
    assert [data for *_, data in lead["journal"]] == [
        {"status": "won", "round": 1, "source": "webinar", "import": 1, "history": True}
    ]
    assert desk.lead(1).arrived_at == desk.lead(1).occurred_at == LAST_YEAR
    assert desk.lead(2).arrived_at == START  # the file does not say when
    desk.forward(60)
    assert nothing_happens(desk)


def test_offers_wait_judged_and_what_is_below_the_bar_sleeps(desk: Desk) -> None:
    rows = [row(2, "k1"), row(3, "k2", source="list"), row(4, "k3", source="contact_me")]

    assert counts(bring(desk, rows, ImportMode.OFFER)) == (3, 0, 0, 0)

    good, poor = lead_of(desk, "k1"), lead_of(desk, "k2", "list")
    assert (good["kind"], good["status"], good["waiting"], good["score"]) == (
        *("live", "received", True),
        45,
    )
    assert (good["sla_name"], good["playbook_version"]) == ("standard", 1)
    assert kinds(good) == ["arrived", "judged"]
    assert (poor["status"], poor["waiting"], poor["reason"]) == ("nurturing", False, "below_bar")
    assert kinds(poor) == ["arrived", "judged", "moved"]
    assert lead_of(desk, "k3", "contact_me")["fast_lane"]
    assert nothing_happens(desk)


def test_a_lead_that_the_definition_cannot_decide_is_refused_with_the_fault(desk: Desk) -> None:
    def asks_too_much(given: RuleInput) -> bool:
        if given.facts.external_id == "k2":
            raise RuleFault("`extra.tags` is absent")
        return True

    desk.agreement = replace(desk.agreement, mql=asks_too_much)
    taken = bring(desk, [row(2, "k1"), row(3, "k2"), row(4, "k3")], ImportMode.OFFER)

    assert counts(taken) == (2, 0, 0, 1)
    with desk.work() as work:
        ((line, reason),) = imports.list_faults(work.conn, taken.id)
    assert line == 3
    assert "`extra.tags` is absent" in reason


def test_an_import_for_review_is_one_message_for_all_of_it(desk: Desk) -> None:
    rows = [row(line, f"k{line}", source="list") for line in range(2, 6)]

    bring(desk, rows, ImportMode.REVIEW, size=2)
    bring(desk, rows, ImportMode.REVIEW)  # finished: told already

    lead = lead_of(desk, "k2", "list")
    assert (lead["kind"], lead["status"], lead["reason"]) == ("live", "review", "imported")
    assert lead["in review"]
    with desk.work() as work:
        posts = work.conn.execute(select(table_of(Outbox))).all()
    assert [(post.template, post.data["count"]) for post in posts] == [("import_notice", 4)]
    books = books_of(desk.database)
    assert (books["clocks"], books["timers"]) == (0, 0)


# --- the same twice ------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ImportMode)
def test_people_who_stand_in_the_file_twice_are_one_lead(desk: Desk, mode: ImportMode) -> None:
    kim: dict[str, Any] = {"email": "kim@north.example"}
    rows = [
        row(2, "k1", **kim),
        row(3, "k1", **kim),  # nothing new
        row(4, "k1", phone="+43 1 555", **kim),  # a phone number
        row(5, "other", email=" KIM@north.example"),  # her mailbox under another key
        row(6, "desk", email="info@north.example"),
        row(7, "desk two", email="info@north.example"),  # a desk is nobody
    ]

    assert counts(bring(desk, rows, mode)) == (3, 2, 1, 0)

    kim_there = lead_of(desk, "other")
    assert kim_there["phone"] == "+43 1 555"
    assert lead_of(desk, "k1") == kim_there
    assert lead_of(desk, "desk") != lead_of(desk, "desk two")


def test_a_changed_map_writes_only_what_is_new(desk: Desk) -> None:
    old: dict[str, Any] = {"occurred_at": LAST_YEAR, "company": "North"}
    rows = [row(2, "k1", WON, **old), row(3, "k2", **old), row(4, "k3", **old)]
    bring(desk, rows)
    before = end_state(desk.database)

    assert counts(bring(desk, rows, map_="changed")) == (0, 0, 3, 0)
    assert end_state(desk.database) == before

    rows[0] = row(2, "k1", replace(WON, status=Status.LOST, touches=4), **old)
    rows[1] = row(3, "k2", **old, industry="steel")
    rows[2] = row(4, "k3", company="South", occurred_at=LAST_YEAR - timedelta(days=1))
    assert counts(bring(desk, rows, map_="changed again")) == (0, 2, 1, 0)

    closed, steel, older = (lead_of(desk, key) for key in ("k1", "k2", "k3"))
    assert (closed["status"], closed["past"][2], kinds(closed)[1:]) == ("lost", 4, ["retold"])
    assert (steel["industry"], kinds(steel)[1:]) == ("steel", ["news"])
    assert older["company"] == "North"  # an older row overwrites nothing


# --- leads that Baton has already ----------------------------------------------------------------------


@pytest.mark.parametrize("mode", ImportMode)
def test_what_a_live_lead_told_us_itself_stands_unless_the_file_is_newer(
    desk: Desk, mode: ImportMode
) -> None:
    lead_id = desk.arrives(source="webinar", external_id="k1", company="Globex")
    before = desk.lead(lead_id)

    older = row(2, "k1", WON, company="Old Globex", occurred_at=LAST_YEAR)
    assert counts(bring(desk, [older], mode)) == (0, 0, 1, 0)
    assert desk.lead(lead_id) == before

    desk.now += timedelta(hours=1)
    newer = row(2, "k1", WON, company="New Globex")
    assert counts(bring(desk, [newer], mode, file="newer")) == (0, 1, 0, 0)
    after = desk.lead(lead_id)
    assert after.company == "New Globex"
    assert (after.kind, after.status, after.owner_id) == ("live", before.status, before.owner_id)
    assert lead_of(desk, "k1")["past"] is None


def test_history_that_comes_as_an_offer_lives_and_waits(desk: Desk) -> None:
    bring(desk, [row(2, "k1"), row(3, "k2", source="list")])

    rows = [row(2, "k1"), row(3, "k2", source="list")]
    assert counts(bring(desk, rows, ImportMode.OFFER)) == (0, 2, 0, 0)

    good, poor = lead_of(desk, "k1"), lead_of(desk, "k2", "list")
    assert (good["kind"], good["status"], good["waiting"], good["round"]) == (
        *("live", "received", True),
        2,
    )
    assert good["past"] is not None  # the audit still asks for it
    assert (poor["kind"], poor["status"], poor["waiting"]) == ("live", "nurturing", False)
    assert books_of(desk.database)["offers"] == 0


def test_history_that_comes_for_review_is_before_marketings_eyes(desk: Desk) -> None:
    bring(desk, [row(2, "k1")])

    assert counts(bring(desk, [row(2, "k1")], ImportMode.REVIEW)) == (0, 1, 0, 0)

    lead = lead_of(desk, "k1")
    assert (lead["kind"], lead["status"], lead["reason"]) == ("live", "review", "imported")
    assert books_of(desk.database)["clocks"] == 0


def test_who_is_closed_stays_so_whatever_comes_as_an_offer_or_for_review(desk: Desk) -> None:
    lost, no_lead = Past(Status.LOST), Past(Status.DISQUALIFIED)
    rows = [row(2, "k1", WON), row(3, "k2", lost), row(4, "k3", no_lead, source="contact_me")]
    bring(desk, rows)

    rows[1] = row(3, "k2", phone="+43 1 555")
    offered = bring(desk, rows, ImportMode.OFFER, size=2)
    reviewed = bring(desk, rows, ImportMode.REVIEW)

    assert (counts(offered), offered.closed) == ((0, 1, 2, 0), 3)
    assert (counts(reviewed), reviewed.closed) == ((0, 0, 3, 0), 3)
    assert lead_of(desk, "k2")["phone"] == "+43 1 555"
    told = [lead_of(desk, "k1"), lead_of(desk, "k2"), lead_of(desk, "k3", "contact_me")]
    assert [(lead["kind"], lead["status"]) for lead in told] == [
        ("history", "won"),
        ("history", "lost"),
        ("history", "disqualified"),
    ]


def test_a_closed_live_lead_opens_only_by_a_hand_raise_that_is_new(desk: Desk) -> None:
    known = desk.arrives(source="list", external_id="k1", email="", phone="+43 1")
    quiet = desk.arrives(source="list", external_id="k2", email="", phone="")
    with desk.work() as work:
        for lead_id in (known, quiet):
            lead = leads.lock_lead(work.conn, lead_id)
            assert lead is not None
            move(work, lead, Action.DISQUALIFY, Acting(Actor.CRM), Status.DISQUALIFIED)
    desk.agreement = replace(desk.agreement, fast_lane=lambda given: bool(given.facts.phone))
    desk.now += timedelta(hours=1)

    rows = [row(n, f"k{n}", source="list", phone="+43 1", industry="steel") for n in (1, 2)]
    taken = bring(desk, rows, ImportMode.OFFER)

    assert (counts(taken), taken.closed) == ((0, 2, 0, 0), 1)
    assert (desk.lead(known).status, desk.lead(known).industry) == ("disqualified", "steel")
    assert (desk.lead(quiet).status, desk.lead(quiet).waiting) == ("received", True)


def test_a_sleeping_lead_that_an_import_lifts_over_the_bar_waits_like_the_others(
    desk: Desk,
) -> None:
    sleeping = desk.arrives(source="list", external_id="k1", email="kim@north.example")
    assert desk.lead(sleeping).status == "nurturing"
    desk.now += timedelta(hours=1)

    raised = row(2, "k9", source="contact_me", email="kim@north.example", message="Call me")
    assert counts(bring(desk, [raised], ImportMode.OFFER)) == (0, 1, 0, 0)

    # Her facts say where she came from first; what the file calls its source is a name of hers now.
    assert desk.lead(sleeping).message == "Call me"
    assert len(end_state(desk.database)) == 1
    assert books_of(desk.database)["offers"] == 0
