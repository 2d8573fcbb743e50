"""Reports made by hand, for the tests of what shows them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from bot.domain.kpi import Count, Cut, Kpi, Ratio, Share, Spread, Unit, Value
from bot.domain.kpi_definitions import AGES, DEFINITIONS
from bot.domain.period import parse_period
from bot.domain.report import Baseline, Load, Report

ZONE = "Europe/Berlin"
#: A Monday morning.
NOW = datetime(2026, 3, 23, 8, 0, tzinfo=UTC)
HOSTILE = (
    "<!channel>",
    "شركة النور للتجارة والمقاولات العامة",
    "株式会社東京第一営業部門",
    "*bold* _it_ `code` <https://evil.example|click> :fire: @here & <@U0ANN>",
    "x" * 80,
    "=HYPERLINK(1)",
    "\u202eevil\u200b",
    "",
)


def values(scale: int = 100) -> dict[Kpi, Value]:
    """Every figure; `scale`: of so many leads."""
    made: dict[Kpi, Value] = {}
    for place, kpi in enumerate(Kpi):
        part = scale * (60 + place) // 100
        by_unit: dict[Unit, Value] = {
            Unit.LEADS: Count(part),
            Unit.PERCENT: Share(part, scale),
            Unit.RATIO: Ratio(part, scale),
            Unit.BUSINESS: Spread(scale, 60 * part, 300 * part),
            Unit.WALL: Spread(scale, 60 * part, 3000 * part),
        }
        made[kpi] = by_unit[DEFINITIONS[kpi].unit]
    return made


def silent() -> dict[Kpi, Value]:
    """Nothing at all."""
    return values(0) | {k: Spread(0) for k, v in values(0).items() if isinstance(v, Spread)}


def parts(
    names: Sequence[str], scale: int = 100
) -> dict[tuple[Kpi, Cut], tuple[tuple[str, Value], ...]]:
    """Every figure parted by everything, among `names`."""
    made: dict[tuple[Kpi, Cut], tuple[tuple[str, Value], ...]] = {}
    for kpi, value in values(scale).items():
        for cut in Cut:
            of = [name for name, _ in AGES] if cut is Cut.AGE else names
            made[kpi, cut] = tuple(
                (name, Share(value.part - 5 * n, value.of) if isinstance(value, Share) else value)
                for n, name in enumerate(of)
            )
    return made


def report(period: str = "2026-W12", **more: Any) -> Report:
    """The week before NOW, everything in it."""
    made: dict[str, Any] = {
        "at": NOW,
        "period": parse_period(period, NOW, ZONE),
        "team": "",
        "values": values(),
        "before": values(80),
        "baseline": Baseline("history", values(50)),
        "parts": parts(("emea", "americas")),
        "loads": tuple(Load(n, "emea", 12, 36.5, 10, 1, 3) for n in (1, 2)),
        "down_minutes": 12,
    }
    return Report(**(made | more))
