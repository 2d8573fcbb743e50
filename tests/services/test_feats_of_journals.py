"""What the journal that Baton truly writes says of people's chances, deed by deed.

What is not here: the rules at length, on made-up journals (`unit/test_feats`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from bot.domain.chance import Chance, Circumstances, Verdict, chances_of
from bot.domain.feats import feats_of
from bot.services import answer_offer, manage_lead, work_lead
from storage import journal
from tests.services.crm_kit import Crm, accepted, later, minute
from tests.services.desk_kit import Desk

CRM_REPORTS, NO_CRM = Circumstances(verified_only=True), Circumstances()


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    desk = Desk(database_url)
    yield desk
    desk.database.dispose()


def chances(desk: Desk, lead: int, given: Circumstances = NO_CRM) -> list[Chance]:
    with desk.work() as work:
        entries = journal.list_entries(work.conn, "lead", lead)
    return chances_of([feats_of(lead, entries)], given)


def told(
    desk: Desk, lead: int, given: Circumstances = NO_CRM, who: str = "ann"
) -> dict[str, tuple[str, float | str]]:
    """Of each rule of one person: kept and at which minute, or what else and why."""
    person = desk.person_id(who)
    return {
        c.rule.value: (c.verdict.value, minute(c.at) if c.verdict is Verdict.KEPT else c.why)
        for c in chances(desk, lead, given)
        if c.person == person
    }


def pass_minutes(desk: Desk, minutes: int) -> None:
    desk.now += timedelta(minutes=minutes)


def log(desk: Desk, lead: int, kind: str, outcome: str = "") -> None:
    desk.do(work_lead.log_touch, "ann", desk.offer_of(lead), kind, outcome)


def test_a_lead_that_is_worked_by_clicks(desk: Desk) -> None:
    lead = accepted(desk)
    pass_minutes(desk, 10)
    log(desk, lead, "call", "no_answer")
    assert told(desk, lead)["first_touch"] == ("kept", 10)
    pass_minutes(desk, 2)
    desk.do(work_lead.undo_touch, "ann", desk.offer_of(lead))
    assert told(desk, lead) == {
        "accept": ("open", "untouched"),
        "first_touch": ("open", "untouched"),
        "follow_up": ("open", "too_few"),
    }
    pass_minutes(desk, 8)
    log(desk, lead, "email")
    pass_minutes(desk, 10)
    log(desk, lead, "call", "no_answer")
    pass_minutes(desk, 65)
    log(desk, lead, "call", "no_answer")
    assert told(desk, lead) == {
        "accept": ("kept", 0),
        "first_touch": ("kept", 20),
        "follow_up": ("kept", 95),
    }
    pass_minutes(desk, 5)
    desk.do(work_lead.qualify, "ann", desk.offer_of(lead))
    assert told(desk, lead)["qualified"] == ("kept", 100)
    desk.do(work_lead.close, "ann", desk.offer_of(lead), "lost")
    assert told(desk, lead)["qualified"] == ("stopped", "gone_again")
    weighed = {(c.fast_lane, c.score) for c in chances(desk, lead)}
    assert weighed == {(True, 50)}


def test_a_call_that_the_crm_reports_is_accept_and_first_touch_when_it_was_made(desk: Desk) -> None:
    lead, crm = desk.arrives(), Crm(desk)
    pass_minutes(desk, 16)
    crm.tells(at=15)
    assert told(desk, lead, CRM_REPORTS) == {
        "accept": ("kept", 15),
        "first_touch": ("kept", 15),
        "follow_up": ("open", "too_few"),
    }
    crm.tells(at=5)  # the same call, corrected
    assert told(desk, lead, CRM_REPORTS)["first_touch"] == ("kept", 5)
    crm.deletes()
    assert told(desk, lead, CRM_REPORTS)["first_touch"] == ("open", "untouched")


def test_a_word_is_verified_by_what_the_crm_tells_hours_later(desk: Desk) -> None:
    lead, crm = accepted(desk), Crm(desk)
    pass_minutes(desk, 30)
    log(desk, lead, "call", "reached")
    later(desk, 200)
    assert told(desk, lead, CRM_REPORTS)["first_touch"] == ("broken", "untouched")
    crm.tells(at=25)
    assert told(desk, lead, CRM_REPORTS)["first_touch"] == ("kept", 25)
    crm.deletes()
    assert told(desk, lead, CRM_REPORTS)["first_touch"] == ("broken", "untouched")
    assert told(desk, lead, NO_CRM)["first_touch"] == ("kept", 30)


def test_a_call_told_when_its_time_was_long_over_is_kept_in_the_report_and_gives_no_points(
    desk: Desk,
) -> None:
    lead, crm = accepted(desk), Crm(desk)
    later(desk, 120)
    crm.tells(at=40)
    assert told(desk, lead, CRM_REPORTS)["first_touch"] == ("broken", "late")
    assert told(desk, lead, CRM_REPORTS)["accept"] == ("kept", 0)


def test_an_offer_that_lapses_is_missed_by_who_had_it_and_open_for_the_next(desk: Desk) -> None:
    lead = desk.arrives()
    later(desk, 20)
    assert told(desk, lead) == {"accept": ("broken", "not_answered")}
    assert told(desk, lead, who="ben") == {"accept": ("open", "not_answered")}
    desk.do(answer_offer.pass_on, "ben", desk.offer_of(lead))
    pass_minutes(desk, 60)
    assert told(desk, lead, who="ben") == {"accept": ("open", "passed")}
    assert told(desk, lead, at_now(desk), who="ben") == {"accept": ("stopped", "passed")}


def at_now(desk: Desk) -> Circumstances:
    return Circumstances(now=desk.now)


def test_an_accept_undone_goes_on_and_one_given_back_is_neither(desk: Desk) -> None:
    lead = accepted(desk)
    pass_minutes(desk, 3)
    desk.do(answer_offer.undo, "ann", desk.offer_of(lead))
    assert told(desk, lead)["accept"] == ("open", "not_answered")
    pass_minutes(desk, 5)
    desk.do(answer_offer.accept, "ann", desk.offer_of(lead))
    pass_minutes(desk, 5)
    desk.do(answer_offer.give_back, "ann", desk.offer_of(lead), "not_our_kind")
    pass_minutes(desk, 90)
    assert told(desk, lead, at_now(desk)) == {
        "accept": ("stopped", "rejected"),
        "first_touch": ("stopped", "rejected"),
    }


def test_a_recycled_lead_that_nobody_reached_is_a_follow_up_given_up(desk: Desk) -> None:
    lead = accepted(desk)
    pass_minutes(desk, 10)
    log(desk, lead, "call", "no_answer")
    pass_minutes(desk, 10)
    desk.do(answer_offer.recycle, "ann", desk.offer_of(lead), "no_budget", None)
    assert told(desk, lead)["follow_up"] == ("broken", "gave_up")
    assert told(desk, lead)["first_touch"] == ("kept", 10)


def test_a_manager_excuses_and_gives_time_but_not_to_themselves(desk: Desk) -> None:
    lead = accepted(desk)
    desk.do(manage_lead.extend, "dana", desk.offer_of(lead), "1h")
    later(desk, 100)
    log(desk, lead, "email")
    assert told(desk, lead)["first_touch"] == ("kept", 100)
    other = desk.arrives(external_id="paul", email="paul@initech.example")
    desk.do(answer_offer.accept, "ann", desk.offer_of(other))
    later(desk, 61)
    desk.do(manage_lead.excuse, "dana", desk.offer_of(other))
    assert told(desk, other)["first_touch"] == ("excused", "by_manager")
    desk.do(manage_lead.take, "dana", desk.offer_of(other))
    pass_minutes(desk, 90)
    mine = told(desk, other, at_now(desk), who="dana")
    assert mine == {"first_touch": ("stopped", "self_given")}
