"""Claiming and settling the outbox: lanes, leases and fences. Lists instead of floods are in `test_foldings.py`."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from storage import claims, deliveries, outbox, redraws
from storage.claims import Kind, Quota, Wanted, of_one
from storage.deliveries import OutboxRow
from tests.storage.deliveries_kit import NOON, SECOND, Post, one_writer_is_enough

NONE = Quota(0, 0)


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
    assert post.claim("w2") == []  # in doubt: looked for, not sent again
    [looked_for] = post.claim_doubts()
    assert post.put_off(looked_for, timedelta(0))
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
    post.decide("next card")
    post.decide_edit("other card", lane="dm:2")
    for times in (1, 2):
        assert {row.card_key for row in post.claim()} == {"card", "other card"}
        post.now += deliveries.LEASE + SECOND
        rows = {row.card_key: row for row in post.claim()}
        assert (rows["next card"].doubts, rows["other card"].reason) == (0, "")
        [doubtful] = post.claim_doubts()
        assert (doubtful.doubts, doubtful.reason[:11]) == (times, f"in doubt {times}:")
        assert (doubtful.first_try_at, doubtful.doubt_since) == (NOON, post.now)
        for row in (doubtful, *rows.values()):
            assert post.put_off(row, timedelta(0), reason=row.reason)


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
    assert post.claim_keys(paced_lanes=frozenset({"dm:1"}), kinds={Kind.HOME: NONE}) == [
        "other card"
    ]
    post.settle(post_row(post, "other card"))
    assert post.claim_keys(kinds={Kind.POST: NONE, Kind.EDIT: NONE}) == ["home:1"]


def test_the_most_urgent_rows_of_many_lanes_come_first(post: Post) -> None:
    for n in range(4):
        post.decide(f"offer {n}", lane=f"dm:{n}")
    post.decide("breach", lane="dm:9", priority=outbox.PRIORITY_ESCALATION)
    assert post.claim_keys(calls=of_one(2)) == ["breach", "offer 0"]


def test_of_equal_priority_goes_first_whose_turn_is_longest_ago(post: Post) -> None:
    for n in range(70):
        post.decide(f"old {n}", lane=f"dm:{n % 2}")
    post.decide("new", lane="dm:9")
    post.decide("breach", lane="dm:1", priority=outbox.PRIORITY_ESCALATION)
    served = {"dm:0": NOON, "dm:1": NOON - SECOND}
    assert post.claim_keys(calls=of_one(2), served=served) == ["breach", "new"]


def test_conversations_slack_chokes_on_go_last_and_leave_some_for_the_others(post: Post) -> None:
    """However many older messages they have."""
    for n in range(70):
        post.decide(f"old {n}", lane=f"dm:{n % 3}")
    post.decide("new", lane="dm:9")
    post.decide("breach", lane="dm:2", priority=outbox.PRIORITY_ESCALATION)
    calls = Quota(5, 4, 2)
    troubled = frozenset({"dm:0", "dm:1", "dm:2"})
    assert post.claim_keys(calls=calls, troubled=troubled) == ["breach", "old 0", "new"]


def test_paced_lanes_hide_neither_edits_nor_other_lanes(post: Post) -> None:
    for n in range(130):
        post.decide(f"old {n}", lane=f"dm:{n % 2}")
    paced = frozenset({"dm:0"})
    assert post.claim_keys(paced_lanes=paced) == ["old 1"]
    both = frozenset({"dm:0", "dm:1"})
    assert post.claim_keys(paced_lanes=both) == []
    post.decide_edit("card", lane="dm:0")
    assert post.claim_keys(paced_lanes=both) == ["card"]


def test_two_workers_at_once_take_each_row_once_and_one_a_lane(post: Post) -> None:
    for n in range(40):
        post.decide(f"card {n}", lane=f"dm:{n % 8}")
    taken: list[int] = []
    faults: list[BaseException] = []
    start = threading.Barrier(2)

    def work(worker: str) -> None:
        try:
            start.wait()
            while rows := post.claim(worker, calls=of_one(3)):
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
        claims.claim(conn, Wanted(of_one(16)), now=NOON, real=NOON, worker="w1")
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
        redraws.enqueue_redraw(conn, [lead_id], [], now=NOON, real=NOON)
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
