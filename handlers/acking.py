"""How long a caller waited for an answer, for the metrics. What is not here: what is answered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bot.clock import elapsed
from bot.services.meter import Meter, Seen


@contextmanager
def acked(meter: Meter, door: str) -> Iterator[None]:
    """Measure what is done inside: from the request until its answer is ready."""
    began = elapsed()
    try:
        yield
    finally:
        meter.see(Seen.ACKED, elapsed() - began, door)
