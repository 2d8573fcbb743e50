"""Whose name a board may show: those in its upper half whose team, and who themselves, allow it. Pure.

The lower half is never named, whoever looks at the board: what somebody did not reach is between them and their
manager. What is not here: what a team's agreement allows (`people_figures`), places (`standing`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from bot.domain.challenge import Place


def upper_half(places: Iterable[Place]) -> list[Place]:
    """The better half of all who have a place, best first; whoever leads belongs to it, also alone.

    People on the same place are in it together or not at all, and nobody without a score above nothing is.
    """
    placed = sorted(
        (place for place in places if place.rank is not None and place.person_id is not None),
        key=_rank,
    )
    half = len(placed) // 2
    kept = []
    for place in placed:
        level_or_better = sum(1 for other in placed if _rank(other) <= _rank(place))
        if place.score > 0 and (_rank(place) == 1 or level_or_better <= half):
            kept.append(place)
    return kept


def named(places: Sequence[Place], may_name: Callable[[Place], bool]) -> list[Place]:
    """Those of the upper half who may be named, best first."""
    return [place for place in upper_half(places) if may_name(place)]


def _rank(place: Place) -> int:
    return place.rank if place.rank is not None else 0
