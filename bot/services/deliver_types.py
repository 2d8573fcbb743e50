"""What rendering for delivery gives back: something to send, or a reason not to.

What is not here: rendering (`present`), sending (`deliver`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bot.services.work import Work
from storage.cards import CardRow
from storage.deliveries import OutboxRow


@dataclass(frozen=True, slots=True)
class Rendered:
    """What to send: a message (`text`, `blocks`) or, for the template `home`, a view.

    `closed`: it shows an end, so that no further edit is wanted. `thread_of`: the card_key of the
    card in whose thread it goes; `broadcast`: shown in the conversation too.
    """

    body: dict[str, Any]
    closed: bool = False
    thread_of: str | None = None
    broadcast: bool = False


@dataclass(frozen=True, slots=True)
class Drop:
    """Nothing is to be sent any more, and why (a code, no personal data)."""

    reason: str


#: Renders a row from the current state, just before it is sent. Only reads.
RenderRow = Callable[[Work, OutboxRow, CardRow | None], Rendered | Drop]
