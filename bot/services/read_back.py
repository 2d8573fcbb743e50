"""Reading a conversation, or a thread of it, back to when something was first sent there.

A page at a time, and what Slack interrupts is taken up again where it was. What is not here: what follows from what
was seen, which rows a reading is for (`settle_doubts`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from bot.clock import Clock
from bot.gateways.slack import SlackFailure, SlackRefused
from bot.gateways.slack_reading import Page
from bot.services import deliver_rules as rules
from bot.services.doubt_rules import NO_THREAD
from storage.deliveries import OutboxRow

#: Messages may be a little older than the first try says: clocks differ.
MARGIN = timedelta(seconds=60)
#: Ahead of Slack's clock by more than this, ours says nothing about Slack's times: then its `Date` counts.
MOST_AHEAD = timedelta(seconds=30)
#: So many pages of one reading, then it counts as unreadable.
MOST_PAGES = 25
#: A reading that Slack interrupted is taken up again where it was; not for longer than this.
READING_KEEPS = timedelta(minutes=30)


class Histories(Protocol):
    """What reading needs of Slack: `bot.gateways.slack.SlackGateway`."""

    async def history(self, channel: str, oldest: datetime, cursor: str = "") -> Page: ...

    async def replies(
        self, channel: str, thread_ts: str, oldest: datetime, cursor: str = ""
    ) -> Page: ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where a post went: a conversation, or a thread of it."""

    channel: str
    thread_ts: str = ""

    @property
    def whole(self) -> Place:
        """The conversation of a thread."""
        return Place(self.channel)


@dataclass(slots=True)
class Reading:
    """What was seen of a place so far: delivery id -> the times of its messages. `oldest`: by our clock; `behind`: how
    far Slack's is behind it."""

    began: datetime
    oldest: datetime
    behind: timedelta = timedelta(0)
    seen: dict[str, list[str]] = field(default_factory=dict)
    cursor: str = ""
    pages: int = 0
    #: Why it says nothing about what was not seen: Slack's error. "" when it does.
    unreadable: str = ""

    def times(self, row: OutboxRow) -> list[str]:
        """Where the row's posts stand, oldest first."""
        return sorted(self.seen.get(row.delivery_id, ()))

    def joined(self, other: Reading) -> Reading:
        """What both say together. A reply that was broadcast is seen in both."""
        seen = {
            each: list({*self.seen.get(each, ()), *other.seen.get(each, ())})
            for each in {*self.seen, *other.seen}
        }
        unreadable = self.unreadable or other.unreadable
        return Reading(
            min(self.began, other.began),
            max(self.oldest, other.oldest),
            seen=seen,
            unreadable=unreadable,
        )

    def covers(self, row: OutboxRow) -> bool:
        """Whether it would have shown the row's posts: begun after the doubt, reaching back to the first try."""
        since = row.doubt_since if row.state == "doubt" else row.recheck_at
        asked = since is None or since <= self.began
        return bool(self.unreadable) or (asked and oldest_of(row) >= self.oldest)


class Reader:
    """Reads places. `renew`: told between two pages, for a reading takes long."""

    def __init__(
        self, gateway: Histories, clock: Clock, renew: Callable[[Sequence[OutboxRow]], Awaitable[None]]
    ) -> None:  # fmt: skip
        self._gateway, self._clock, self._renew = gateway, clock, renew
        self._interrupted: dict[Place, Reading] = {}

    async def read(self, place: Place, rows: Sequence[OutboxRow]) -> Reading:
        """Read back to the oldest first try. What Slack interrupts is kept. Raises SlackFailure: look later."""
        real = self._clock.real()
        reading = self._interrupted.pop(place, None)
        if reading is None or real - reading.began > READING_KEEPS:
            reading = Reading(real, min(oldest_of(row) for row in rows))
        while True:
            try:
                page = await self._page(place, reading)
            except SlackRefused as refused:
                if refused.error in rules.TOKEN_ERRORS:
                    raise
                if refused.error != NO_THREAD:
                    reading.unreadable = refused.error
                break
            except SlackFailure:
                if reading.pages:
                    self._interrupted[place] = reading
                raise
            reading.pages += 1
            reading.cursor = page.cursor
            for each in page.seen:
                reading.seen.setdefault(each.delivery_id, []).append(each.ts)
            if reading.pages == 1 and page.at is not None:
                ahead = self._clock.real() - page.at
                if ahead > MOST_AHEAD:  # once more, from the same moment by Slack's clock
                    reading.behind, reading.cursor, reading.seen = ahead, "", {}
                    continue
            if not page.cursor:
                break
            if reading.pages >= MOST_PAGES:
                reading.unreadable = "too_long"
                break
            await self._renew(rows)
        return reading

    async def _page(self, place: Place, reading: Reading) -> Page:
        oldest = reading.oldest - reading.behind
        if place.thread_ts:
            return await self._gateway.replies(
                place.channel, place.thread_ts, oldest, reading.cursor
            )
        return await self._gateway.history(place.channel, oldest, reading.cursor)


def oldest_of(row: OutboxRow) -> datetime:
    """Nothing of this row can stand there from before."""
    return (row.first_try_at or row.created_at) - MARGIN
