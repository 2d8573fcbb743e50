"""What came of an experiment. What is not here: experiments, what they are judged by."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Verdict:
    """The figures of an experiment; `faults` are sentences, none when it went well. `n`: independent trials."""

    n: int
    seed: int
    seconds: float = 0.0
    figures: dict[str, Any] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    @property
    def bound(self) -> float | None:
        """No fault in n trials: with 95 % confidence the rate is below this (3/n)."""
        return round(3 / self.n, 5) if self.n else None
