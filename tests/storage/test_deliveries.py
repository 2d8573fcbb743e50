"""Claiming and settling the outbox: lanes, leases, fences, and lists instead of floods."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from storage import cards, deliveries, foldings, outbox
from storage.database import Database
from storage.deliveries import OutboxRow
from storage.models import Leads, Outbox, People
from storage.rows import insert, table_of

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
_outbox = table_of(Outbox)
SECOND = timedelta(seconds=1)


class Post:
    """An outbox and two workers on it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now = NOON  # business and real time alike

    def person(self, name: str) -> int:
        with self.database.write() as conn:
            return insert(conn, table_of(People), email=f"{name}@acme.example", name=name)

    def lead(self) -> int:
        with self.database.write() as conn:
            return insert(
                conn, table_of(Leads), status="offered", source="form", external_id="1",
                arrived_at=NOON, occurred_at=NOON, status_at=NOON, reasons=[], score_reasons=[],
                extra={},
            )  # fmt: skip

    def decide(self, key: str, lane: str = "dm:1", **more: Any) -> None:
        with self.database.write() as conn:
            values: dict[str, Any] = {
                "template": "lead_card", "priority": outbox.PRIORITY_OFFER, "card_key": key,
                "lane": lane, "now": self.now, "real": self.now, **more,
            }  # fmt: skip
            assert outbox.enqueue_post(conn, **values)

    def decide_edit(self, key: str, lane: str = "dm:1", **more: Any) -> bool:
        with self.database.write() as conn:
            return outbox.enqueue_edit(
                conn, template="lead_card", card_key=key, lane=lane, now=self.now, real=self.now,
                **more,
            )  # fmt: skip

    def claim(self, worker: str = "w1", **more: Any) -> list[OutboxRow]:
        with self.database.write() as conn:
            return deliveries.claim(
                conn, now=self.now, real=self.now, worker=worker, **{"limit": 16, **more}
            )

    def claim_keys(self, **more: Any) -> list[str]:
        return [row.card_key for row in self.claim(**more)]

    def settle(self, row: OutboxRow) -> bool:
        with self.database.write() as conn:
            return deliveries.settle_sent(conn, row, channel="D1", ts="1.2", real=self.now)

    def put_off(self, row: OutboxRow, wait: timedelta = SECOND, reason: str = "no answer") -> bool:
        with self.database.write() as conn:
            return deliveries.settle_retry(
                conn, row, not_before=self.now + wait, reason=reason, real=self.now
            )

    def rows(self, **where: Any) -> list[Any]:
        query = select(_outbox).order_by(_outbox.c.id)
        for name, value in where.items():
            query = query.where(_outbox.c[name] == value)
        with self.database.read() as conn:
            return list(conn.execute(query))

    def states(self) -> dict[str, str]:
        return {row.dedupe_key: row.state for row in self.rows(edits=False)}

    def fold(self) -> int:
        with self.database.write() as conn:
            floods = foldings.find_floods(conn, now=self.now)
            return sum(foldings.fold(conn, flood, now=self.now, real=self.now) for flood in floods)

    def posted(self, key: str, person: int, template: str, **more: Any) -> None:
        with self.database.write() as conn:
            cards.save_posted(
                conn, card_key=key, template=template, channel="D1", ts="1.1", rendered_hash="",
                now=self.now, closed=False, person_id=person, **more,
            )  # fmt: skip


@pytest.fixture
def post(database_url: str) -> Iterator[Post]:
    database = Database(database_url)
    yield Post(database)
    database.dispose()


def one_writer_is_enough(post: Post) -> None:
    if post.database.is_sqlite:
        pytest.skip("SQLite has one writer at a time: this cannot happen")


def test_a_lane_has_one_row_in_flight_and_goes_on_when_it_is_settled(post: Post) -> None:
    post.decide("first")
    post.decide("second")
    post.decide("elsewhere", lane="dm:2")

    claimed = post.claim()
    assert [row.card_key for row in claimed] == ["first", "elsewhere"]
    assert post.claim("w2") == []

    assert post.settle(claimed[0])
    assert post.claim_keys(worker="w2") == ["second"]


