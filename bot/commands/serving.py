"""`baton web` and `baton worker`: the roles of a Baton of several processes.

What is not here: `run` and `demo` (`starting`), what a role does (`bot.serving`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bot.commands.failing import CommandFault
from bot.commands.opening import database_of, plainly
from bot.serving import CannotServe, serve_web, serve_worker
from bot.settings import Settings, load_settings
from bot.wiring import PlaybookFaulty


def web() -> int:
    """Serve HTTP until stopped."""
    return serve(serve_web)


def worker() -> int:
    """Fire timers and deliver until stopped."""
    return serve(serve_worker)


def serve(role: Callable[[Settings], int]) -> int:
    """Run `role` until it ends; what keeps it from starting becomes sentences."""
    with plainly(), _startable():
        settings = load_settings()
        database_of(settings).dispose()  # a wrong address gets its sentence before anything starts
        return role(settings)


@contextmanager
def _startable() -> Iterator[None]:
    try:
        yield
    except CannotServe as fault:
        raise CommandFault(str(fault)) from None
    except PlaybookFaulty as fault:
        faults = [str(each) for each in fault.faults]
        raise CommandFault(*faults, "Without a playbook Baton cannot start.") from None
