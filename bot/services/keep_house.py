"""What a process looks after besides its work: room on the disk, the nightly backup, and whether the tables still fit.

A step of this that fails is logged and tried again; it never ends the others. What is not here: each of them
(`keep_room`, `back_up`, `storage.revisions`), the watchdog.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from sqlalchemy.exc import SQLAlchemyError

from bot.logs import get_logger
from bot.services.back_up import Nightly
from bot.services.keep_room import Room
from bot.services.runtime import Runtime
from storage.revisions import misfit

log = get_logger(__name__)

#: Seconds: between looks at the room while there is none, and at everything else.
ROOM_EVERY = 2.0
LOOK_EVERY = 60.0


class Housekeeping:
    """Runs until cancelled. `leave`: stop working, the tables are not ours any more."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        room: Room | None,
        nightly: Nightly | None,
        leave: Callable[[], Awaitable[None]],
    ) -> None:
        self._runtime = runtime
        self._room = room
        self._nightly = nightly
        self._leave = leave
        self._misfit = ""
        self._backing_up: asyncio.Task[None] | None = None

    def faults(self) -> list[str]:
        """For `/healthz`, and a reason to take no leads: the tables do not fit any more, or there is no room."""
        unfit = [self._misfit] if self._misfit else []
        return unfit + (self._room.faults() if self._room is not None else [])

    def warnings(self) -> list[str]:
        """What somebody should look at, though leads are safe: no backup, no reserve."""
        found = [self._nightly.trouble] if self._nightly is not None else []
        return [w for w in found if w] + (self._room.warnings() if self._room is not None else [])

    async def run(self) -> None:
        """Look after everything until cancelled."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            if self._room is not None and (self._room.is_full or loop.time() >= due):
                await self._try("room", self._runtime.in_thread(self._room.look))
            if loop.time() >= due:
                due = loop.time() + LOOK_EVERY
                await self._try("tables", self._look_at_tables())
                self._back_up()
            await asyncio.sleep(ROOM_EVERY)

    async def stop(self) -> None:
        """Wait a moment for a backup under way; one that is cut off leaves no file under its name."""
        if self._backing_up is not None:
            await asyncio.wait([self._backing_up], timeout=1.0)

    async def _look_at_tables(self) -> None:
        if self._misfit:
            return
        found = await self._runtime.in_thread(lambda: misfit(self._runtime.database))
        if found:
            self._misfit = found
            self._runtime.shut(found)
            log.error("tables_do_not_fit", why=found)
            await self._leave()

    def _back_up(self) -> None:
        if self._nightly is None or self._misfit:
            return
        if self._backing_up is None or self._backing_up.done():
            # A thread of its own: it takes minutes, and SQLite's one writer must not wait for it.
            work = asyncio.to_thread(self._nightly.make_if_due)
            self._backing_up = asyncio.create_task(self._try("backup", work))

    async def _try(self, what: str, work: Awaitable[object]) -> None:
        try:
            await work
        except SQLAlchemyError as error:
            log.warning("not_looked_after", what=what, error=type(error).__name__)
        except Exception:
            log.exception("not_looked_after", what=what)
