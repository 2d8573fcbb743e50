"""Every figure has one definition, in words that somebody can read."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.domain.kpi import Cut, Kpi, Share
from bot.domain.kpi_definitions import (
    AGES,
    DECAYED_HOURS,
    DEFINITIONS,
    GENERAL,
    define,
    explain,
)

ROOT = Path(__file__).parents[2]


def test_none_is_missing_and_none_is_said_twice() -> None:
    assert list(DEFINITIONS) == list(Kpi)
    assert len({each.title for each in DEFINITIONS.values()}) == len(Kpi)


@pytest.mark.parametrize("kpi", Kpi)
def test_each_is_whole(kpi: Kpi) -> None:
    each = define(kpi)
    assert each.kpi is kpi
    assert each.formula.endswith(".")
    assert each.source
    assert each.leaves_out
    assert len(each.title) <= 32  # one line on a phone
    assert len(set(each.cuts)) == len(each.cuts)
    assert each.title in explain(kpi)
    assert each.formula in explain(kpi)


def test_the_guide_says_the_same() -> None:
    guide = (ROOT / "docs" / "report.md").read_text(encoding="utf-8")
    for each in DEFINITIONS.values():
        assert f"| {each.title} | `{each.kpi}` | {each.unit} | {each.formula} |" in guide
    for sentence in GENERAL:
        assert sentence in guide


def test_decay_is_a_border_of_the_ages() -> None:
    hours = [each for _, each in AGES]
    assert DECAYED_HOURS in hours
    assert hours[-1] is None
    assert hours[:-1] == sorted(h for h in hours if h is not None)
    assert Cut.AGE in define(Kpi.UNTOUCHED).cuts


@pytest.mark.parametrize(
    ("share", "percent"),
    [
        (Share(0, 0), None),
        (Share(0, 9), 0),
        (Share(1, 1000), 1),
        (Share(999, 1000), 99),
        (Share(1, 2), 50),
        (Share(1, 8), 13),
        (Share(7, 7), 100),
    ],
)
def test_a_share_is_never_quite_rounded_to_nothing_or_all(
    share: Share, percent: int | None
) -> None:
    assert share.percent == percent
