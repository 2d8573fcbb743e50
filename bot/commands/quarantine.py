"""`baton quarantine list | show | replay | drop`: messages with items that could not be used.

What others wrote is printed without control characters. What is not here: why an item is refused (`lead_body`,
`touch_body`).
"""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

from cyclopts import Parameter

from bot.commands.failing import CommandFault
from bot.commands.opening import agreement_in_force, opened_database, opened_runtime, plainly
from bot.commands.wording import counted, minute, one_line, printable
from bot.services.keep_message import PORTION, Received, drop_kept
from bot.services.receive_leads import replay_message
from bot.services.runtime import Runtime
from bot.services.take_touches import DOOR, own_id, replay_touches
from bot.services.work import Work
from bot.settings import load_settings
from handlers.intake_items import items_of_stored, touches_of_stored
from storage import inbox

#: So many messages at once: their bodies are read, too.
MOST = 500
_NOTHING = "Nothing is in quarantine."


def list_() -> int:
    """One line a message: number, when, from whom, how many of its items, the first reason."""
    with plainly(), opened_database(load_settings()) as database, database.read() as conn:
        rows = inbox.list_quarantined(conn, MOST)
    if not rows:
        print(_NOTHING)
        return 0
    print(f"{'ID':>6}  {'received':<17}  {'from':<16}  {'bad':>7}  reason")
    for row in rows:
        bad = _bad(row.results)
        print(
            f"{row.id:>6}  {minute(row.received_at):<17}  {one_line(row.source, 16):<16}  "
            f"{f'{len(bad)}/{len(row.results)}':>7}  {one_line(_reason(bad), 100)}"
        )
    _print_rest(len(rows))
    return 0


def show(number: Annotated[int, Parameter(name="ID", help="From the list.")], /) -> int:
    """Print what became of each item, and the body as it came."""
    with plainly(), opened_database(load_settings()) as database, database.read() as conn:
        row = inbox.read_message(conn, number)
    if row is None:
        raise CommandFault(f"There is no message {number}; see: baton quarantine list")
    print(
        f"message {row.id} from {one_line(row.source, 80)}, {minute(row.received_at)}: {row.state}"
        f"{' (touches)' if row.door == DOOR else ''}"
    )
    print(f"its own id: {one_line(own_id(row.msg_id), 300)}")
    for position, result in enumerate(row.results, start=1):
        print(f"item {position}: {_told(result)}")
    if row.raw is None:
        why = "it was dropped" if row.state == "dropped" else "all of it was applied"
        print(f"The body is not kept: {why}.")
    else:
        print(f"body ({counted(len(row.raw), 'byte')}):")
        print(printable(row.raw.decode("utf-8", "backslashreplace")))
    return 0


def replay(
    number: Annotated[int | None, Parameter(name="ID", help="From the list.")] = None,
    /,
    *,
    everything: Annotated[
        bool,
        Parameter(name="--all", help="All that is in quarantine.", negative="", show_default=False),
    ] = False,
) -> int:
    """Apply again; 1 when something still cannot be used."""
    if (number is None) != everything:
        raise CommandFault("Say which: baton quarantine replay ID, or --all")
    with plainly():
        settings = load_settings()
        with opened_database(settings) as database:
            if number is not None:
                numbers = [number]
            else:
                with database.read() as conn:
                    numbers = [row.id for row in inbox.list_quarantined(conn, MOST)]
            if not numbers:
                print(_NOTHING)
                return 0
            agreement = agreement_in_force(settings, database)
            with opened_runtime(settings, database, agreement) as runtime:
                mended = [_replay(runtime, each) for each in numbers]
    if everything:
        _print_rest(len(numbers))
    return 0 if all(mended) else 1


def drop(number: Annotated[int, Parameter(name="ID", help="From the list.")], /) -> int:
    """Give one message up; its body is deleted. 1 when it is not in quarantine."""
    with plainly():
        settings = load_settings()
        with opened_database(settings) as database:
            agreement = agreement_in_force(settings, database)
            with opened_runtime(settings, database, agreement) as runtime:
                row = runtime.write_now(lambda work: drop_kept(work, number))
    if row is None:
        print(f"message {number}: is not in quarantine")
        return 1
    bad = _bad(row.results)
    print(
        f"message {number} from {one_line(row.source, 80)}, {minute(row.received_at)}: dropped, "
        f"{len(bad)} of {counted(len(row.results), 'item')} unused: {one_line(_reason(bad), 200)}"
    )
    return 0


def _replay(runtime: Runtime, number: int) -> bool:
    """Replay one message, a portion at a time; whether nothing of it is left in quarantine."""
    received: Received | None = runtime.write_now(lambda work: _apply_again(work, number))
    while received is not None and not received.done:
        received = runtime.write_now(lambda work: _apply_again(work, number))
    if received is None:
        print(f"message {number}: is not in quarantine")
        return False
    bad = _bad(received.results)
    counts = Counter(str(r["status"]) for r in received.results if r not in bad)
    parts = [f"{count} {status}" for status, count in sorted(counts.items())]
    if bad:
        parts.append(f"{len(bad)} still in quarantine: {one_line(_reason(bad), 200)}")
    print(f"message {number}: {', '.join(parts) or 'it held nothing'}")
    return not bad


def _apply_again(work: Work, number: int) -> Received | None:
    """By the door that it came in at."""
    by_lead = replay_message(
        work, number, lambda raw, source: items_of_stored(raw, source, work.now), most=PORTION
    )
    if by_lead is not None:
        return by_lead
    return replay_touches(
        work, number, lambda raw, source: touches_of_stored(raw, source, work.now), most=PORTION
    )


def _bad(results: Any) -> list[dict[str, Any]]:
    return [result for result in results if result["status"] == "quarantined"]


def _reason(bad: list[dict[str, Any]]) -> str:
    return str(bad[0].get("reason", "")) if bad else ""


def _told(result: dict[str, Any]) -> str:
    about = f"lead {result['lead']}" if "lead" in result else str(result.get("reason", ""))
    return f"{result['status']}, {one_line(about, 300)}"


def _print_rest(shown: int) -> None:
    if shown == MOST:
        print(f"These were the first {MOST}; there may be more.")