def test_within_a_lane_escalations_go_first_then_offers_then_edits_oldest_first(
    post: Post,
) -> None:
    post.decide_edit("old card")
    post.decide("offer")
    post.decide("later offer")
    post.decide("news", template="news_line", priority=outbox.PRIORITY_REST)
    post.decide("breach", template="escalation", priority=outbox.PRIORITY_ESCALATION)

    order = []
    while rows := post.claim():
        order.append(rows[0].card_key)
        post.settle(rows[0])
    assert order == ["breach", "offer", "later offer", "old card", "news"]


def test_nothing_is_shown_before_its_opening_nor_tried_before_its_backoff(post: Post) -> None:
    post.decide("tomorrow", show_at=NOON + timedelta(hours=20))
    post.decide("shaky")
    assert post.put_off(post.claim()[0], timedelta(seconds=30))

    assert post.claim_keys() == []
    post.decide("fresh")
    assert post.claim_keys() == ["fresh"]  # what is put off does not hold up the lane
    post.settle(post_row(post, "fresh"))
    post.now += timedelta(seconds=30)
    assert post.claim_keys() == ["shaky"]


def post_row(post: Post, key: str) -> OutboxRow:
    [row] = post.rows(card_key=key)
    with post.database.read() as conn:
        found = deliveries.read_delivery(conn, row.id)
    assert found is not None
    return found


def test_claiming_counts_attempts_keeps_the_first_try_and_raises_the_fence(post: Post) -> None:
    post.decide("card")
    [first] = post.claim()
    assert (first.attempts, first.fence, first.first_try_at) == (1, 1, NOON)
    assert first.lease_until == NOON + deliveries.LEASE
    post.put_off(first)
    post.now += timedelta(seconds=5)
    [second] = post.claim()
    assert (second.attempts, second.fence, second.first_try_at) == (2, 2, NOON)


def test_being_told_to_wait_is_no_attempt(post: Post) -> None:
    post.decide("card")
    [row] = post.claim()
    with post.database.write() as conn:
        deliveries.settle_retry(conn, row, not_before=NOON, reason="busy", real=NOON, counts=False)
    assert post_row(post, "card").attempts == 0


def test_who_lost_the_lease_settles_nothing(post: Post) -> None:
    post.decide("card")
    [stalled] = post.claim("w1")
    post.now += deliveries.LEASE + SECOND
    [taken_over] = post.claim("w2")
    assert taken_over.id == stalled.id

    assert not post.settle(stalled)
    assert not post.put_off(stalled)
    with post.database.write() as conn:
        assert not deliveries.settle_dead(conn, stalled, "user_disabled", real=post.now)
        assert not deliveries.settle_superseded(conn, stalled, "closed", real=post.now)
    assert post_row(post, "card").claimed_by == "w2"
    assert post.settle(taken_over)


def test_a_post_whose_lease_ran_out_is_in_doubt_and_counted_an_edit_is_just_done_again(
    post: Post,
) -> None:
    post.decide("card")
    post.decide_edit("other card", lane="dm:2")
    for times in (1, 2):
        post.claim()
        post.now += deliveries.LEASE + SECOND
        rows = {row.card_key: row for row in post.claim()}
        assert rows["card"].reason.startswith(f"in doubt {2 * times - 1}")
        assert rows["card"].first_try_at == NOON
        assert rows["other card"].reason == ""
        post.now += deliveries.LEASE + SECOND


def test_a_lease_is_not_ended_early(post: Post) -> None:
    post.decide("card")
    post.claim("w1")
    post.now += deliveries.LEASE
    assert post.claim("w2") == []


def test_edits_of_a_card_join_until_one_is_claimed(post: Post) -> None:
    assert post.decide_edit("card")
    assert not post.decide_edit("card")
    [edit] = post.claim()
    assert post.decide_edit("card")  # the claimed one may show the older state
    assert post.put_off(edit)  # gives way to the newer
    assert [row.state for row in post.rows(card_key="card")] == ["superseded", "pending"]


