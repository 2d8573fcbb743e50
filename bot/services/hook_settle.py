"""Writing down what became of a webhook, and of its receiver. Each method is one short transaction, for the pool.

The lead is locked first where the journal is written, and every write names the fence: whoever lost the lease changes
nothing. What is not here: HTTP, pacing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Connection

from bot.domain.agreement import Role
from bot.gateways.webhook_answers import Answer
from bot.services.hook_rules import HookRules
from bot.services.move_lead import write
from bot.services.work import Work
from storage import hooks, leads, outbox
from storage.database import Database
from storage.deliveries import OutboxRow

MakeWork = Callable[[Connection], Work]

NOTICE = "hook_notice"


class HookSettlement:
    """Settles rows of one receiver. `on_notice`: somebody is to be told by Slack."""

    def __init__(
        self, database: Database, make_work: MakeWork, receiver_key: str, rules: HookRules,
        on_notice: Callable[[], None],
    ) -> None:  # fmt: skip
        self._database = database
        self._make_work = make_work
        self._key = receiver_key
        self._rules = rules
        self._on_notice = on_notice

    def taken(self, row: OutboxRow) -> bool:
        """The receiver has it. After a long silence what waits for a retry goes at once."""
        with self._database.write() as conn:
            real = self._make_work(conn).real
            if not hooks.settle_sent(conn, row, real=real):
                return False
            if hooks.note_ok(conn, self._key, real=real) >= self._rules.breaks_at:
                hooks.hasten(conn, real=real)
            return True

    def nothing_to_tell(self, row: OutboxRow, reason: str) -> bool:
        """The lead is gone."""
        with self._database.write() as conn:
            real = self._make_work(conn).real
            return hooks.settle_superseded(conn, row, reason, real=real)

    def put_off(self, row: OutboxRow, until: datetime, reason: str) -> bool:
        """It was not sent."""
        with self._database.write() as conn:
            return hooks.settle_retry(conn, row, not_before=until, reason=reason, counts=False)

    def failed(self, row: OutboxRow, answer: Answer, wait: float) -> bool:
        """Try again after `wait` seconds; after three days give it up; after a day of nothing else leave the receiver
        alone. What waits then is kept."""
        with self._database.write() as conn:
            gives_up = self._rules.gives_up(row.first_try_at, self._make_work(conn).real)
            if gives_up and row.lead_id is not None:
                leads.lock_lead(conn, row.lead_id)
            work = self._make_work(conn)
            if gives_up:
                settled = hooks.settle_dead(conn, row, answer.code, real=work.real)
            else:
                until = work.real + timedelta(seconds=wait)
                settled = hooks.settle_retry(conn, row, not_before=until, reason=answer.code)
            if not settled:
                return False
            receiver = hooks.note_failure(conn, self._key, answer.code, real=work.real)
            if gives_up:
                self._given_up(work, row, answer, receiver.id)
            if receiver.disabled_at is None:
                self._maybe_disable(work, answer, receiver)
        if work.wake:
            self._on_notice()
        return True

    def _maybe_disable(self, work: Work, answer: Answer, receiver: hooks.ReceiverRow) -> None:
        since = receiver.failing_since
        long = since is not None and work.real - since >= self._rules.disabled_after
        tried = hooks.count_tried(work.conn) if long else 0  # counted only when it matters
        if not self._rules.is_gone(answer, since, tried, work.real):
            return
        if hooks.disable(work.conn, self._key, real=work.real):
            tell_admins(
                work,
                f"hook_off:{receiver.id}:{work.real.isoformat()}",
                {"what": "disabled", "code": answer.code},
            )

    def _given_up(self, work: Work, row: OutboxRow, answer: Answer, receiver_id: int) -> None:
        """In the lead's journal; the admins hear of it once a day, however many there are."""
        if row.lead_id is not None:
            data = {"seq": row.data.get("seq"), "event": row.data.get("event"), "why": answer.code}
            write(work, row.lead_id, "crm_not_told", data=data)
        tell_admins(
            work,
            f"hook_given_up:{receiver_id}:{work.now:%Y-%m-%d}",
            {"what": "given_up", "code": answer.code},
        )


def tell_admins(work: Work, key: str, data: dict[str, str]) -> None:
    """A DM to each admin, in their hours; nobody there: marketing's channel."""
    admins = [m for m in work.roster.by_id.values() if Role.ADMIN in m.roles and m.reachable]
    places: list[tuple[str, int | None, datetime, str]] = [
        (outbox.lane_of(m.id), m.id, m.calendar.next_open(work.now), f"{key}:{m.id}")
        for m in admins
    ]
    if not places:
        channel = work.agreement.marketing.channel
        places = [(outbox.lane_of(None, channel), None, work.now, key)]
    for lane, person_id, show_at, card_key in places:
        outbox.enqueue_post(
            work.conn,
            template=NOTICE,
            card_key=card_key,
            lane=lane,
            priority=outbox.PRIORITY_ESCALATION,
            now=work.now,
            real=work.real,
            show_at=show_at,
            person_id=person_id,
            data=data,
        )
    work.wake = True
