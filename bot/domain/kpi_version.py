"""Which definitions a figure was made by: it stands in every file, so that two of them can be told apart later.

What is not here: the definitions (`kpi_definitions`).
"""

from __future__ import annotations

from dataclasses import astuple
from hashlib import sha256

from bot.domain.kpi import Definitions

_LENGTH = 8


def version_of(definitions: Definitions) -> str:
    """A short name for exactly these words: another one as soon as one of them says anything else."""
    said = "\n".join(repr(astuple(definitions[kpi])) for kpi in sorted(definitions))
    return sha256(said.encode()).hexdigest()[:_LENGTH]
