"""Writing down what became of a row. Each method is one short transaction, for the worker pool.

The leads concerned are locked first (the order of locks of the whole house), and every write names the fence: whoever
lost the lease changes nothing and is told so (False). What is not here: Slack.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from bot.logs import get_logger
from bot.services.deliver_rules import Method, Send, Skip, method_of
from bot.services.doubt_rules import DoubtWaits
from bot.services.meter import Seen
from bot.services.work import Work
from storage import cards, deliveries, doubts, foldings, leads, outbox, paces
from storage.database import Database, concerns_all
from storage.deliveries import OutboxRow
from storage.outbox import LISTS
from storage.paces import PaceRow

#: Makes the context of one transaction.
MakeWork = Callable[[Connection], Work]
#: Told within the transaction that settles: a post was delivered; a post can never be delivered, and why.
AfterSent = Callable[[Work, OutboxRow], None]
AfterFailure = Callable[[Work, OutboxRow, str], None]

log = get_logger(__name__)


class Settlement:
    """Settles rows and tells those who want to know."""

    def __init__(
        self, database: Database, make_work: MakeWork, after_sent: AfterSent,
        after_failure: AfterFailure, on_wake: Callable[[], None],
        waits: DoubtWaits = DoubtWaits(),  # noqa: B008 - frozen
    ) -> None:  # fmt: skip
        self._database = database
        self._make_work = make_work
        self._after_sent = after_sent
        self._after_failure = after_failure
        self._on_wake = on_wake
        self._waits = waits

    def wake(self) -> None:
        """Something is to be delivered."""
        self._on_wake()

    def sent(
        self, row: OutboxRow, send: Send, channel: str, ts: str, bar: PaceRow | None = None
    ) -> bool:
        """Slack has it. `bar`: until when other processes leave its conversation alone."""
        with self._open(row, send.names) as work:
            conn = work.conn
            if not deliveries.settle_sent(
                conn, row, channel=channel, ts=ts, real=work.real,
                recheck_at=self._recheck_at(work, row),
            ):  # fmt: skip
                return False
            if bar is not None:
                paces.keep_until(conn, bar)
            if send.method is Method.EDIT:
                cards.save_rendered(conn, row.card_key, send.rendered_hash, send.closed)
            else:
                cards.save_posted(
                    conn, card_key=row.card_key, template=row.template, channel=channel, ts=ts,
                    rendered_hash=send.rendered_hash, now=work.now, closed=send.closed,
                    lead_id=row.lead_id, offer_id=row.offer_id, person_id=row.person_id,
                    clock_id=row.clock_id, round_=int(row.data.get("round", 0)), data=row.data,
                )  # fmt: skip
            if send.method is Method.POST:
                self._tell_sent(work, row)
            self._list_was_shown(work, row, send.names)
            waited = work.now - max(row.show_at, row.created_at)
            what = row.template if send.method is Method.POST else send.method.name.lower()
            work.meter.see(Seen.DELIVERED, waited.total_seconds(), what)
            return True

    def skipped(self, row: OutboxRow, skip: Skip) -> bool:
        """Nothing had to be sent."""
        with self._open(row, skip.names) as work:
            conn = work.conn
            if not deliveries.settle_superseded(
                conn, row, skip.reason, real=work.real, recheck_at=self._recheck_at(work, row)
            ):
                return False
            if skip.shows is not None:
                cards.save_rendered(conn, row.card_key, *skip.shows)
                self._list_was_shown(work, row, skip.names)
            elif skip.cannot_show:
                self._give_back(work, row)
            elif row.template in LISTS and skip.names:  # all it named is over: nobody needs it
                foldings.take_folded(
                    conn, row.card_key, real=work.real, shown=skip.names.get("row_ids", [])
                )
            return True

    def again(
        self, row: OutboxRow, not_before: datetime, reason: str, *, counts: bool = True
    ) -> bool:
        """Try again later."""
        with self._open(row, {}) as work:
            return deliveries.settle_retry(
                work.conn, row, not_before=not_before, reason=reason, real=work.real, counts=counts
            )

    def doubtful(self, row: OutboxRow, cause: str) -> bool:
        """A post that Slack may have. It is looked for before it goes again."""
        with self._open(row, {}) as work:
            return deliveries.settle_doubt(
                work.conn, row, cause, not_before=work.real + self._waits.look, real=work.real
            )

    def found(self, row: OutboxRow, channel: str, ts: str, *, look_again: timedelta | None) -> bool:
        """A post in doubt stands there, as it was rendered then: it is brought up to date at once.

        What a list carried counts as shown when that edit has arrived, not earlier: the message may be of a time when
        the list named less. `look_again`: another one stands there too, or may still come; None: certainly not.
        """
        with self._open(row, {}) as work:
            conn = work.conn
            then = work.real + look_again if look_again is not None else None
            if not deliveries.settle_sent(
                conn, row, channel=channel, ts=ts, real=work.real, recheck_at=then
            ):
                return False
            self._stands_at(work, row, channel, ts)
            self._tell_sent(work, row)
            return True

    def kept(self, row: OutboxRow, channel: str, ts: str) -> bool:
        """Of two that stand there this is the older one: the card points at it from now on, and is edited there."""
        with self._open(row, {}) as work:
            if not doubts.settle_kept(work.conn, row, channel=channel, ts=ts):
                return False
            card = cards.read_card(work.conn, row.card_key)
            if card is None or (card.slack_channel, card.slack_ts) != (channel, ts):
                self._stands_at(work, row, channel, ts)
                if row.state == "superseded":  # not sent again, and there after all
                    self._tell_sent(work, row)
            return True

    def failed(
        self, row: OutboxRow, error: str, names: dict[str, Any], *, edited_ts: str = ""
    ) -> bool:
        """It can never be delivered. Of a post, those who must know are told, for each row that a list carried.

        `edited_ts`: the message that an edit was for; when the card stands elsewhere by now, nothing is wrong with it.
        What `after_failure` raises is raised here, and nothing is written: a lost message must not be lost silently.
        """
        with self._open(row, names) as work:
            if not deliveries.settle_dead(work.conn, row, error, real=work.real):
                return False
            if method_of(row) is Method.EDIT:
                card = cards.read_card(work.conn, row.card_key)
                if edited_ts and card is not None and card.slack_ts != edited_ts:
                    self._bring_up_to_date(work, row)
                    return True
                cards.close_card(work.conn, row.card_key)
                self._give_back(work, row)
            elif method_of(row) is Method.POST:
                carried = [row]
                if row.template in LISTS:
                    carried = foldings.take_folded(
                        work.conn, row.card_key, real=work.real, state="dead"
                    )
                for lost in carried:
                    self._after_failure(work, lost, error)
            return True

    def skipped_in_doubt(self, row: OutboxRow, reason: str) -> bool:
        """Rather lost than shown twice, and nobody needs to be told."""
        with self._open(row, {}) as work:
            return deliveries.settle_dead(work.conn, row, reason, real=work.real)

    def _recheck_at(self, work: Work, row: OutboxRow) -> datetime | None:
        """Whether an earlier send may come to light, and when that is looked up."""
        if not row.doubts or method_of(row) is not Method.POST:
            return None
        return work.real + self._waits.look_again

    def _stands_at(self, work: Work, row: OutboxRow, channel: str, ts: str) -> None:
        """The card is that message; nobody knows what it shows."""
        cards.save_posted(
            work.conn, card_key=row.card_key, template=row.template, channel=channel, ts=ts,
            rendered_hash="", now=work.now, closed=False, lead_id=row.lead_id,
            offer_id=row.offer_id, person_id=row.person_id, clock_id=row.clock_id,
            round_=int(row.data.get("round", 0)), data=row.data,
        )  # fmt: skip
        self._bring_up_to_date(work, row)

    def _bring_up_to_date(self, work: Work, row: OutboxRow) -> None:
        outbox.enqueue_edit(
            work.conn, template=row.template, card_key=row.card_key, lane=row.lane, now=work.now,
            real=work.real, lead_id=row.lead_id, offer_id=row.offer_id, person_id=row.person_id,
            clock_id=row.clock_id, data=row.data, priority=row.priority,
        )  # fmt: skip
        work.wake = True

    @contextmanager
    def _open(self, row: OutboxRow, names: dict[str, Any]) -> Iterator[Work]:
        concerned = {row.lead_id, *names.get("lead_ids", [])} - {None}
        with self._database.write() as conn:
            for lead_id in sorted(int(i) for i in concerned if i is not None):
                leads.lock_lead(conn, lead_id)
            work = self._make_work(conn)
            yield work
        if work.wake:
            self._on_wake()

    def _list_was_shown(self, work: Work, row: OutboxRow, names: dict[str, Any]) -> None:
        if row.template not in LISTS:
            return
        shown = names.get("row_ids", [])
        for carried in foldings.take_folded(work.conn, row.card_key, real=work.real, shown=shown):
            self._tell_sent(work, carried)

    def _give_back(self, work: Work, row: OutboxRow) -> None:
        if row.template in LISTS and foldings.give_back(work.conn, row.card_key, real=work.real):
            work.wake = True

    def _tell_sent(self, work: Work, row: OutboxRow) -> None:
        """A bug in there must not undo that the message was sent: it would be sent again and again."""
        try:
            with work.conn.begin_nested():
                self._after_sent(work, row)
        except Exception as error:
            if concerns_all(error):
                raise
            log.exception("after_sent_failed", row=row.id, template=row.template)
