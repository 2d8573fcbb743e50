"""Who gets which of the imported leads that wait, and when; what becomes of one that sends news meanwhile."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.playbook.loading import load_playbook
from bot.services import answer_offer, release_waiting
from bot.services.release_waiting import Release
from bot.services.work import Work
from storage import clocks, leads, people
from storage.models_intake import Imports
from storage.rows import table_of
from tests.services.desk_kit import JANA, PLAYBOOK, START, Desk
from tests.waiting_kit import kinds_of, release, wait, waits


@pytest.fixture
def desk(database_url: str) -> Desk:
    return Desk(database_url)


def test_one_rep_gets_no_more_than_a_list_shows(desk: Desk) -> None:
    wait(desk, *(f"us{n:02}" for n in range(12)), country="US")
    assert release(desk) == 10  # she has no cap
    desk.deliver()
    assert desk.shown("released_list:").startswith("10 imported leads for you.")
    assert [key for key in desk.bodies if key.startswith("card:")] == []
    assert release(desk) == 0


def test_two_who_are_free_get_the_best_by_turns(desk: Desk) -> None:
    uncapped = load_playbook(PLAYBOOK.replace(", open_cap: 1", ""), today=START.date()).agreement
    assert uncapped is not None
    desk.agreement = replace(uncapped, version=1)
    names = [f"dach{n}" for n in range(6)]
    for lead in wait(desk, *names, language="")[::2]:  # half of them are worth more
        with desk.work() as work:
            found = leads.lock_lead(work.conn, lead)
            assert found is not None
            leads.save_lead(work.conn, found, score=99)
    assert release(desk) == 6
    best = [desk.lead(lead) for lead in range(1, 7) if desk.lead(lead).score == 99]
    with desk.work() as work:
        assert sorted(leads.count_open_by_person(work.conn).values()) == [3, 3]
    assert len({lead.owner_id for lead in best}) == 2


def holds(work: Work, desk: Desk, who: str, many: int) -> None:
    for n in range(many):
        lead = waits(work, replace(JANA, external_id=f"{who}{n}", email=""))
        owner = desk.member(work, who).id
        leads.save_lead(work.conn, lead, status="working", waiting=False, owner_id=owner)


def test_whoever_is_full_is_waited_for_and_leads_of_others_go_past(desk: Desk) -> None:
    best = wait(desk, *(f"dach{n}" for n in range(8)))
    with desk.work() as work:
        holds(work, desk, "ann", 10)  # no cap in the playbook: as many as a list shows
        holds(work, desk, "ben", 1)  # his cap
    [last] = wait(desk, "elsewhere", country="US")
    assert release(desk) == 1
    assert desk.lead(last).owner_id == desk.person_id("eve")
    assert {desk.lead(one).status for one in best} == {"received"}


def test_all_are_looked_at_page_by_page_then_it_rests_until_somebody_new_is_free(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release_waiting, "LOOK", 3)
    wait(desk, *(f"dach{n}" for n in range(7)))
    with desk.work() as work:
        holds(work, desk, "ann", 10)
        holds(work, desk, "ben", 1)
    [last] = wait(desk, "elsewhere", country="US")
    one = Release()
    assert [release(desk, one) for _ in range(3)] == [0, 0, 1]
    assert desk.lead(last).owner_id == desk.person_id("eve")
    wait(desk, "later", country="US")
    assert [release(desk, one) for _ in range(4)] == [0] * 4  # she has a list to answer
    desk.do(answer_offer.accept, "eve", desk.offer_of(last))
    assert [release(desk, one) for _ in range(3)] == [0, 0, 1]


def test_what_nobody_may_have_goes_on_waiting_and_is_told_once(desk: Desk) -> None:
    [lead] = wait(desk, "elsewhere", country="US")
    with desk.work() as work:
        people.save_person(work.conn, desk.member(work, "eve").id, deactivated=True)
    for _ in range(2):
        assert release(desk) == 0
    with desk.work() as work:
        assert kinds_of(work, lead) == ["arrived", "judged", "unroutable"]
    assert desk.lead(lead).status == "received"


def test_a_new_agreement_judges_again_what_waited(desk: Desk) -> None:
    lead, other = wait(desk, "elsewhere", "pale", country="US")
    desk.agreement = replace(desk.agreement, version=2)
    with desk.work() as work:  # what made it an MQL has gone since
        pale = leads.lock_lead(work.conn, other)
        assert pale is not None
        leads.save_lead(work.conn, pale, source="list")
    assert release(desk) == 0
    assert (desk.lead(other).status, desk.lead(lead).playbook_version) == ("nurturing", 2)
    assert release(desk) == 1


def test_what_a_new_agreement_cannot_decide_goes_on_waiting_until_there_is_a_better_one(
    desk: Desk,
) -> None:
    leads_ = wait(desk, "one", "two", country="US", extra={"size": "many"})
    good = replace(desk.agreement, version=3)
    broken = PLAYBOOK.replace("score >= 40,", "score >= 40 && int(extra.size) > 3,")
    agreement = load_playbook(broken, today=START.date()).agreement
    assert agreement is not None
    desk.agreement = replace(agreement, version=2)
    one = Release()
    assert [release(desk, one) for _ in range(3)] == [0, 0, 0]
    assert desk.deliver() == {}, "marketing's channel is not flooded with what waited"
    assert {desk.lead(lead).waiting for lead in leads_} == {True}
    desk.agreement = good
    assert [release(desk, one) for _ in range(2)] == [0, 2]


def test_an_import_that_runs_is_let_finish(desk: Desk) -> None:
    wait(desk, "elsewhere", country="US")
    imports = table_of(Imports)
    with desk.work() as work:
        work.conn.execute(
            imports.insert().values(
                file_sha256="f", map_sha256="m", mode="offer", source="s", cursor=1,
                started_at=desk.now,
            )
        )  # fmt: skip
    assert release(desk) == 0
    desk.now += timedelta(minutes=11)  # it was killed, and nobody ran it again
    assert release(desk) == 1


def test_news_refreshes_a_waiting_lead_a_call_takes_it_out_and_below_the_bar_it_sleeps(
    desk: Desk,
) -> None:
    calm, caller, faded = wait(desk, "calm", "caller", "faded")
    desk.now += timedelta(minutes=1)
    visit = replace(JANA, source="webinar", external_id="calm", email="calm@x.example", visits=9)
    desk.arrives(visit)
    assert (desk.lead(calm).waiting, desk.lead(calm).visits) == (True, 9)
    desk.arrives(external_id="caller2", email="caller@x.example")
    assert (desk.lead(caller).status, desk.lead(caller).waiting) == ("offered", False)
    desk.arrives(source="list", external_id="faded2", email="faded@x.example")
    assert (desk.lead(faded).status, desk.lead(faded).waiting) == ("nurturing", False)
    with desk.work() as work:
        assert clocks.list_clocks(work.conn, calm) == []
        assert kinds_of(work, calm) == ["arrived", "judged", "news", "judged"]
