"""`baton held list | release | drop`: messages that had not been sent when a backup was made that was restored since.

What is not here: holding them (`restoring`), looking in Slack before they go (`settle_doubts`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated

from cyclopts import Parameter

from bot.commands.failing import CommandFault
from bot.commands.opening import agreement_in_force, opened_database, opened_runtime, plainly
from bot.commands.wording import counted, minute
from bot.services.release_held import MOST, drop_held, list_held, release_held
from bot.services.work import Work
from bot.settings import load_settings
from storage import held

_NOTHING = "No message is held."
_NUMBER = Parameter(name="ID", help="From the list.")
_ALL = Parameter(name="--all", help="All that are held.", negative="", show_default=False)


def list_() -> int:
    """One line a message: number, since when, what, for whom, about which lead."""
    with plainly(), opened_database(load_settings()) as database, database.read() as conn:
        rows = held.list_held(conn, MOST)
        many = held.count_held(conn)
    if not rows:
        print(_NOTHING)
        return 0
    print(f"{'ID':>8}  {'decided':<17}  {'what':<16}  {'for':<14}  lead")
    for row in rows:
        print(
            f"{row.id:>8}  {minute(row.created_at):<17}  {row.template:<16}  {row.lane:<14}  {row.lead_id or ''}"
        )
    if many > len(rows):
        print(f"These were the first {len(rows)} of {many}.")
    return 0


def release(
    number: Annotated[int | None, _NUMBER] = None,
    /,
    *,
    everything: Annotated[bool, _ALL] = False,
) -> int:
    """Let it go: Baton looks in Slack first, and posts only what is not there."""
    done = _decide("release", number, everything, release_held)
    if not done:
        print(_nothing_of(number))
        return 1
    print(f"{counted(done, 'message')} released; a running Baton takes them up")
    return 0


def drop(
    number: Annotated[int | None, _NUMBER] = None,
    /,
    *,
    everything: Annotated[bool, _ALL] = False,
) -> int:
    """Give it up. Leads go on by their clocks."""
    done = _decide("drop", number, everything, drop_held)
    if not done:
        print(_nothing_of(number))
        return 1
    print(f"{counted(done, 'message')} dropped")
    return 0


def _nothing_of(number: int | None) -> str:
    return _NOTHING if number is None else f"Message {number} is not held; see: baton held list"


def _decided(decide: Callable[[Work, Sequence[int]], int], ids: Sequence[int], work: Work) -> int:
    return decide(work, ids)


def _decide(
    what: str, number: int | None, everything: bool, decide: Callable[[Work, Sequence[int]], int]
) -> int:
    if (number is None) != everything:
        raise CommandFault(f"Say which: baton held {what} ID, or --all")
    with plainly():
        settings = load_settings()
        with opened_database(settings) as database:
            agreement = agreement_in_force(settings, database)
            with opened_runtime(settings, database, agreement) as runtime:
                if number is not None:
                    return runtime.write_now(lambda work: decide(work, [number]))
                done = 0
                while rows := runtime.read_now(list_held):
                    done += runtime.write_now(partial(_decided, decide, [r.id for r in rows]))
                return done
