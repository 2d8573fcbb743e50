"""Taking up rows to deliver, at the pace of all processes together. In the worker pool, in short transactions.

On SQLite one process delivers, and its own memory is enough: nothing is read or written for the pace, but for pauses
that Slack asked for, which a restart must not forget. On PostgreSQL every claim first learns what the others did, and
writes what it takes, under one lock: so no call is counted twice and no pause overlooked. What is not here: the limits
(`pacing`), sending (`deliver`).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from bot.clock import Clock
from bot.services.pacing import PROBE_LEASE, Pace
from storage import claims, foldings, paces
from storage.claims import Quota, kind_of
from storage.database import Database
from storage.deliveries import OutboxRow
from storage.paces import PaceRow

#: Conversations of which it is known when it was their turn.
_REMEMBERED = 2000


class Claims:
    """Claims for one worker. `shared`: other processes deliver, too."""

    def __init__(
        self, database: Database, pace: Pace, clock: Clock, worker: str, *, shared: bool
    ) -> None:
        self._database = database
        self._pace = pace
        self._clock = clock
        self._worker = worker
        self.shared = shared
        self._learned = False
        self._served: dict[str, datetime] = {}

    def take(self, room: Quota, *, probing: int = 0) -> list[OutboxRow]:
        """Rows to deliver now, most urgent first. `probing`: Slack may be down; a message that was not tried before
        goes only while fewer than so many are in doubt."""
        now, real = self._clock.business(), self._clock.real()
        with self._database.read() as conn:  # a look that keeps no writer waiting
            if self.shared or not self._learned:
                self._pace.learn(paces.read_paces(conn, real), real)
                self._learned = True
            if self._pace.breaker.is_open and not probing:
                return []  # another process found out
            wanted = replace(self._pace.wanted(real, room), served=self._served)
            if probing:
                since = self._pace.breaker.answered_at
                doubted = claims.count_doubtful(conn, since) >= probing
                wanted = replace(wanted, probing=True, doubted=doubted)
            heads = claims.look(conn, wanted, now=now, real=real)
            if not heads and not claims.has_expired(conn, real):
                return []
            floods = foldings.find_floods(conn, now=now, lanes=foldings.lanes_of(heads))
        for flood in floods:
            with self._database.write() as conn:
                foldings.fold(conn, flood, now=now, real=real)
        with self._database.write() as conn:
            if self.shared:
                claims.take_turn(conn)
                self._pace.learn(paces.read_paces(conn, real), real)
                fresh = self._pace.wanted(real, room)
                wanted = replace(
                    wanted, kinds=fresh.kinds, paced_lanes=fresh.paced_lanes,
                    troubled=fresh.troubled,
                )  # fmt: skip
            rows = claims.claim(
                conn, wanted, now=now, real=real, worker=self._worker, has_turn=self.shared
            )
            self._note_served([row.lane for row in rows], real)
            counted = self._pace.reserve([kind_of(row) for row in rows], real)
            if self.shared:
                paces.count_calls(conn, counted)
            return rows

    def _note_served(self, lanes: list[str], real: datetime) -> None:
        """Whose turn it was. Not shared: each worker by itself is fair."""
        if len(self._served) > _REMEMBERED:
            newest = sorted(self._served, key=self._served.__getitem__)[-_REMEMBERED // 2 :]
            self._served = {lane: self._served[lane] for lane in newest}
        self._served |= dict.fromkeys(lanes, real)

    def count_doubtful(self) -> int:
        """Messages of this outage of which nobody knows yet whether they were posted."""
        with self._database.read() as conn:
            return claims.count_doubtful(conn, self._pace.breaker.answered_at)

    def is_turn(self) -> bool:
        """Whether it is on this process to ask Slack whether it is back."""
        real = self._clock.real()
        with self._database.write() as conn:
            self._pace.learn(paces.read_paces(conn, real), real)
            if not self._pace.breaker.is_open:
                return False
            return paces.take_probe(conn, real, real + timedelta(seconds=PROBE_LEASE))

    def share(self, row: PaceRow) -> None:
        """Tell the others, and whoever comes after a restart."""
        with self._database.write() as conn:
            paces.keep_until(conn, row)

    def tell_open(self) -> None:
        """Tell the others that Slack does not answer."""
        if (row := self._pace.breaker_row()) is not None:
            with self._database.write() as conn:
                paces.open_breaker(conn, row)
            self._pace.breaker.is_told = True

    def tell_closed(self) -> None:
        """Tell the others that Slack answers again."""
        with self._database.write() as conn:
            paces.close_breaker(conn)

    def tidy(self) -> int:
        """Throw away what has long been over."""
        with self._database.write() as conn:
            return paces.forget_over(conn, self._clock.real())

    def look_again(self) -> None:
        """Just before the calls: what the others were told since the claim."""
        if not self.shared:
            return
        real = self._clock.real()
        with self._database.read() as conn:
            self._pace.learn(paces.read_paces(conn, real), real)
