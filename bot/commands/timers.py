"""`baton timers retry`: steps that failed again and again fire once more, when somebody has mended the cause.

What is not here: why they failed (the log), the watchdog's own one retry (`bot.services.watch_house`).
"""

from __future__ import annotations

from bot.commands.opening import agreement_in_force, opened_database, opened_runtime, plainly
from bot.commands.wording import counted
from bot.services.repair_leads import retry_parked
from bot.settings import load_settings


def retry() -> int:
    """Let all parked steps fire again, with all their attempts."""
    with plainly():
        settings = load_settings()
        with opened_database(settings) as database:
            agreement = agreement_in_force(settings, database)
            with opened_runtime(settings, database, agreement) as runtime:
                again = runtime.write_now(retry_parked)
    if again:
        print(f"{counted(again, 'step')} fire again, at once when a Baton runs.")
    else:
        print("No step is parked.")
    return 0
