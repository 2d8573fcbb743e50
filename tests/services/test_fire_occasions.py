"""Occasions of the calendar: armed once, fired once, tried again, parked; and when reports go to whom."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from bot.domain.agreement import ReportTimes
from bot.domain.business_time import Calendar
from bot.domain.occasion import Planned
from bot.services import fire_occasions as firing
from bot.services.fire_occasions import Almanac, fire_occasions, plan_occasions
from bot.services.work import Work
from storage import occasions, people
from storage.models import Outbox
from storage.models_programme import Occasions
from storage.occasions import OccasionRow
from storage.rows import table_of
from tests.services.desk_kit import Desk

_outbox, _occasions = table_of(Outbox), table_of(Occasions)
BERLIN, VIENNA = ZoneInfo("Europe/Berlin"), ZoneInfo("Europe/Vienna")


@pytest.fixture
def desk(database_url: str) -> Desk:
    return Desk(database_url)


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


def minute(desk: Desk) -> int:
    """What the tick does each minute."""
    with desk.work() as work:
        plan_occasions(work)
        return fire_occasions(work)


def states(desk: Desk, kind: str = "") -> dict[tuple[str, int, str], str]:
    with desk.work() as work:
        rows = work.conn.execute(select(_occasions).order_by(_occasions.c.id))
        return {(r.kind, r.subject_id, r.period): r.state for r in rows if kind in ("", r.kind)}


def keys(desk: Desk) -> list[str]:
    """What was decided to be posted."""
    with desk.work() as work:
        return list(work.conn.execute(select(_outbox.c.card_key).order_by(_outbox.c.id)).scalars())


def lanes(desk: Desk) -> dict[str, str]:
    with desk.work() as work:
        return {r.card_key: r.lane for r in work.conn.execute(select(_outbox))}


def only(desk: Desk, **times: object) -> None:
    """Only these reports go."""
    off: dict[str, object] = {"weekly_day": None, "digest_at": None, "monthly": False}
    desk.agreement = replace(desk.agreement, reports=ReportTimes(**(off | times)))  # type: ignore[arg-type]


def test_the_week_is_reported_once_at_its_time_and_never_twice(desk: Desk) -> None:
    only(desk, weekly_day=0)
    desk.now = berlin("2026-11-20 12:00")
    assert minute(desk) == 0
    assert states(desk) == {("weekly", 0, "2026-W47"): "armed"}

    desk.now = berlin("2026-11-23 08:59")
    assert minute(desk) == 0
    for _ in range(3):
        desk.now = max(desk.now, berlin("2026-11-23 09:00")) + timedelta(seconds=20)
        minute(desk)
    assert keys(desk) == ["report:weekly:2026-W47"]
    assert set(lanes(desk).values()) == {"ch:C0REVIEW"}
    assert states(desk) == {
        ("weekly", 0, "2026-W47"): "fired",
        ("weekly", 0, "2026-W48"): "armed",
    }


def test_a_playbook_that_begins_after_the_moment_posts_nothing_late(desk: Desk) -> None:
    only(desk, weekly_day=0)
    desk.now = berlin("2026-11-23 09:01")
    minute(desk)
    assert states(desk) == {("weekly", 0, "2026-W48"): "armed"}
    with desk.work() as work:
        past = Planned("weekly", 0, "old", desk.now - timedelta(days=1))
        plan_occasions(work, {("weekly",): lambda work: [past]})
    assert states(desk)["weekly", 0, "old"] == "skipped"
    assert not keys(desk)


def test_what_came_due_while_baton_was_down_goes_only_while_it_is_the_newest(desk: Desk) -> None:
    only(desk, weekly_day=0)
    desk.now = berlin("2026-11-20 12:00")
    minute(desk)
    desk.now = berlin("2026-11-24 15:00")  # a day late: still last week
    minute(desk)
    assert states(desk)["weekly", 0, "2026-W47"] == "fired"

    desk.now = berlin(
        "2026-12-10 12:00"
    )  # the next one is about a week that nobody asks for any more
    minute(desk)
    assert states(desk)["weekly", 0, "2026-W48"] == "skipped"
    assert keys(desk) == ["report:weekly:2026-W47"]


def test_a_changed_playbook_moves_cancels_and_arms_again(desk: Desk) -> None:
    desk.now = berlin("2026-11-20 12:00")
    only(desk, weekly_day=0)
    minute(desk)
    only(desk, weekly_day=0, weekly_at=10 * 60)
    minute(desk)
    with desk.work() as work:
        row = occasions.read_occasion(work.conn, "weekly", 0, "2026-W47")
    assert row is not None
    assert row.due_at == berlin("2026-11-23 10:00")
    only(desk)
    minute(desk)
    assert states(desk) == {("weekly", 0, "2026-W47"): "cancelled"}
    only(desk, weekly_day=0)
    minute(desk)
    assert states(desk) == {("weekly", 0, "2026-W47"): "armed"}


def test_times_hold_over_the_change_of_the_clocks(desk: Desk) -> None:
    only(desk, weekly_day=6, weekly_at=2 * 60 + 30, monthly=True)
    desk.now = berlin("2027-03-22 12:00")
    with desk.work() as work:
        due = {p.kind: p.due_at for plan in firing.PLANS.values() for p in plan(work)}
    assert due["weekly"] == datetime(2027, 3, 28, 1, 30, tzinfo=UTC)  # 02:30 is skipped: 03:30
    assert due["monthly"] == datetime(2027, 4, 1, 0, 30, tzinfo=UTC)


def test_digests_come_in_each_managers_own_morning_on_their_working_days(desk: Desk) -> None:
    only(desk, digest_at=8 * 60 + 30)
    people_ = dict(desk.agreement.people)
    office = {day: ((9 * 60, 17 * 60),) for day in range(5)}
    york = Calendar(ZoneInfo("America/New_York"), office, holidays=frozenset({date(2026, 11, 26)}))
    people_["will@acme.example"] = replace(people_["will@acme.example"], calendar=york)
    people_["dana@acme.example"] = replace(
        people_["dana@acme.example"], calendar=Calendar(VIENNA, office)
    )
    desk.agreement = replace(desk.agreement, people=people_)
    dana, will = desk.person_id("dana"), desk.person_id("will")

    desk.now = berlin("2026-11-25 18:00")
    minute(desk)
    with desk.work() as work:
        armed = {r.subject_id: r.due_at for r in occasions.list_armed(work.conn, ["digest"])}
    assert armed == {
        dana: berlin("2026-11-26 08:30"),
        will: datetime(2026, 11, 27, 13, 30, tzinfo=UTC),  # Thursday is Thanksgiving
    }
    desk.now = berlin("2026-11-26 08:30")
    minute(desk)
    assert keys(desk) == [f"digest:{dana}:2026-11-26"]
    desk.now += timedelta(minutes=1)
    minute(desk)
    desk.now = berlin("2026-11-27 19:00")  # Baton was down all day; in New York it is still noon
    minute(desk)
    assert keys(desk)[1:] == [f"digest:{will}:2026-11-27"]
    assert states(desk)["digest", dana, "2026-11-27"] == "skipped"  # her day is over
    desk.now = berlin("2026-12-01 09:00")
    minute(desk)
    assert states(desk)["digest", dana, "2026-11-30"] == "skipped"  # yesterday's morning
    assert len(keys(desk)) == 2


def test_the_deputy_reads_the_digest_of_an_absent_manager_or_nobody(desk: Desk) -> None:
    only(desk, digest_at=8 * 60 + 30)
    people_ = dict(desk.agreement.people)
    people_["dana@acme.example"] = replace(people_["dana@acme.example"], deputy="vera@acme.example")
    desk.agreement = replace(
        desk.agreement, people=people_, teams={"emea": desk.agreement.teams["emea"]}
    )
    dana, vera = desk.person_id("dana"), desk.person_id("vera")
    desk.now = berlin("2026-11-25 18:00")
    minute(desk)
    away(desk, dana)
    desk.now = berlin("2026-11-26 08:30")
    minute(desk)
    assert lanes(desk) == {f"digest:{dana}:2026-11-26": f"dm:{vera}"}

    away(desk, vera)
    desk.now = berlin("2026-11-27 08:30")
    minute(desk)
    assert states(desk)["digest", dana, "2026-11-27"] == "skipped"
    assert len(keys(desk)) == 1


def test_the_month_goes_to_each_signer_once(desk: Desk) -> None:
    only(desk, monthly=True)
    vera, carl = desk.person_id("vera"), desk.person_id("carl")
    desk.now = berlin("2026-11-25 18:00")
    minute(desk)
    desk.now = berlin("2026-12-01 09:00")
    minute(desk)
    minute(desk)
    assert lanes(desk) == {
        f"report:monthly:2026-11:{vera}": f"dm:{vera}",
        f"report:monthly:2026-11:{carl}": f"dm:{carl}",
    }


def test_an_occasion_that_fails_is_tried_again_and_parked_and_the_others_go(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    log = SimpleNamespace(exception=lambda event, **about: said.append(event))
    monkeypatch.setattr("bot.services.fire_occasions.log", log)
    fired: list[str] = []

    def handler(work: Work, row: OccasionRow) -> bool:
        people.save_person(work.conn, 1, name=row.period)
        if row.period == "bad":
            raise ValueError("no")
        fired.append(row.period)
        return True

    plans = {("board",): lambda work: [Planned("board", 1, p, desk.now) for p in ("bad", "good")]}
    with desk.work() as work:
        plan_occasions(work, plans)  # type: ignore[arg-type]
    begun = desk.now
    for _ in range(40):
        with desk.work() as work:
            plan_occasions(work, {("board",): lambda work: []})
            fire_occasions(work, {"board": handler})
        desk.now += timedelta(minutes=1)
    assert fired == ["good"]
    assert states(desk) == {("board", 1, "bad"): "parked", ("board", 1, "good"): "fired"}
    with desk.work() as work:
        row = occasions.read_occasion(work.conn, "board", 1, "bad")
        assert people.list_people(work.conn)[0].name == "good"
    assert row is not None
    assert row.attempts == 5
    assert row.fired_at is not None
    assert row.fired_at - begun == timedelta(minutes=15)
    assert said == ["occasion_failed"] * 4 + ["occasion_parked"]


def test_a_plan_that_fails_leaves_the_others_theirs(desk: Desk) -> None:
    def broken(work: Work) -> list[Planned]:
        raise ValueError("no")

    only(desk, weekly_day=0)
    with desk.work() as work:
        plan_occasions(work, {("board",): broken, **firing.PLANS})
    assert [kind for kind, *_ in states(desk)] == ["weekly"]


def test_kinds_of_a_newer_baton_are_left_to_it(desk: Desk) -> None:
    with desk.work() as work:
        occasions.insert_occasion(work.conn, Planned("moon", 0, "full", desk.now))
    minute(desk)
    assert states(desk)["moon", 0, "full"] == "armed"


def test_an_idle_tick_does_not_look(desk: Desk) -> None:
    only(desk, weekly_day=0)
    desk.now = berlin("2026-11-23 08:58")
    almanac = Almanac()
    assert almanac.is_due(desk.now, desk.agreement)
    with desk.work() as work:
        almanac.keep(work)
    assert not almanac.is_due(desk.now + timedelta(seconds=59), desk.agreement)
    assert almanac.is_due(desk.now + timedelta(seconds=60), desk.agreement)
    assert almanac.is_due(desk.now - timedelta(days=1), desk.agreement)
    assert almanac.is_due(desk.now, replace(desk.agreement))
    assert almanac.until_next(desk.now) == timedelta(minutes=2)


def away(desk: Desk, person: int) -> None:
    with desk.work() as work:
        people.insert_absence(
            work.conn, person_id=person, from_at=work.now, until_at=None, said_by=person
        )
