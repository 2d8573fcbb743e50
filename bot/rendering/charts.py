"""Slack's native charts (`data_visualization`) within all their limits; messages only, two at most in one.

A chart is a picture of numbers that stand in the message as text, too: what does not fit is left out here, never
there. Labels are cleaned and plain, so that no name in one can act. What is not here: which numbers (the messages),
what is sent when Slack refuses a chart (`bot.services.deliver_call`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from bot.rendering import escape
from bot.rendering.rich import Block

#: Slack's limits; of 6 and 12 segments, which its pages both name, the lower.
TITLE_MAX = 50
LABEL_MAX = 20
AXIS_MAX = 50
MOST_CATEGORIES = 20
MOST_SERIES = 6
MOST_SEGMENTS = 6
MOST_CHARTS = 2
KIND = "data_visualization"
OTHER = "Other"

#: A name and a value for each category.
Series = tuple[str, Sequence[float]]


def bar_chart(
    title: str,
    series: Sequence[Series],
    categories: Sequence[str],
    x_label: str = "",
    y_label: str = "",
) -> Block | None:
    """Bars, a group for each category in this order, a bar for each series. None: there is nothing to draw.

    The first 20 categories and 6 series are drawn: put what matters first. ValueError when a series has not one value
    for each category.
    """
    if any(len(values) != len(categories) for _, values in series):
        raise ValueError("a series needs one value for each category")
    labels = unique_labels(categories[:MOST_CATEGORIES])
    drawn = [(name, values[: len(labels)]) for name, values in series[:MOST_SERIES]]
    if not labels or not any(_number(value) for _, values in drawn for value in values):
        return None
    names = unique_labels([name for name, _ in drawn])
    axes: dict[str, object] = {"categories": labels}
    for key, text in (("x_label", x_label), ("y_label", y_label)):
        if said := _text(text, AXIS_MAX):
            axes[key] = said
    return {
        "type": KIND,
        "title": _text(title, TITLE_MAX) or "–",
        "chart": {
            "type": "bar",
            "series": [
                {
                    "name": name,
                    "data": [
                        {"label": label, "value": _number(value)}
                        for label, value in zip(labels, values, strict=True)
                    ],
                }
                for name, (_, values) in zip(names, drawn, strict=True)
            ],
            "axis_config": axes,
        },
    }


def pie_chart(title: str, segments: Iterable[tuple[str, float]]) -> Block | None:
    """Shares of a whole, the biggest first, the rest as "Other"; what is nothing is left out. None: nothing is left."""
    filled = [(name, number) for name, value in segments if (number := _number(value)) > 0]
    filled.sort(key=lambda segment: -segment[1])
    if not filled:
        return None
    if len(filled) > MOST_SEGMENTS:
        rest = sum(value for _, value in filled[MOST_SEGMENTS - 1 :])
        filled = [*filled[: MOST_SEGMENTS - 1], (OTHER, _number(rest))]
    names = unique_labels([name for name, _ in filled])
    return {
        "type": KIND,
        "title": _text(title, TITLE_MAX) or "–",
        "chart": {
            "type": "pie",
            "segments": [
                {"label": name, "value": value}
                for name, (_, value) in zip(names, filled, strict=True)
            ],
        },
    }


def unique_labels(names: Iterable[str]) -> list[str]:
    """Each name in at most 20 characters, none twice: a long one as "Alexandra S.", else cut; twins get a number."""
    made: list[str] = []
    taken: set[str] = set()
    for name in names:
        label = next(each for each in _candidates(name) if each.casefold() not in taken)
        taken.add(label.casefold())
        made.append(label)
    return made


def _candidates(name: str) -> Iterable[str]:
    whole = _text(name, None) or "–"
    if len(whole) <= LABEL_MAX:
        yield whole
    else:
        words = whole.split()
        if len(words) > 1 and len(short := f"{words[0]} {words[-1][0]}.") <= LABEL_MAX:
            yield short
        yield escape.clip(whole, LABEL_MAX)
    for number in range(2, 10_000):
        yield f"{escape.clip(whole, LABEL_MAX - len(str(number)) - 1)} {number}"


def _text(text: str, cap: int | None) -> str:
    return escape.unbracket(escape.clean(text, cap))


def _number(value: float) -> float:
    """At most one decimal, whole ones without a point; what is no number is nothing."""
    if not math.isfinite(value):
        return 0
    rounded = round(value, 1)
    return int(rounded) if rounded == int(rounded) else rounded