def test_an_edit_whose_lease_ran_out_gives_way_to_a_newer_one(post: Post) -> None:
    post.decide_edit("card")
    [old] = post.claim()
    post.decide_edit("card")
    post.now += deliveries.LEASE + SECOND
    [new] = post.claim("w2")
    assert new.id != old.id
    assert post_states(post, "card") == ["superseded", "sending"]


def post_states(post: Post, key: str) -> list[str]:
    return [row.state for row in post.rows(card_key=key)]


def test_a_paced_lane_gets_no_post_but_edits_and_a_paused_method_nothing(post: Post) -> None:
    post.decide("card")
    post.decide_edit("other card")
    post.decide("home:1", template="home", lane="home:1", priority=outbox.PRIORITY_REST)
    assert post.claim_keys(paced_lanes=["dm:1"], homes=False) == ["other card"]
    post.settle(post_row(post, "other card"))
    assert post.claim_keys(posts=False, edits=False) == ["home:1"]


def test_the_most_urgent_rows_of_many_lanes_come_first(post: Post) -> None:
    for n in range(4):
        post.decide(f"offer {n}", lane=f"dm:{n}")
    post.decide("breach", lane="dm:9", priority=outbox.PRIORITY_ESCALATION)
    assert post.claim_keys(limit=2) == ["breach", "offer 0"]


def test_two_workers_at_once_take_each_row_once_and_one_a_lane(post: Post) -> None:
    for n in range(40):
        post.decide(f"card {n}", lane=f"dm:{n % 8}")
    taken: list[int] = []
    faults: list[BaseException] = []
    start = threading.Barrier(2)

    def work(worker: str) -> None:
        try:
            start.wait()
            while rows := post.claim(worker, limit=3):
                for row in rows:
                    taken.append(row.id)
                    assert post.settle(row)
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=work, args=(f"w{n}",)) for n in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while rows := post.claim("w3"):  # both may have stopped while the other held the last lanes
        for row in rows:
            taken.append(row.id)
            assert post.settle(row)
    assert not faults
    assert sorted(taken) == sorted(row.id for row in post.rows())


def test_a_claim_that_comes_second_to_a_lane_takes_the_others(post: Post) -> None:
    """The first has taken an offer of the lane; before it commits, a breach comes in, which goes before offers."""
    one_writer_is_enough(post)
    post.decide("offer")
    taken: list[str] = []
    second = threading.Thread(target=lambda: taken.extend(post.claim_keys(worker="w2")))
    with post.database.write() as conn:
        deliveries.claim(conn, now=NOON, real=NOON, worker="w1", limit=16)
        post.decide("breach", priority=outbox.PRIORITY_ESCALATION)
        post.decide("elsewhere", lane="dm:2")
        second.start()
        second.join(0.5)
        assert second.is_alive()  # it waits to see whether the first holds the lane
    second.join()
    assert taken == ["elsewhere"]


@pytest.mark.parametrize("what", ["edit", "post"])
def test_what_a_change_relies_on_is_not_claimed_before_the_change_is_there(
    post: Post, what: str
) -> None:
    """A change that joins a pending message must be seen by whoever renders that message."""
    lead_id = post.lead()
    if what == "edit":
        post.decide_edit("card", lead_id=lead_id)
        post.posted("card", post.person("ann"), "lead_card", lead_id=lead_id)
    else:
        post.decide("card", lead_id=lead_id)
    one_writer_is_enough(post)
    with post.database.write() as conn:
        outbox.enqueue_card_edits(conn, lead_id, now=NOON, real=NOON)
        assert post.claim() == []  # another connection: our change cannot be seen yet
    assert post.claim_keys() == ["card"]


