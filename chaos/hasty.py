"""A real Baton whose watchdog looks every few seconds instead of every minute: `python -m chaos.hasty run`.

CHAOS_PACE: by how much faster. SIGUSR1: its loop hangs for ever; SIGUSR2: from now on each look takes longer than it
may; once more: no longer. What is not here: what is expected then (`deadman`).
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from datetime import timedelta
from typing import Any

from bot import overseeing, serving, wiring
from bot.commands.serving import serve
from bot.services import watch_house
from storage import watching


def main() -> int:
    """Serve until stopped."""
    pace = float(os.environ.get("CHAOS_PACE", "1"))
    watch_house.EVERY /= pace
    watch_house.ASK_EVERY /= pace
    # Not by all of it: on a busy machine a look may take seconds.
    watch_house.LONGEST = max(watch_house.LONGEST / pace, 8.0)
    silent = max(overseeing.SILENT / pace, timedelta(seconds=4))
    for module in (overseeing, wiring):
        setattr(module, "SILENT", silent)  # noqa: B010 - a constant of theirs
    signal.signal(signal.SIGUSR1, _hang)
    signal.signal(signal.SIGUSR2, _dawdle)
    return serve(serving.serve_all)


def _hang(*_: object) -> None:
    while True:
        time.sleep(60)


def _dawdle(*_: object) -> None:
    if watching.find is not _QUICK:
        setattr(watching, "find", _QUICK)  # noqa: B010
        _over.set()
        return

    def slow(*args: Any, **kwargs: Any) -> Any:
        _over.wait(watch_house.LONGEST + 1)
        return _QUICK(*args, **kwargs)

    setattr(watching, "find", slow)  # noqa: B010 - as a query would that waits for a lock


_QUICK = watching.find
_over = threading.Event()

if __name__ == "__main__":
    sys.exit(main())
