"""The report of a small day, every figure of it worked out by hand, on both databases; and that it stays as it is.

All hours are open here, so business time is wall time. What is not here: what a report looks like.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.kpi import Count, Cut, Kpi, Ratio, Share, Spread, Value
from bot.domain.kpi_definitions import define
from bot.domain.period import parse_period
from bot.domain.report import Load, Report
from bot.services import answer_offer, review_lead, work_lead
from bot.services.fire_timers import fire_due
from bot.services.make_report import make_report
from bot.services.send_test_lead import send_test_lead
from storage import people, playbooks
from storage.models import Leads
from storage.models_intake import Histories
from storage.rows import insert, table_of
from tests.services.desk_kit import START, Desk
from tests.shown import cards_are_seen

#: Told of now only: the period before has none of them.
AS_OF_NOW = {Kpi.DUE_TODAY, Kpi.LIKELY_TO_BREACH}


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    desk = Desk(database_url)
    yield desk
    desk.database.dispose()


def report_of(desk: Desk, period: str = "this week", team: str = "") -> Report:
    with desk.work() as work:
        return make_report(work, parse_period(period, desk.now, "Europe/Berlin"), team=team)


def settled(values: Mapping[Kpi, Value]) -> dict[Kpi, Value]:
    return {kpi: value for kpi, value in values.items() if kpi not in AS_OF_NOW}


def arrives(desk: Desk, name: str, source: str, country: str) -> int:
    return desk.arrives(
        source=source, external_id=name, email=f"{name}@{name}.example", country=country
    )


def at(desk: Desk, minute: int) -> None:
    """So many minutes after nine; on the way there only what is due matters."""
    until = START + timedelta(minutes=minute)
    for due in (20, 140, 150, 200):
        if desk.now < START + timedelta(minutes=due) <= until:
            desk.now = START + timedelta(minutes=due)
            fire(desk)
    desk.now = until
    fire(desk)


def fire(desk: Desk) -> None:
    with desk.work() as work:
        cards_are_seen(work.conn, desk.now)
        fire_due(work)


def a_day(desk: Desk) -> dict[str, int]:
    """Five leads and a test, until 13:10."""
    leads = {"anna": arrives(desk, "anna", "contact_me", "AT")}
    with desk.work() as work:
        send_test_lead(work, "ann@acme.example")
    at(desk, 10)
    desk.do(answer_offer.accept, "ann", desk.offer_of(leads["anna"]))
    at(desk, 30)
    desk.do(work_lead.log_touch, "ann", desk.offer_of(leads["anna"]), "call", "reached")
    leads["bob"] = arrives(desk, "bob", "webinar", "US")  # to eve, in the west
    at(desk, 60)
    desk.do(answer_offer.reject, "eve", desk.offer_of(leads["bob"]), "not_our_kind")
    at(desk, 120)
    review = desk.lead(leads["bob"]).review_id
    desk.do(review_lead.nurture, "olga", review, "no_budget", None)
    leads["cleo"] = arrives(desk, "cleo", "contact_me", "AT")  # ann lets it lapse at 140
    at(desk, 145)
    desk.do(answer_offer.accept, "ben", desk.offer_of(leads["cleo"]))
    at(desk, 220)  # an hour after the offer was 200
    desk.do(work_lead.log_touch, "ben", desk.offer_of(leads["cleo"]), "email")
    leads["dora"] = arrives(desk, "dora", "webinar", "DE")
    at(desk, 230)
    desk.do(answer_offer.accept, "ann", desk.offer_of(leads["dora"]))
    desk.do(work_lead.qualify, "ann", desk.offer_of(leads["anna"]))
    at(desk, 240)
    desk.do(work_lead.close, "ann", desk.offer_of(leads["anna"]), "won")
    leads["emil"] = arrives(desk, "emil", "webinar", "DE")
    at(desk, 250)
    desk.do(answer_offer.recycle, "ann", desk.offer_of(leads["emil"]), "no_budget", None)
    return leads


BY_HAND: dict[Kpi, Value] = {
    Kpi.ARRIVED: Count(5),
    Kpi.OFFERED: Count(5),
    Kpi.SPEED_TO_LEAD: Spread(2, 30 * 60, 100 * 60),
    Kpi.SYSTEMS_DELAY: Spread(2, 0, 0),
    Kpi.PEOPLE_DELAY: Spread(2, 30 * 60, 100 * 60),
    Kpi.TIME_TO_ACCEPT: Spread(3, 10 * 60, 10 * 60),  # 5, 10, 10
    Kpi.TIME_TO_ACCEPT_WALL: Spread(3, 10 * 60, 10 * 60),
    Kpi.TIME_TO_TOUCH: Spread(2, 30 * 60, 80 * 60),
    Kpi.TIME_TO_TOUCH_WALL: Spread(2, 30 * 60, 80 * 60),
    Kpi.ACCEPTED_IN_TIME: Share(5, 6),  # eve's no and ann's later are answers
    Kpi.TOUCHED_IN_TIME: Share(1, 2),
    Kpi.FOLLOWED_UP_IN_TIME: Share(0, 1),
    Kpi.DECIDED_IN_TIME: Share(1, 1),
    Kpi.ROUTED_IN_TIME: Share(5, 5),
    Kpi.REVIEWED_IN_TIME: Share(1, 1),
    Kpi.PICKED_UP: Share(2, 5),
    Kpi.ACCEPTED_UNTOUCHED: Share(1, 3),
    Kpi.VERIFIED: Share(0, 2),
    Kpi.UNTOUCHED: Count(1),
    Kpi.UNTOUCHED_72H: Count(0),
    Kpi.BECAME_MQL: Ratio(5, 5),
    Kpi.BECAME_SAL: Ratio(3, 5),
    Kpi.BECAME_SQL: Ratio(1, 3),
    Kpi.BECAME_CUSTOMER: Ratio(1, 1),
    Kpi.TIME_TO_SAL: Spread(3, 10 * 60, 25 * 60),  # 10, 10, 25
    Kpi.TIME_TO_SQL: Spread(1, 220 * 60, 220 * 60),
    Kpi.TIME_TO_CUSTOMER: Spread(1, 10 * 60, 10 * 60),
    Kpi.REJECTED: Ratio(1, 6),
    Kpi.RECYCLED: Ratio(1, 6),
    Kpi.REROUTED: Ratio(1, 5),
    Kpi.ESCALATIONS: Ratio(3, 5),  # cleo not answered, anna not followed up, cleo not touched
    Kpi.DUE_TODAY: Count(2),  # touch dora, follow up cleo
    Kpi.LIKELY_TO_BREACH: Count(0),
}


def test_every_figure_of_a_day_is_as_counted_by_hand(desk: Desk) -> None:
    a_day(desk)
    ids = {who: desk.person_id(who) for who in ("ann", "ben", "eve")}

    found = report_of(desk)

    assert dict(found.values) == BY_HAND
    assert (found.at, found.team, found.baseline, found.down_minutes) == (desk.now, "", None, 0)
    parts = found.parts
    assert set(parts) == {(kpi, cut) for kpi in Kpi for cut in define(kpi).cuts}
    assert parts[Kpi.OFFERED, Cut.TEAM] == (("emea", Count(4)), ("west", Count(1)))
    assert parts[Kpi.OFFERED, Cut.SOURCE] == (("webinar", Count(3)), ("contact_me", Count(2)))
    assert parts[Kpi.OFFERED, Cut.PERSON] == (
        (str(ids["ann"]), Count(4)),
        (str(ids["eve"]), Count(1)),
    )
    assert dict(parts[Kpi.ARRIVED, Cut.STAGE]) == {
        "Customer": Count(1), "SAL": Count(2), "-": Count(2),
    }  # fmt: skip
    assert parts[Kpi.REJECTED, Cut.REASON] == (("not_our_kind", Ratio(1, 6)),)
    assert parts[Kpi.REJECTED, Cut.SOURCE] == (
        ("webinar", Ratio(1, 3)),
        ("contact_me", Ratio(0, 3)),
    )
    assert parts[Kpi.RECYCLED, Cut.TEAM] == (("emea", Ratio(1, 5)), ("west", Ratio(0, 1)))
    assert parts[Kpi.REROUTED, Cut.REASON] == (("lapsed", Ratio(1, 5)),)
    assert dict(parts[Kpi.ESCALATIONS, Cut.REASON]) == {
        kind: Ratio(1, 5) for kind in ("accept", "first_touch", "follow_up")
    }
    assert parts[Kpi.ACCEPTED_IN_TIME, Cut.TEAM] == (("emea", Share(4, 5)), ("west", Share(1, 1)))
    assert dict(parts[Kpi.TOUCHED_IN_TIME, Cut.PERSON]) == {
        str(ids["ann"]): Share(1, 1), str(ids["ben"]): Share(0, 1),
    }  # fmt: skip
    assert dict(parts[Kpi.TIME_TO_SAL, Cut.SOURCE]) == {
        "contact_me": Spread(2, 600, 1500), "webinar": Spread(1, 600, 600),
    }  # fmt: skip
    assert [n for _, n in parts[Kpi.UNTOUCHED, Cut.AGE]] == [Count(1), *[Count(0)] * 4]
    assert found.loads == (
        Load(ids["ann"], "emea", offered=4, hours=14.2, in_time=4, late=1, open_now=1),
        Load(ids["ben"], "emea", offered=1, hours=14.2, in_time=1, late=1, open_now=1),
        Load(ids["eve"], "west", offered=1, hours=14.2, in_time=1, late=0, open_now=0),
    )

    of_west = report_of(desk, "today", team="west").values
    assert of_west[Kpi.OFFERED] == Count(1)
    assert of_west[Kpi.REJECTED] == Ratio(1, 1)
    assert of_west[Kpi.SPEED_TO_LEAD] == Spread(0)
    assert of_west[Kpi.REVIEWED_IN_TIME] == Share(1, 1)  # marketing's, as in every report
    assert dict(report_of(desk, "all").values) == BY_HAND


def test_a_finished_week_stays_as_it_is_whatever_happens_later(desk: Desk) -> None:
    leads = a_day(desk)
    at(desk, 320)  # cleo's follow-up is due at 340
    assert report_of(desk).parts[Kpi.LIKELY_TO_BREACH, Cut.REASON] == (("follow_up", Count(1)),)
    desk.now = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
    fire(desk)
    week = report_of(desk, "2026-W48")
    assert week.values[Kpi.TOUCHED_IN_TIME] == Share(1, 3)
    assert week.values[Kpi.UNTOUCHED_72H] == Count(1)  # dora, as of Sunday
    assert settled(report_of(desk).before) == settled(week.values)

    offer = desk.offer_of(leads["dora"])
    desk.do(work_lead.log_touch, "ann", offer, "call", "reached")
    desk.now += timedelta(minutes=30)
    desk.do(answer_offer.recycle, "ann", offer, "no_budget", None)
    arrives(desk, "fritz", "contact_me", "AT")

    again = report_of(desk, "2026-W48")
    assert settled(again.values) == settled(week.values)
    assert settled(report_of(desk).before) == settled(week.values)
    this = report_of(desk).values
    assert (this[Kpi.ARRIVED], this[Kpi.BECAME_SAL]) == (Count(1), Ratio(0, 1))
    assert this[Kpi.RECYCLED] == Ratio(1, 1)

    assert report_of(desk).baseline is None  # the first two weeks are not over
    desk.now = datetime(2026, 12, 9, 9, 0, tzinfo=UTC)
    fire(desk)
    first = report_of(desk).baseline
    assert first is not None
    assert first.kind == "first_weeks"
    assert first.values == settled(report_of(desk, "14d-2026-12-06").values)


def test_history_is_the_baseline_and_counts_nowhere_else(desk: Desk) -> None:
    with desk.work() as work:
        for n, past in enumerate(
            (
                {"touches": 2, "self_reported": 1, "routed": 1, "rejected": False},
                {"touches": 0, "self_reported": 1, "routed": 2, "rejected": True},
                {"touches": 0, "self_reported": 0, "routed": 3, "rejected": False},
            )
        ):
            lead = insert(
                work.conn, table_of(Leads), status="nurturing", kind="history", source="old",
                external_id=f"h{n}", reasons=[], score_reasons=[], extra={},
                arrived_at=desk.now, occurred_at=desk.now, status_at=desk.now,
            )  # fmt: skip
            insert_past = table_of(Histories).insert()
            work.conn.execute(insert_past.values(lead_id=lead, owner="", team="emea", **past))
    found = report_of(desk)
    assert found.values[Kpi.ARRIVED] == Count(0)
    assert found.values[Kpi.UNTOUCHED] == Count(0)
    assert found.baseline is not None
    assert found.baseline.kind == "history"
    assert found.baseline.values == {
        Kpi.ARRIVED: Count(3),
        Kpi.OFFERED: Count(3),
        Kpi.PICKED_UP: Share(2, 3),
        Kpi.UNTOUCHED: Count(1),
        Kpi.VERIFIED: Share(2, 4),
        Kpi.REJECTED: Ratio(1, 3),
        Kpi.REROUTED: Ratio(2, 3),
    }
    assert report_of(desk, team="west").baseline is None


def test_nobody_answers_for_absence_or_for_minutes_in_which_baton_was_down(desk: Desk) -> None:
    lead = arrives(desk, "anna", "contact_me", "AT")
    at(desk, 25)  # lapsed at 20
    assert desk.lead(lead).lapses == 1
    ann = desk.person_id("ann")
    with desk.work() as work:
        playbooks.insert_downtime(
            work.conn, START + timedelta(minutes=15), START + timedelta(minutes=21)
        )
        people.insert_absence(
            work.conn, person_id=ann, from_at=START - timedelta(hours=4),
            until_at=START - timedelta(hours=1), said_by=ann,
        )  # fmt: skip
    desk.now = START + timedelta(hours=1)
    found = report_of(desk, "today")
    load = next(load for load in found.loads if load.person_id == ann)
    assert (load.in_time, load.late) == (0, 0)
    assert load.hours == 7.9  # eleven since midnight, less three and a tenth
    assert found.down_minutes == 6
    assert found.values[Kpi.ACCEPTED_IN_TIME] == Share(0, 1)  # the lead waited all the same
    assert found.parts[Kpi.ACCEPTED_IN_TIME, Cut.PERSON] == ()


def test_a_company_without_leads_has_a_report(desk: Desk) -> None:
    for period in ("today", "last month", "all"):
        found = report_of(desk, period)
        assert set(found.values) == set(Kpi)
        assert found.baseline is None
        assert found.values[Kpi.ACCEPTED_IN_TIME] == Share(0, 0)
        assert found.values[Kpi.SPEED_TO_LEAD] == Spread(0)
        assert set(found.before) in (set(), set(Kpi) - AS_OF_NOW)
