"""`baton demo-history`: a month of made-up history, and the sandbox opened on it.

What is not here: making it (`bot.demo_history`).
"""

from __future__ import annotations

from datetime import date
from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bot.commands.failing import CommandFault
from bot.commands.serving import serve
from bot.demo_export import ExportFault, fitting_map
from bot.demo_history import HOME, SAMPLES, History, serve_history
from bot.demo_month import FIRST, LAST, MOST_LEADS


def demo_history(
    *,
    leads: Annotated[
        int, Parameter(help=f"How many come in the month; 1 to {MOST_LEADS:,}.")
    ] = 600,
    history: Annotated[
        Path | None,
        Parameter(help="Another export than the sample's, CSV; its people are made up anew."),
    ] = None,
    map_: Annotated[
        Path | None,
        Parameter(
            name="--map",
            help="Which of its columns is what (docs/import.md); unless one that ships fits.",
        ),
    ] = None,
    seed: Annotated[int, Parameter(help="Another number, another month.")] = 1,
    until: Annotated[date, Parameter(help="The last day, for a shorter one.")] = LAST,
    home: Annotated[Path, Parameter(help="Where it is kept.")] = HOME,
    open_: Annotated[
        bool,
        Parameter(
            name="--open",
            help="Open the one that was made before.",
            negative="",
            show_default=False,
        ),
    ] = False,
    stay: Annotated[
        bool, Parameter(negative="--leave", help="Serve it; --leave only makes it.")
    ] = True,
) -> int:
    """Takes a minute or two, then prints what to look at and serves it."""
    if not 1 <= leads <= MOST_LEADS:
        raise CommandFault(f"--leads: from 1 to {MOST_LEADS:,}.")
    if not FIRST < until <= LAST:
        raise CommandFault(f"--until: a day after {FIRST}, {LAST} at the latest.")
    if history is None and map_ is not None:
        raise CommandFault("--map is for another export: name it by --history.")
    try:
        wanted = History(leads, seed=seed, home=home, last=until)
        if history is not None:
            map_ = map_ or fitting_map(history, sorted(SAMPLES.glob("*.map.yaml")))
            wanted = History(leads, history, map_, seed, home, until)
        return serve(partial(serve_history, history=wanted, make=not open_, stay=stay))
    except ExportFault as fault:
        raise CommandFault(*fault.sentences) from None
