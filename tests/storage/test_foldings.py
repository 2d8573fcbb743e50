"""Folding the outbox: a flood of offers or breaches becomes one list, and the list is kept up to date."""

from __future__ import annotations

import threading
from datetime import timedelta

from storage import cards, deliveries, foldings, outbox, redraws
from storage.models import Outbox
from storage.rows import table_of
from tests.storage.deliveries_kit import NOON, Post, one_writer_is_enough

_outbox = table_of(Outbox)


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


def test_offers_that_join_a_list_do_not_wait_behind_redrawings(post: Post) -> None:
    ann = post.person("ann")
    post.posted("offers_list:1", ann, "offers_list", data={})
    with post.database.write() as conn:
        assert redraws.enqueue_redraw(conn, [], [ann], now=NOON, real=NOON) == 1
    offers_come(post, ann, range(1, 2))
    assert post.fold() == 1
    assert [row.priority for row in post.rows(edits=True)] == [outbox.PRIORITY_OFFER]


def test_what_may_have_been_posted_stays_single(post: Post) -> None:
    ann = post.person("ann")
    offers_come(post, ann, range(1, 2))
    [row] = post.claim()
    with post.database.write() as conn:
        assert deliveries.settle_doubt(conn, row, "http 500", not_before=NOON, real=NOON)
    [row] = post.claim_doubts()
    post.put_off(row)  # not found: sent again
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


def test_reminders_become_one_that_calls_again_and_never_joins_an_older_one(post: Post) -> None:
    ann = post.person("ann")

    def reminders_come(numbers: range) -> None:
        for n in numbers:
            post.decide(
                f"remind:{n}:1", template="reminder", lane=f"dm:{ann}", person_id=ann, clock_id=n
            )

    reminders_come(range(6))
    assert post.fold() == 6
    [message] = post.rows(template="reminders_list")
    assert message.data["clock_ids"] == list(range(6))
    with post.database.write() as conn:
        conn.execute(_outbox.update().where(_outbox.c.id == message.id).values(state="sent"))
    post.posted(message.card_key, ann, "reminders_list", data=message.data)
    reminders_come(range(6, 7))
    assert post.fold() == 0, "an edit calls nobody"


def test_rows_that_another_worker_is_folding_are_left_to_it(post: Post) -> None:
    one_writer_is_enough(post)
    ann = post.person("ann")
    offers_come(post, ann, range(1, 7))
    with post.database.write() as conn:
        [flood] = foldings.find_floods(conn, now=NOON, lanes=post.lanes())
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
        assert redraws.enqueue_redraw(conn, [], [ann], now=NOON, real=NOON) == 1
        assert redraws.enqueue_redraw(conn, [], [ann], now=NOON, real=NOON) == 0  # joined
        later = NOON + timedelta(days=1, seconds=1)
        assert redraws.enqueue_redraw(conn, [], [ann, ben], now=later, real=later) == 0
    assert [row.card_key for row in post.rows()] == ["offers_list:1"]


def test_a_list_that_is_being_posted_is_edited_afterwards(post: Post) -> None:
    ann = post.person("ann")
    offers_come(post, ann, range(1, 7))
    post.fold()
    with post.database.write() as conn:
        assert redraws.enqueue_redraw(conn, [], [ann], now=NOON, real=NOON) == 0  # renders later
    [message] = post.claim()
    with post.database.write() as conn:
        assert redraws.enqueue_redraw(conn, [], [ann], now=NOON, real=NOON) == 1
    assert post.rows(edits=True)[0].card_key == message.card_key