def test_the_backlog_is_counted(post: Post) -> None:
    post.decide("old")
    post.now += timedelta(minutes=20)
    post.decide("new", lane="dm:2")
    post.decide("hopeless", lane="dm:3")
    [row] = [row for row in post.claim() if row.card_key == "hopeless"]
    with post.database.write() as conn:
        deliveries.settle_dead(conn, row, "is_archived", real=post.now)
        backlog = deliveries.read_backlog(conn, now=post.now, age=timedelta(minutes=10))
    assert backlog == deliveries.Backlog(pending=0, late=1, sending=2, dead=1)
    assert post_row(post, "hopeless").reason == "is_archived"


# Floods


def offers_come(post: Post, person: int, numbers: range) -> None:
    for n in numbers:
        post.decide(f"card:{n}", lane=f"dm:{person}", person_id=person, offer_id=f"o{n}")


def test_five_offers_stay_single_six_become_one_list(post: Post) -> None:
    ann = post.person("ann")
    offers_come(post, ann, range(1, 6))
    assert post.fold() == 0
    offers_come(post, ann, range(6, 7))
    assert post.fold() == 6

    [message] = post.rows(template="offers_list")
    assert message.state == "pending"
    assert message.data["offer_ids"] == [f"o{n}" for n in range(1, 7)]
    assert message.card_key == f"offers_list:{ann}:{post.rows()[0].id}"
    assert {row.state for row in post.rows(template="lead_card")} == {"folded"}
    assert {row.reason for row in post.rows(template="lead_card")} == {message.card_key}
    assert post.claim_keys() == [message.card_key]


def test_what_somebody_got_lately_counts_what_they_got_before_does_not(post: Post) -> None:
    ann, ben = post.person("ann"), post.person("ben")
    for n in range(3):
        post.posted(f"card:a{n}", ann, "lead_card")
    post.now += timedelta(minutes=10)
    for n in range(3):
        post.posted(f"card:b{n}", ben, "lead_card")
    post.now += timedelta(minutes=1)
    offers_come(post, ann, range(1, 4))
    offers_come(post, ben, range(11, 14))
    assert post.fold() == 3
    assert {row.person_id for row in post.rows(state="folded")} == {ben}


def test_one_persons_flood_is_not_anothers(post: Post) -> None:
    ann, ben = post.person("ann"), post.person("ben")
    offers_come(post, ann, range(1, 5))
    offers_come(post, ben, range(11, 15))
    assert post.fold() == 0


def test_what_waits_for_the_opening_is_not_counted_yet(post: Post) -> None:
    ann = post.person("ann")
    offers_come(post, ann, range(1, 5))
    for n in (5, 6):
        post.decide(f"card:{n}", lane=f"dm:{ann}", person_id=ann, show_at=NOON + timedelta(hours=2))
    assert post.fold() == 0
    post.now += timedelta(hours=2)
    assert post.fold() == 6


def test_later_offers_join_the_list_that_waits(post: Post) -> None:
    ann = post.person("ann")
    offers_come(post, ann, range(1, 7))
    post.fold()
    offers_come(post, ann, range(7, 8))
    assert post.fold() == 1
    [message] = post.rows(template="offers_list")
    assert message.data["offer_ids"] == [f"o{n}" for n in range(1, 8)]


def test_later_offers_join_the_list_that_was_posted_by_an_edit_for_ten_minutes(
    post: Post,
) -> None:
    ann = post.person("ann")
    offers_come(post, ann, range(1, 7))
    post.fold()
    [message] = post.claim()
    offers_come(post, ann, range(7, 8))
    assert post.fold() == 0  # it is being sent: its card is there in a moment
    post.posted(message.card_key, ann, "offers_list", data=message.data)
    post.settle(message)

    assert post.fold() == 1
    with post.database.read() as conn:
        card = cards.read_card(conn, message.card_key)
    assert card is not None
    assert card.data["offer_ids"] == [f"o{n}" for n in range(1, 8)]
    assert [row.template for row in post.rows(edits=True)] == ["offers_list"]

    post.now += timedelta(minutes=11)
    offers_come(post, ann, range(8, 9))
    assert post.fold() == 0
    assert post.states()["card:8"] == "pending"


