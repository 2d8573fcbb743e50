"""What a Slack that does not answer must not do to reps and leads."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from bot.services.follow_delivery import after_sent
from storage import clocks, offers
from tests.services.desk_kit import Desk
from tests.services.test_regressions_clocks import posts_in


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    desk = Desk(database_url)
    yield desk
    desk.database.dispose()


def test_an_offer_that_nobody_has_seen_does_not_lapse(desk: Desk) -> None:
    desk.slack_works = False
    lead = desk.arrives()
    desk.forward(61)  # three times the twenty minutes
    assert desk.lead(lead).lapses == 0
    with desk.work() as work:
        after_sent(work, posts_in(work, "lead_card")[0])
        offer = offers.list_offers(work.conn, lead)[0]
        accept = next(c for c in clocks.list_clocks(work.conn, lead) if c.kind == "accept")
    assert offer.state == "open"
    assert accept.due_at == desk.now + timedelta(minutes=20)
    desk.slack_works = True
    desk.forward(21)
    assert desk.lead(lead).lapses == 1
