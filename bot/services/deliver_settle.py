"""Writing down what became of a row. Each method is one short transaction, for the worker pool.

The leads concerned are locked first (the order of locks of the whole house), and every write names the fence: whoever
lost the lease changes nothing and is told so (False). What is not here: Slack.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from bot.logs import get_logger
from bot.services.deliver_rules import Method, Send, Skip, method_of
from bot.services.work import Work
from storage import cards, deliveries, foldings, leads
from storage.database import Database, is_passing
from storage.deliveries import OutboxRow
from storage.outbox import LISTS

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
    ) -> None:  # fmt: skip
        self._database = database
        self._make_work = make_work
        self._after_sent = after_sent
        self._after_failure = after_failure
        self._on_wake = on_wake

    def sent(self, row: OutboxRow, send: Send, channel: str, ts: str) -> bool:
        """Slack has it."""
        with self._open(row, send.names) as work:
            conn = work.conn
            if not deliveries.settle_sent(conn, row, channel=channel, ts=ts, real=work.real):
                return False
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
            return True

    def skipped(self, row: OutboxRow, skip: Skip) -> bool:
        """Nothing had to be sent."""
        with self._open(row, skip.names) as work:
            conn = work.conn
            if not deliveries.settle_superseded(conn, row, skip.reason, real=work.real):
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

    def failed(self, row: OutboxRow, error: str, names: dict[str, Any]) -> bool:
        """It can never be delivered. Of a post, those who must know are told, for each row that a list carried.

        What `after_failure` raises is raised here, and nothing is written: a lost message must not be lost silently.
        """
        with self._open(row, names) as work:
            if not deliveries.settle_dead(work.conn, row, error, real=work.real):
                return False
            if method_of(row) is Method.EDIT:
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
            if isinstance(error, DBAPIError) and is_passing(error):
                raise
            log.exception("after_sent_failed", row=row.id, template=row.template)
