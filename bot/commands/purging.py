"""`baton purge`: what the worker does at night, now and to its end. What is not here: what goes (`purge_leads`)."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from bot.commands.opening import agreement_in_force, opened_database, opened_runtime, plainly
from bot.commands.wording import counted
from bot.services.purge_leads import Purged, look, purge_step
from bot.settings import load_settings


def purge(
    *,
    dry_run: Annotated[
        bool, Parameter(help="Only say what would go.", negative="", show_default=False)
    ] = False,
) -> int:
    """Empty and delete what is older than it may be kept."""
    with plainly():
        settings = load_settings()
        with opened_database(settings) as database:
            agreement = agreement_in_force(settings, database)
            with opened_runtime(settings, database, agreement) as runtime:
                if dry_run:
                    found = runtime.read_now(look)
                    print(f"Would go: {_told(found)}." if found else "Nothing is too old.")
                    return 0
                done = Purged()
                while step := runtime.write_now(purge_step):
                    done += step
    print(f"Gone: {_told(done)}." if done else "Nothing is too old.")
    if done:
        print("To give the space back: baton erase --vacuum")
    return 0


def _told(what: Purged) -> str:
    parts = (
        (what.leads, "the personal data of {}", "closed lead"),
        (what.journals, "the journals of {}", "lead"),
        (what.bodies, "{}", "kept body", "kept bodies"),
        (what.sent, "{}", "settled message"),
        (what.alarms, "{}", "alarm"),
        (what.figures, "the figures about people of {}", "challenge"),
    )
    return ", ".join(form.format(counted(n, *words)) for n, form, *words in parts if n)
