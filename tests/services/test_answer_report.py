"""Who sees which figures, how a team and a period are typed, and when there is nothing to tell."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from bot.domain.people_figures import PeopleFigures
from bot.services import answer_offer
from bot.services.answer_report import read_scope, report_command
from bot.services.deliver_types import Drop
from bot.services.follow_delivery import after_sent
from storage import outbox
from storage.deliveries import OutboxRow
from storage.models import Outbox
from storage.people import ensure_person
from storage.rows import as_row, table_of
from tests.services.desk_kit import Desk
from tests.unit.rendering_limits import shown

_outbox = table_of(Outbox)


@pytest.fixture
def desk(database_url: str) -> Desk:
    return Desk(database_url)


def asks(desk: Desk, who: str, text: str) -> str:
    """What the answer says, in reading order."""
    with desk.work() as work:
        return shown(report_command(work, desk.member(work, who), text))


def agree(desk: Desk, rule: PeopleFigures, reps: int = 2) -> None:
    """The team's agreement about figures of single people; members beyond the two stand for themselves."""
    team = desk.agreement.teams["emea"]
    people = dict(desk.agreement.people)
    more = tuple(f"rep{n}@acme.example" for n in range(reps - 2))
    people |= {email: replace(people["ben@acme.example"], email=email) for email in more}
    team = replace(team, people_figures=rule, members=(*team.members, *more))
    teams = {**desk.agreement.teams, "emea": team}
    desk.agreement = replace(desk.agreement, people=people, teams=teams)
    with desk.work() as work:
        for email in more:
            ensure_person(work.conn, email, email)


@pytest.mark.parametrize(
    ("rule", "reps", "seen"),
    [
        (PeopleFigures.TEAM, 5, False),
        (PeopleFigures.TEAM, 6, True),
        (PeopleFigures.SELF, 6, False),
        (PeopleFigures.NAMED, 2, True),
    ],
)
def test_a_manager_sees_single_people_as_the_team_agreed(
    desk: Desk, rule: PeopleFigures, reps: int, seen: bool
) -> None:
    agree(desk, rule, reps)
    desk.do(answer_offer.accept, "ann", desk.offer_of(desk.arrives()))
    for manager in ("dana", "vera"):  # the manager, and above
        said = asks(desk, manager, "emea this week")
        assert ("Ann Lee: 1 offered" in said) is seen
        assert ("Everybody sees their own" in said or "their own only" in said) is not seen
    for other in ("ben", "will", "olga", "sam", "ada"):
        said = asks(desk, other, "emea this week")
        assert "Ann Lee" not in said
        assert "1 offered" in said, "totals are everybody's"
    own = asks(desk, "ann", "this week")
    assert "You\n1 offered" in own
    assert "Ann Lee" not in asks(desk, "dana", "this week"), "of the team, not of the company"


def test_a_team_and_a_period_are_read_in_either_order(desk: Desk) -> None:
    team = desk.agreement.teams["emea"]
    teams = {
        name: replace(team, name=name)
        for name in ("emea", "emea north", "R&D", "株式会社", "all hands")
    }
    desk.agreement = replace(desk.agreement, teams=teams)
    with desk.work() as work:
        for asked, name, key in (
            ("", "", "2026-W47"),
            ("emea", "emea", "2026-W47"),
            ("EMEA North this week", "emea north", "2026-W48"),
            ("this week emea north", "emea north", "2026-W48"),
            ("30d 株式会社", "株式会社", "30d-2026-11-23"),
            ("all", "", "all"),
            ("all hands all", "all hands", "all"),
            ("2026-03 emea", "emea", "2026-03"),
        ):
            found, period = read_scope(work, asked)
            assert (found, period.key) == (name, key), asked
    assert asks(desk, "ann", "r&amp;d last week").startswith("Week 47, R&D")


@pytest.mark.parametrize("asked", ["atlantis", "emea sometime", "<!channel>", "2027-01", "x" * 200])
def test_what_is_neither_is_said_with_what_there_is(desk: Desk, asked: str) -> None:
    said = asks(desk, "ann", asked)
    assert "Teams: emea, west" in said
    assert said.count("today, yesterday") == 1, "what can be written, once"


def told(desk: Desk, template: str, key: str, **data: object) -> str:
    """What is sent for a report that was decided, or why nothing is."""
    with desk.work() as work:
        outbox.enqueue_post(
            work.conn, template=template, card_key=key, lane="ch:C0BOTH", priority=4,
            now=work.now, real=work.real, person_id=desk.member(work, "dana").id, data=data,
        )  # fmt: skip
    made = desk.deliver()[key]
    return made.reason if isinstance(made, Drop) else str(made.body["text"])


def test_a_week_without_leads_is_said_once_and_then_no_more(desk: Desk) -> None:
    assert told(desk, "weekly_report", "w47", period="2026-W47") == "nothing_to_say"
    desk.arrives()
    desk.do(answer_offer.reject, "ann", desk.offer_of(1), "not_our_kind")
    desk.now += timedelta(days=7)
    assert told(desk, "weekly_report", "w48", period="2026-W48").startswith("Week 48: 1 offered · ")
    assert told(desk, "weekly_rest", "w48:rest", period="2026-W48") == "no_report"
    desk.now += timedelta(days=14)
    assert told(desk, "weekly_report", "w1", period="from the future") == "unknown_period"
    assert told(desk, "monthly_line", "m11", period="2026-11").startswith(
        "November: 1 offered · 100"
    )
    desk.now = datetime(2027, 1, 5, 9, tzinfo=UTC)
    assert told(desk, "monthly_line", "m12", period="2026-12") == (
        "December 2026: no leads came to sales (1 the month before)."
    )


def test_the_rest_goes_into_the_thread_once_the_report_stands(desk: Desk) -> None:
    desk.arrives()
    desk.now += timedelta(days=7)
    told(desk, "weekly_report", "report:weekly:2026-W48", period="2026-W48")

    with desk.work() as work:
        row = as_row(OutboxRow, work.conn.execute(select(_outbox)).all()[-1])
        assert row.template == "weekly_report"
        for _ in range(2):
            after_sent(work, row)
    (rest,) = desk.deliver().values()
    assert not isinstance(rest, Drop)
    assert rest.thread_of == "report:weekly:2026-W48"


def test_a_morning_is_told_while_it_lasts_and_only_when_there_is_something(desk: Desk) -> None:
    dana = desk.person_id("dana")
    day = {"manager": dana, "day": "2026-11-23"}
    assert told(desk, "manager_digest", "d1", **day) == "nothing_to_say"
    desk.arrives()
    assert told(desk, "manager_digest", "d2", **day).startswith("emea: 1 due today")
    desk.now += timedelta(days=1)
    assert told(desk, "manager_digest", "d3", **day) == "stale"
