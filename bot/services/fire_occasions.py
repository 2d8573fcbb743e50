"""Occasions of the calendar: reports, digests, boards. Planned ahead, armed once, fired once, whoever of the workers
comes first; the others pass it over.

After downtime an occasion that was armed is fired once, if it is still about the newest period; its handler says so.
One that fails is tried again, each in a savepoint of its own, and parked after five attempts. What is not here: arming
(`arm_occasions`), what is told (`tell_report`), challenges (`run_challenge`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from bot.domain.agreement import Agreement
from bot.domain.occasion import Planned as Planned
from bot.logs import get_logger
from bot.services import plan_challenges, run_challenge, tell_report, watch_gaming
from bot.services.arm_occasions import arm_planned
from bot.services.work import Work
from storage import occasions
from storage.database import concerns_all
from storage.occasions import OccasionRow as OccasionRow

#: Fires an occasion. False: there was nothing to do any more, it is noted as skipped.
Handler = Callable[[Work, OccasionRow], bool | None]
#: The next occasions of some kinds, from `work.now` on. The same for the same state: it is asked every minute.
Plan = Callable[[Work], Iterable[Planned]]

HANDLERS: Mapping[str, Handler] = {
    **tell_report.HANDLERS,
    **run_challenge.HANDLERS,
    **watch_gaming.HANDLERS,
}
#: By kinds that each speaks for.
PLANS: Mapping[tuple[str, ...], Plan] = {
    tuple(tell_report.HANDLERS): tell_report.plan_reports,
    plan_challenges.KINDS: plan_challenges.plan_challenges,
    tuple(watch_gaming.HANDLERS): watch_gaming.plan_flags,
}

BATCH = 20
ATTEMPTS = 5
#: Doubled after each failure.
RETRY_AFTER = timedelta(minutes=1)
#: How often what is planned is compared with what is armed.
PLAN_EVERY = timedelta(minutes=1)

log = get_logger(__name__)


def plan_occasions(work: Work, plans: Mapping[tuple[str, ...], Plan] = PLANS) -> int:
    """Arm what is planned and missing, cancel what is planned no more; how many rows changed. One plan that fails
    leaves the others theirs."""
    changed = 0
    for kinds, plan in plans.items():
        savepoint = work.conn.begin_nested()
        try:
            changed += arm_planned(work, plan(work), kinds)
            savepoint.commit()
        except Exception as error:
            savepoint.rollback()
            if concerns_all(error):
                raise
            log.exception("not_planned", kinds=",".join(kinds))
    return changed


def fire_occasions(
    work: Work, handlers: Mapping[str, Handler] = HANDLERS, limit: int = BATCH
) -> int:
    """Fire what is due at `work.now`; how many rows were looked at, fewer than `limit` when none is left.

    Kinds that this Baton does not know are left to a newer one.
    """
    due = occasions.claim_due(work.conn, work.now, list(handlers), limit)
    for row in due:
        _fire(work, row, handlers[row.kind])
    if due:
        work.wake = True
    return len(due)


def _fire(work: Work, row: OccasionRow, handler: Handler) -> None:
    savepoint = work.conn.begin_nested()
    try:
        state = "skipped" if handler(work, row) is False else "fired"
        if occasions.settle(work.conn, row.id, state, work.now):
            savepoint.commit()
        else:  # somebody else did it: what we would have told is told already
            savepoint.rollback()
    except Exception as error:
        savepoint.rollback()
        if concerns_all(error):
            raise  # nobody's fault: the whole transaction is tried again
        work.forget_roster()
        _put_off(work, row)


def _put_off(work: Work, row: OccasionRow) -> None:
    """What failed is tried again, later each time, then parked: it must not hold up the others."""
    about = {"kind": row.kind, "subject": row.subject_id, "period": row.period}
    again = work.now + RETRY_AFTER * 2**row.attempts
    attempts = occasions.count_attempt(work.conn, row.id, again)
    if attempts < ATTEMPTS:
        log.exception("occasion_failed", attempts=attempts, **about)
        return
    occasions.settle(work.conn, row.id, "parked", work.now)
    log.exception("occasion_parked", attempts=attempts, **about)


class Almanac:
    """When one process looks at the calendar again. On an idle tick it reads nothing."""

    def __init__(self) -> None:
        self._agreement: Agreement | None = None
        self._looked_at: datetime | None = None
        self._next_due: datetime | None = None

    def is_due(self, now: datetime, agreement: Agreement) -> bool:
        """Whether something may be due, or was not planned for a minute, or the playbook changed. `now`: business."""
        if self._looked_at is None or agreement is not self._agreement:
            return True
        if self._next_due is not None and now >= self._next_due:
            return True
        return abs(now - self._looked_at) >= PLAN_EVERY  # also when the clock was set back

    def keep(self, work: Work) -> int:
        """Plan, fire, and note what comes next; how many occasions were looked at."""
        plan_occasions(work)
        fired = fire_occasions(work)
        # What another worker has in hand just now is looked at again with the next plan.
        self._next_due = work.now if fired == BATCH else occasions.next_due_at(work.conn, work.now)
        self._looked_at, self._agreement = work.now, work.agreement
        return fired

    def until_next(self, now: datetime) -> timedelta | None:
        """How long until the next occasion that this process knows of; None when there is none."""
        return self._next_due - now if self._next_due is not None else None
