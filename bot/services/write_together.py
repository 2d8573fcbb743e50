"""One deed whose journal, timers and edits are written at its end, together: a statement costs more than its row.

For deeds that read nothing back of what they journal or arm. A batch of timers does the same for many leads
(`fire_together`). What is not here: any deed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bot.services.escalate import post_all
from bot.services.move_lead import redraw_gathered
from bot.services.work import Gathered, Work
from storage import clocks, journal, outbox, people


@contextmanager
def written_together(work: Work) -> Iterator[None]:
    """Within it what nobody reads back is gathered; at its end it is written, in this same transaction."""
    if work.gathered is not None:  # somebody further out writes it
        yield
        return
    work.gathered = Gathered()
    try:
        yield
        gathered = work.gathered
    finally:
        work.gathered = None
    write_gathered(work, gathered)


def write_gathered(work: Work, gathered: Gathered) -> None:
    """Write it, a statement or two for each table."""
    conn = work.conn
    if gathered.ended:
        clocks.disarm(conn, gathered.ended)
    if gathered.armed:
        clocks.arm_timers(conn, gathered.armed)
    for reason, card_keys in gathered.held_back.items():
        outbox.hold_back(conn, card_keys, reason)
    if gathered.posts:
        post_all(work, gathered.posts)
    journal.insert_entries(conn, gathered.entries, at=work.now)
    # Late: a manager's Home tab is one row, for which everybody else of the team may wait until we commit.
    if gathered.redrawn:
        redraw_gathered(work, gathered)
    people.save_turns(conn, gathered.turns)
