"""`data_visualization` blocks as geometry for an inline SVG: bars, lines, areas, pies.

Only numbers and labels come out; `templates/charts.html` draws them. Colours are classes
(`c0` … `c5`), so that light and dark stay in the style sheet.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

WIDTH, HEIGHT = 520, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 12, 14, 44
_HUES = 6


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar, `x y width height` in SVG units; `title` is its tooltip."""

    x: float
    y: float
    width: float
    height: float
    hue: int
    title: str


@dataclass(frozen=True, slots=True)
class Path:
    """A line, an area or a slice."""

    d: str
    hue: int
    title: str
    filled: bool


@dataclass(frozen=True, slots=True)
class Label:
    """A text at a point."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Legend:
    """One entry of the key; `value` is empty for series."""

    name: str
    value: str
    hue: int


@dataclass(frozen=True, slots=True)
class Chart:
    """All that a template needs to draw one chart."""

    kind: str
    title: str
    width: int = WIDTH
    height: int = HEIGHT
    bars: tuple[Bar, ...] = ()
    paths: tuple[Path, ...] = ()
    categories: tuple[Label, ...] = ()
    ticks: tuple[Label, ...] = ()
    legend: tuple[Legend, ...] = ()
    x_label: str = ""
    y_label: str = ""
    summary: str = field(default="")


def chart_of(block: Mapping[str, Any]) -> Chart | None:
    """The geometry of a `data_visualization` block; None for one that cannot be drawn."""
    chart = block.get("chart") or {}
    title = str(block.get("title", ""))
    kind = str(chart.get("type", ""))
    try:
        if kind == "pie":
            return _pie(title, chart.get("segments") or [])
        if kind in ("bar", "line", "area"):
            return _axes(kind, title, chart)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None  # the Web API refuses such charts; one that got past it must not end the page
    return None


def _number(value: float) -> str:
    return f"{value:g}"


def _pie(title: str, segments: Sequence[Mapping[str, Any]]) -> Chart:
    total = sum(float(s["value"]) for s in segments) or 1.0
    cx, cy, radius = HEIGHT / 2, HEIGHT / 2, HEIGHT / 2 - 12
    angle, paths, legend = -math.pi / 2, [], []
    for i, segment in enumerate(segments):
        share = float(segment["value"]) / total
        # A full circle has no two distinct end points: stop just short of it.
        end = angle + 2 * math.pi * min(share, 0.99999)
        x1, y1 = cx + radius * math.cos(angle), cy + radius * math.sin(angle)
        x2, y2 = cx + radius * math.cos(end), cy + radius * math.sin(end)
        large = 1 if share > 0.5 else 0
        d = f"M{cx:.1f} {cy:.1f}L{x1:.2f} {y1:.2f}A{radius:.1f} {radius:.1f} 0 {large} 1 {x2:.2f} {y2:.2f}Z"
        label = str(segment["label"])
        value = f"{_number(float(segment['value']))} ({share:.0%})"
        paths.append(Path(d, i % _HUES, f"{label}: {value}", filled=True))
        legend.append(Legend(label, value, i % _HUES))
        angle += 2 * math.pi * share
    summary = "; ".join(f"{entry.name}: {entry.value}" for entry in legend)
    return Chart(
        "pie", title, width=HEIGHT, paths=tuple(paths), legend=tuple(legend), summary=summary
    )


def _axes(kind: str, title: str, chart: Mapping[str, Any]) -> Chart:
    axis = chart.get("axis_config") or {}
    categories = [str(c) for c in axis.get("categories") or []]
    series: list[tuple[str, list[float]]] = []
    for one in chart.get("series") or []:
        found = {str(p["label"]): float(p["value"]) for p in one.get("data") or []}
        series.append((str(one.get("name", "")), [found.get(c, 0.0) for c in categories]))
    values = [v for _, row in series for v in row] or [0.0]
    low, high, step = _scale(min(0.0, *values), max(0.0, *values))
    inner_w, inner_h = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM

    def y_of(value: float) -> float:
        return _TOP + inner_h * (high - value) / (high - low)

    slot = inner_w / max(1, len(categories))
    centres = [_LEFT + slot * (i + 0.5) for i in range(len(categories))]
    bars: list[Bar] = []
    paths: list[Path] = []
    for s, (name, row) in enumerate(series):
        hue = s % _HUES
        if kind == "bar":
            width = min(44.0, slot * 0.72 / len(series))
            for i, value in enumerate(row):
                x = centres[i] - width * len(series) / 2 + width * s
                top, bottom = y_of(max(value, 0)), y_of(min(value, 0))
                text = f"{categories[i]}, {name}: {_number(value)}"
                bars.append(Bar(round(x, 1), round(top, 1), round(width - 2, 1),
                                round(bottom - top, 1), hue, text))  # fmt: skip
            continue
        points = "L".join(f"{x:.1f} {y_of(v):.1f}" for x, v in zip(centres, row, strict=True))
        if not points:
            continue
        if kind == "area":
            base = y_of(0)
            closed = f"M{centres[0]:.1f} {base:.1f}L{points}L{centres[-1]:.1f} {base:.1f}Z"
            paths.append(Path(closed, hue, name, filled=True))
        paths.append(Path(f"M{points}", hue, name, filled=False))
    ticks = []
    tick = low
    while tick <= high + step / 2:
        ticks.append(Label(_LEFT - 6, round(y_of(tick), 1), _number(round(tick, 6))))
        tick += step
    summary = "; ".join(
        f"{name}: " + ", ".join(f"{c} {_number(v)}" for c, v in zip(categories, row, strict=True))
        for name, row in series
    )
    return Chart(
        kind,
        title,
        bars=tuple(bars),
        paths=tuple(paths),
        categories=tuple(
            Label(round(x, 1), HEIGHT - _BOTTOM + 16, c)
            for x, c in zip(centres, categories, strict=True)
        ),
        ticks=tuple(ticks),
        legend=tuple(Legend(name, "", s % _HUES) for s, (name, _) in enumerate(series)),
        x_label=str(axis.get("x_label", "")),
        y_label=str(axis.get("y_label", "")),
        summary=summary,
    )


def _scale(low: float, high: float) -> tuple[float, float, float]:
    """Round bounds and a step of 1, 2 or 5 times a power of ten, four to six steps."""
    span = (high - low) or 1.0
    raw = span / 4
    power = 10 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw)
    return math.floor(low / step) * step, math.ceil(high / step) * step or step, step
