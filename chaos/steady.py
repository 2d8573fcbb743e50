"""A sender that keeps a steady rate whatever happens to the door, and sends each message until it is answered.

What is not here: what happens to the door (each experiment), what must hold (`kills`, `books`).
"""

from __future__ import annotations

import asyncio
import time

from chaos.kill_demo import Notebook
from chaos.race import made_leads
from chaos.town import Baton, Town
from storage.database import Database

BATCH = 2
STUCK_SECONDS = 120.0


async def unposted(database: Database, seconds: float = STUCK_SECONDS) -> list[str]:
    """Wait until every message stands in Slack; edits may still come. Else what waits, as faults."""
    until = time.monotonic() + seconds
    while True:
        with database.read() as conn:
            waiting = conn.exec_driver_sql(
                # A folded one stays `folded`; it is settled when a list that shows it stands there.
                "SELECT state, template, count(*) FROM outbox WHERE (state IN ('pending', 'sending', 'doubt') "
                "OR state = 'folded' AND settled_at IS NULL) "
                "AND NOT edits AND template <> 'home' GROUP BY state, template"
            ).all()
        if not waiting or time.monotonic() > until:
            break
        await asyncio.sleep(0.2)
    return [f"{many} {template} still {state}" for state, template, many in waiting]


class Steady:
    """`rate` leads a second in messages of two, from `start` on; what was acknowledged stands in `notes`."""

    def __init__(
        self, here: Town, door: Baton, notes: Notebook, *, rate: float, name: str = "s"
    ) -> None:
        self._here, self.door, self._notes = here, door, notes
        self._every = BATCH / rate
        self._name = name
        self._ending = False
        self._number = 0
        self._under_way: set[asyncio.Task[None]] = set()
        self.again = 0
        self.statuses: dict[int, int] = {}
        self._loop = asyncio.create_task(self._send())

    @property
    def acknowledged(self) -> int:
        """Leads so far."""
        return len(self._notes.leads)

    async def more(self, leads: int, seconds: float = STUCK_SECONDS) -> bool:
        """Wait until so many more are acknowledged: it works, and is in the middle of it. False: it took too long."""
        wanted, since = self.acknowledged + leads, time.monotonic()
        while self.acknowledged < wanted:
            if time.monotonic() - since > seconds:
                return False
            await asyncio.sleep(0.01)
        return True

    async def end(self) -> None:
        """Finish what is under way."""
        self._ending = True
        await asyncio.wait_for(self._loop, STUCK_SECONDS)
        await asyncio.wait_for(asyncio.gather(*self._under_way), STUCK_SECONDS)

    async def _send(self) -> None:
        due = time.monotonic()
        while not self._ending:
            self._number += 1
            task = asyncio.create_task(self._until_answered(f"{self._name}{self._number}"))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
            due += self._every
            while len(self._under_way) > 12:  # a door that is shut for long
                await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _until_answered(self, name: str) -> None:
        leads = made_leads(BATCH, name=name)
        while True:
            status, results = await self._here.send(self.door, name, leads)
            self.statuses[status] = self.statuses.get(status, 0) + 1
            if status == 202:
                break
            self.again += 1
            await asyncio.sleep(0.4)
        for lead, result in zip(leads, results, strict=True):
            self._notes.lead(lead["external_id"], int(result["lead"]))
