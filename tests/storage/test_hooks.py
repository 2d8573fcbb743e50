"""The rows for the webhook receiver: strict order within a lead, fences, leases, and how the receiver is remembered."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from storage import deliveries, hooks
from storage.deliveries import OutboxRow
from storage.outbox import HOOK, PRIORITY_REST
from tests.storage.deliveries_kit import SECOND, Post, one_writer_is_enough

DAY = timedelta(days=1)
KEY = "0" * 64


def tell(post: Post, lead: str, *seqs: int) -> None:
    for seq in seqs:
        post.decide(
            f"hook:{lead}:{seq}", f"hook:{lead}", way=HOOK, template="webhook",
            priority=PRIORITY_REST,
        )  # fmt: skip


def claim(post: Post, worker: str = "w1", limit: int = 8, **more: Any) -> list[OutboxRow]:
    with post.database.write() as conn:
        return hooks.claim(conn, real=post.now, worker=worker, limit=limit, **more)


def keys(rows: list[OutboxRow]) -> list[str]:
    return [row.card_key.removeprefix("hook:") for row in rows]


def sent(post: Post, row: OutboxRow) -> bool:
    with post.database.write() as conn:
        return hooks.settle_sent(conn, row, real=post.now)


def put_off(post: Post, row: OutboxRow, seconds: float, **more: Any) -> bool:
    until = post.now + timedelta(seconds=seconds)
    with post.database.write() as conn:
        return hooks.settle_retry(conn, row, not_before=until, reason="http_500", **more)


def test_a_row_that_waits_holds_back_its_lead_and_nobody_else(post: Post) -> None:
    tell(post, "A", 1, 2, 3)
    tell(post, "B", 1, 2)
    first, other = claim(post)
    assert keys([first, other]) == ["A:1", "B:1"]
    assert claim(post) == []
    assert put_off(post, first, 60)
    assert sent(post, other)
    assert keys(claim(post)) == ["B:2"]
    post.now += 60 * SECOND
    (again,) = claim(post)
    assert keys([again]) == ["A:1"]
    assert again.delivery_id == first.delivery_id, "the id is the same for every try"
    assert sent(post, again)
    (second,) = claim(post)
    with post.database.write() as conn:
        assert hooks.settle_dead(conn, second, "http_400", real=post.now)
    assert keys(claim(post)) == ["A:3"], "what is given up holds back nobody"


def test_whoever_lost_the_lease_changes_nothing(post: Post) -> None:
    tell(post, "A", 1)
    (stalled,) = claim(post, "w1")
    post.now += hooks.LEASE + SECOND
    (fresh,) = claim(post, "w2")
    assert fresh.fence > stalled.fence
    assert not sent(post, stalled)
    assert not put_off(post, stalled, 9)
    with post.database.write() as conn:
        assert not hooks.settle_dead(conn, stalled, "late", real=post.now)
    assert sent(post, fresh)


def test_slack_and_the_receiver_do_not_touch_each_others_rows(post: Post) -> None:
    lead = post.lead()
    tell(post, str(lead), 1)
    post.decide("card:1", lead_id=lead)
    assert [row.template for row in post.claim()] == ["lead_card"]
    (row,) = claim(post)
    post.now += hooks.LEASE + SECOND
    assert post.claim() == []
    assert set(post.states().values()) == {"doubt", "sending"}, "only Slack's lease ran out here"
    with post.database.write() as conn:
        assert deliveries.end_leases_of_the_dead(conn, real=post.now) == 0
        assert hooks.end_leases_of_the_dead(conn, real=post.now) == 1
    (again,) = claim(post)
    assert (again.id, again.attempts, again.reason) == (
        row.id, 2, "nobody said what became of it",
    )  # fmt: skip


def test_a_probe_goes_to_who_was_tried_least(post: Post) -> None:
    tell(post, "A", 1)
    assert put_off(post, claim(post)[0], 0)
    tell(post, "B", 1)
    assert keys(claim(post, limit=1, probing=True)) == ["B:1"]
    assert keys(claim(post, limit=1, probing=True)) == ["A:1"]


def test_what_was_not_sent_was_no_attempt(post: Post) -> None:
    tell(post, "A", 1)
    assert put_off(post, claim(post)[0], 0, counts=False)
    post.now += SECOND
    (row,) = claim(post)
    assert (row.attempts, row.first_try_at) == (1, post.now), "its three days begin now"


def test_two_workers_share_nothing(post: Post) -> None:
    one_writer_is_enough(post)
    for lead in range(6):
        tell(post, str(lead), 1, 2)
    with post.database.write() as one:
        mine = hooks.claim(one, real=post.now, worker="w1", limit=3)
        theirs = claim(post, "w2")
    assert keys(mine) == ["0:1", "1:1", "2:1"]
    assert keys(theirs) == ["3:1", "4:1", "5:1"]


def test_the_receiver_is_remembered(post: Post) -> None:
    with post.database.write() as conn:
        assert hooks.read_receiver(conn, KEY) is None
        began = post.now
        hooks.note_failure(conn, KEY, "timeout", real=began)
        known = hooks.note_failure(conn, KEY, "http_500", real=began + SECOND)
        assert (known.failures, known.failing_since) == (2, began)
        assert known.last_failure == "http_500"
        assert hooks.note_ok(conn, KEY, real=began + 2 * SECOND) == 2
        assert hooks.note_ok(conn, KEY, real=began + 3 * SECOND) == 0
        fine = hooks.read_receiver(conn, KEY)
        assert fine is not None
        assert (fine.failures, fine.failing_since) == (0, None)
        assert fine.last_ok_at == began + 2 * SECOND, "not a write for every delivery"
        assert hooks.disable(conn, KEY, real=post.now)
        assert not hooks.disable(conn, KEY, real=post.now), "one call did it"
        assert hooks.enable(conn, KEY)
        assert not hooks.enable(conn, KEY)


def test_what_waited_is_sent_anew_or_dropped(post: Post) -> None:
    tell(post, "A", 1, 2)
    assert put_off(post, claim(post)[0], 3600)
    with post.database.write() as conn:
        assert hooks.count_tried(conn) == 1
        assert hooks.hasten(conn, real=post.now) == 1
    assert put_off(post, claim(post)[0], 3600)
    post.now += 5 * DAY
    with post.database.write() as conn:
        assert hooks.start_anew(conn, real=post.now) == 2
    (row,) = claim(post)
    assert (row.attempts, row.first_try_at) == (1, post.now)
    with post.database.write() as conn:
        assert hooks.read_backlog(conn).waiting == 2
        assert hooks.drop_waiting(conn, "dropped by an admin", real=post.now) == 1
        assert hooks.read_backlog(conn).waiting == 1
