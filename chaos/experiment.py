"""What an experiment is: a name, what must hold, sizes, and a function from a ground to a verdict.

Each module with experiments has a tuple `EXPERIMENTS`; `registry` lists them all. What is not here: running and
reporting them (`__main__`, `results`), any experiment.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from chaos.verdict import Verdict

SQLITE, POSTGRES = "SQLite", "PostgreSQL"
BOTH = (SQLITE, POSTGRES)


@dataclass(frozen=True, slots=True)
class Ground:
    """Where one runs: an empty database with our tables, of the kind `kind`, and a folder of its own.

    `size` is what the experiment counts itself by (leads, kills, …): one of its `everyday`, `full`, or what was asked.
    `spare` is a second empty database of that kind, to compare with or to restore into.
    """

    kind: str
    url: str
    folder: Path
    size: int
    seed: int
    spare: str = ""


@dataclass(frozen=True, slots=True)
class Experiment:
    """`criterion`: what must hold, in one sentence, with its figures. `broken_by`: the protection that was taken out
    once to see it fail, and what was seen then."""

    name: str
    about: str
    criterion: str
    broken_by: str
    everyday: int
    full: int
    run: Callable[[Ground], Verdict]
    kinds: tuple[str, ...] = BOTH
