"""Faults on demand: what Slack does on a bad day, planned per method by a test, an experiment or a POST.

A plan is seeded, so that a run can be repeated. What is not here: rates that are enforced all the time (`rates`).
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

KINDS = (
    "ratelimited",  # 429 with Retry-After; nothing done
    "http_500",  # an empty 500; nothing done
    "error",  # ok:false with `error`; nothing done
    "hang",  # nothing done, an answer (500) only after `seconds`
    "reset",  # nothing done, the connection is dropped
    "accept_then_reset",  # done, the connection is dropped before the answer
    "accept_then_late",  # done, answered after `seconds`
    "late_accept",  # answered never, done only after `seconds`: whoever looks before sees nothing
)
#: Stands for a payload on its way over a WebSocket, where methods stand.
SOCKET = "socket"


@dataclass(slots=True)
class Fault:
    """One planned fault. `method` "*" means every method of the Web API; `count` None: until it is cleared.

    `probability` is drawn for each call; `skip` lets that many matching calls pass first.
    """

    method: str
    kind: str
    count: int | None = 1
    probability: float = 1.0
    skip: int = 0
    retry_after: int = 1
    seconds: float = 30.0
    error: str = "internal_error"

    @classmethod
    def parse(cls, value: Mapping[str, Any]) -> Fault:
        """From JSON. ValueError with a sentence."""
        try:
            fault = cls(**value)
        except TypeError as error:
            raise ValueError(f"not a fault: {error}") from None
        if fault.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}")
        return fault


class FaultPlan:
    """Which faults are to come. `date_skew` moves the `Date` header, in seconds."""

    def __init__(self, seed: int = 0) -> None:
        self.faults: list[Fault] = []
        self.date_skew = 0.0
        self.done: dict[str, int] = {}
        self._random = random.Random(seed)

    def seed(self, seed: int) -> None:
        """Start the draws anew."""
        self._random.seed(seed)

    def add(self, method: str, kind: str, **values: Any) -> Fault:
        """Plan a fault; `values` are the fields of `Fault`."""
        fault = Fault.parse({"method": method, "kind": kind, **values})
        self.faults.append(fault)
        return fault

    def clear(self) -> None:
        """No faults from now on."""
        self.faults.clear()
        self.date_skew = 0.0

    def take(self, method: str) -> Fault | None:
        """The fault for this call, if any. Each call counts once against the first plan that fits."""
        for fault in list(self.faults):
            if fault.method != method and (fault.method != "*" or method == SOCKET):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            if fault.probability < 1 and self._random.random() >= fault.probability:
                continue
            if fault.count is not None:
                fault.count -= 1
                if fault.count <= 0:
                    self.faults.remove(fault)
            self.done[fault.kind] = self.done.get(fault.kind, 0) + 1
            return fault
        return None
