"""A CRM beside a desk: it reports activities straight to the use case. What is not here: HTTP (`touches_kit`)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from bot.services import answer_offer
from bot.services.keep_message import Received
from bot.services.take_touches import TouchMessage, find_ready, replay_touches, take_touches
from handlers.intake_items import touches_of, touches_of_stored
from storage import clocks, touches
from storage.clocks import ClockRow
from storage.touches import TouchRow
from tests.services.desk_kit import START, Desk


class Crm:
    """A CRM beside the desk. Minutes are counted from the lead's arrival."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.sent = 0

    def tells(self, id_: str = "t1", at: float = 0, **fields: Any) -> dict[str, Any]:
        """One activity of Ann with the lead; its result."""
        item = {
            "id": id_,
            "source": "contact_me",
            "external_id": "jana",
            "actor": "ann@acme.example",
            "kind": "call",
            "outcome": "reached",
            "occurred_at": (START + timedelta(minutes=at)).isoformat(),
        } | fields
        return self.sends(item).results[0]

    def deletes(self, id_: str = "t1") -> dict[str, Any]:
        """The activity is deleted; the sender knows no more than its id."""
        return self.sends({"id": id_, "deleted": True}).results[0]

    def sends(self, *items: dict[str, Any], source: str = "crm") -> Received:
        """A message with these items."""
        self.sent += 1
        parsed = touches_of(list(items), source, self.desk.now)
        assert isinstance(parsed, tuple)
        name = f"m{self.sent}"
        raw = repr(list(items)).replace("'", '"').replace("True", "true").encode()
        with self.desk.work() as work:
            return take_touches(work, TouchMessage(source, name, name, raw, parsed))

    def retries(self) -> int:
        """What waits is looked at; how many messages were replayed."""

        def parse(raw: bytes, source: str) -> Any:
            return touches_of_stored(raw, source, self.desk.now)

        with self.desk.work() as work:
            ready = find_ready(work, parse).ready
            for number in ready:
                replay_touches(work, number, parse)
        return len(ready)


def accepted(desk: Desk) -> int:
    """Ann has accepted the lead at once: contact by 60 minutes after."""
    lead = desk.arrives()
    desk.do(answer_offer.accept, "ann", desk.offer_of(lead))
    return lead


def later(desk: Desk, minutes: int) -> None:
    """What is due meanwhile happens in the last minute: that is cheaper."""
    desk.now += timedelta(minutes=minutes - 1)
    desk.forward(1)


def clock(desk: Desk, lead: int, kind: str = "first_touch") -> ClockRow:
    with desk.work() as work:
        return [c for c in clocks.list_clocks(work.conn, lead) if c.kind == kind][-1]


def made(desk: Desk, lead: int) -> list[TouchRow]:
    round_ = desk.lead(lead).round
    with desk.work() as work:
        return touches.list_touches(work.conn, lead, round_)


def minute(at: datetime | None) -> float:
    assert at is not None
    return (at - START).total_seconds() / 60
