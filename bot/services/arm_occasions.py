"""Bringing the armed occasions in line with what is planned: idempotent, for every minute and after each change.

Whoever changes what is planned (a challenge, say) may call `arm_planned` for its own kinds at once; `fire_occasions`
does it for all of them each minute. What is not here: what is planned, what happens when it is due.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from bot.domain.occasion import Planned
from bot.services.work import Work
from storage import occasions


def arm_planned(work: Work, planned: Iterable[Planned], kinds: Collection[str]) -> int:
    """Arm what is missing, move what has another time, cancel what is planned no more; how many rows changed.

    A moment that is past when it is first planned is noted as skipped: nothing is posted late because a playbook begins
    today. What is armed and due stays: it came due while Baton was down, and whoever fires it decides. `kinds`: all
    that `planned` speaks for; rows of other kinds stay as they are.
    """
    wanted = {each.key: each for each in planned}
    changed = 0
    for row in occasions.list_armed(work.conn, kinds):
        agreed = wanted.pop(row.key, None)
        if row.attempts:
            continue  # it failed and is tried again, whatever the plan says
        if agreed is not None:
            if agreed.due_at != row.due_at:
                changed += occasions.move(work.conn, agreed)
        elif row.due_at > work.now:
            changed += occasions.cancel(work.conn, row.id)
    for each in wanted.values():
        if each.due_at < work.now:
            changed += occasions.insert_occasion(work.conn, each, "skipped")
        elif occasions.insert_occasion(work.conn, each):
            changed += 1
        else:
            changed += occasions.rearm(work.conn, each)
    if changed:
        work.wake = True
    return changed