def test_what_may_have_been_posted_stays_single(post: Post) -> None:
    ann = post.person("ann")
    offers_come(post, ann, range(1, 2))
    [row] = post.claim()
    post.put_off(row, reason=deliveries.doubt("", "http 500"))
    offers_come(post, ann, range(2, 8))
    assert post.fold() == 6
    assert post.states()["card:1"] == "pending"


def test_breaches_fold_too_and_name_their_clocks(post: Post) -> None:
    dana = post.person("dana")
    for n in range(6):
        post.decide(
            f"esc:{n}", lane=f"dm:{dana}", template="escalation", person_id=dana, clock_id=n + 1,
            priority=outbox.PRIORITY_ESCALATION,
        )  # fmt: skip
    assert post.fold() == 6
    [message] = post.rows(template="breach_list")
    assert message.priority == outbox.PRIORITY_ESCALATION
    assert message.data["clock_ids"] == [1, 2, 3, 4, 5, 6]


def test_what_a_list_never_showed_is_given_back_and_folded_anew(post: Post) -> None:
    ann = post.person("ann")
    offers_come(post, ann, range(1, 7))
    post.fold()
    [message] = post.rows(template="offers_list")
    shown = message.data["row_ids"][:2]
    with post.database.write() as conn:
        assert len(foldings.take_folded(conn, message.card_key, real=NOON, shown=shown)) == 2
        assert foldings.give_back(conn, message.card_key, real=NOON) == 4
    with post.database.write() as conn:
        conn.execute(_outbox.update().where(_outbox.c.id == message.id).values(state="dead"))
    offers_come(post, ann, range(7, 10))
    assert post.fold() == 7
    assert len(post.rows(template="offers_list")) == 2


def test_rows_that_another_worker_is_folding_are_left_to_it(post: Post) -> None:
    one_writer_is_enough(post)
    ann = post.person("ann")
    offers_come(post, ann, range(1, 7))
    with post.database.write() as conn:
        [flood] = foldings.find_floods(conn, now=NOON)
        assert foldings.fold(conn, flood, now=NOON, real=NOON) == 6
        assert post.fold() == 0
    assert len(post.rows(template="offers_list")) == 1


def test_two_workers_fold_a_flood_once(post: Post) -> None:
    ann = post.person("ann")
    offers_come(post, ann, range(1, 21))
    faults: list[BaseException] = []
    start = threading.Barrier(2)

    def work() -> None:
        try:
            start.wait()
            post.fold()
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    named = [i for row in post.rows(template="offers_list") for i in row.data["offer_ids"]]
    assert sorted(named) == sorted(f"o{n}" for n in range(1, 21))


def test_lists_of_those_concerned_are_edited_for_a_day(post: Post) -> None:
    ann, ben = post.person("ann"), post.person("ben")
    post.posted("offers_list:1", ann, "offers_list")
    post.posted("breach_list:1", ben, "breach_list")
    with post.database.write() as conn:
        assert outbox.enqueue_list_edits(conn, [ann], now=NOON, real=NOON) == 1
        assert outbox.enqueue_list_edits(conn, [ann], now=NOON, real=NOON) == 0  # joined
        later = NOON + timedelta(days=1, seconds=1)
        assert outbox.enqueue_list_edits(conn, [ann, ben], now=later, real=later) == 0
    assert [row.card_key for row in post.rows()] == ["offers_list:1"]


def test_a_list_that_is_being_posted_is_edited_afterwards(post: Post) -> None:
    ann = post.person("ann")
    offers_come(post, ann, range(1, 7))
    post.fold()
    with post.database.write() as conn:
        assert outbox.enqueue_list_edits(conn, [ann], now=NOON, real=NOON) == 0  # renders later
    [message] = post.claim()
    with post.database.write() as conn:
        assert outbox.enqueue_list_edits(conn, [ann], now=NOON, real=NOON) == 1
    assert post.rows(edits=True)[0].card_key == message.card_key
