"""Slack's limits for charts, tables and rich text (docs.slack.dev/reference/block-kit/blocks, autumn 2026).

Where copies of Slack's pages differ, the narrower limit counts: what passes here passes everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sandbox.rule_tools import Findings

MAX_SERIES = 6
MAX_ROWS = 101
TABLE_CHARACTERS = 10_000

_TOKEN = re.compile(r"\{([a-z_]+)\}")
_DATE_TOKENS = frozenset(
    [
        "date_num",
        "date_slash",
        "date",
        "date_short",
        "date_long",
        "date_long_full",
        "date_long_pretty",
        "date_pretty",
        "date_short_pretty",
        "day_divider_pretty",
        "time",
        "time_secs",
        "ago",
    ]
)
#: Rich text part -> (required, optional).
_PARTS = {
    "text": ("text", "style"),
    "link": ("url", "text style unsafe"),
    "user": ("user_id", "style"),
    "usergroup": ("usergroup_id", "style"),
    "channel": ("channel_id", "style"),
    "emoji": ("name", "unicode skin_tone style"),
    "date": ("timestamp format", "url fallback style"),
    "broadcast": ("range", "style"),
}
_RUNS = {
    "rich_text_section": ("elements", ""),
    "rich_text_list": ("elements style", "indent offset border"),
    "rich_text_quote": ("elements", "border"),
    "rich_text_preformatted": ("elements", "border language"),
}


def check_chart(f: Findings, at: str, block: Mapping[str, Any]) -> None:
    """A `data_visualization` block: pie, or bar, area, line."""
    f.string(f"{at}/title", block.get("title"), 1, 50)
    chart = block.get("chart")
    if not isinstance(chart, Mapping):
        return
    here = f"{at}/chart"
    f.choice(f"{here}/type", chart.get("type"), ("pie", "bar", "area", "line"))
    if chart.get("type") == "pie":
        f.object(here, chart, "type segments")
        for i, part in enumerate(
            f.listing(f"{here}/segments", chart.get("segments"), 1, MAX_SERIES)
        ):
            _point(f, f"{here}/segments/{i}", part)
            value = part.get("value") if isinstance(part, Mapping) else None
            if isinstance(value, int | float) and value <= 0:
                f.add(f"{here}/segments/{i}/value", "range", "must be greater than 0")
        return
    f.object(here, chart, "type series axis_config")
    axis = chart.get("axis_config")
    categories: list[Any] = []
    if axis is not None and f.object(f"{here}/axis_config", axis, "categories", "x_label y_label"):
        where = f"{here}/axis_config/categories"
        categories = f.listing(where, axis.get("categories"), 1, 20)
        for i, category in enumerate(categories):
            f.string(f"{where}/{i}", category, 1, 20)
        if len(set(map(str, categories))) < len(categories):
            f.add(where, "duplicate", "categories must be unique")
        for key in ("x_label", "y_label"):
            f.string(f"{here}/axis_config/{key}", axis.get(key), 1, 50)
    _series(f, f"{here}/series", chart.get("series"), categories)


def _point(f: Findings, at: str, point: Any) -> None:
    if f.object(at, point, "label value"):
        f.string(f"{at}/label", point.get("label"), 1, 20)
        f.number(f"{at}/value", point.get("value"))


def _series(f: Findings, at: str, value: Any, categories: list[Any]) -> None:
    names: set[str] = set()
    for i, series in enumerate(f.listing(at, value, 1, MAX_SERIES)):
        here = f"{at}/{i}"
        if not f.object(here, series, "name data"):
            continue
        f.string(f"{here}/name", series.get("name"), 1, 20)
        if str(series.get("name")) in names:
            f.add(f"{here}/name", "duplicate", "series names must be unique")
        names.add(str(series.get("name")))
        points = f.listing(f"{here}/data", series.get("data"), 1, 20)
        for j, point in enumerate(points):
            _point(f, f"{here}/data/{j}", point)
        labels = [str(p.get("label")) for p in points if isinstance(p, Mapping)]
        if sorted(labels) != sorted(map(str, categories)):
            f.add(f"{here}/data", "categories", "must have one point for every category")


def check_table(f: Findings, at: str, block: Mapping[str, Any]) -> None:
    """A `table` or `data_table` block."""
    is_data = block.get("type") == "data_table"
    f.string(f"{at}/caption", block.get("caption"), 1, 3000)
    f.number(f"{at}/page_size", block.get("page_size"), 1, 100)
    rows = f.listing(
        f"{at}/rows", block.get("rows"), 2 if is_data else 1, MAX_ROWS if is_data else 100
    )
    widths = {len(row) for row in rows if isinstance(row, list | tuple)}
    if len(widths) > 1:
        f.add(f"{at}/rows", "length", "all rows must have the same number of cells")
    for i, row in enumerate(rows):
        for j, cell in enumerate(f.listing(f"{at}/rows/{i}", row, 1, 20)):
            _cell(f, f"{at}/rows/{i}/{j}", cell, header=is_data and i == 0)
    f.number(
        f"{at}/row_header_column_index",
        block.get("row_header_column_index"),
        0,
        max(widths, default=1) - 1,
    )
    settings = f.listing(f"{at}/column_settings", block.get("column_settings"), 0, 20)
    for i, setting in enumerate(settings):
        here = f"{at}/column_settings/{i}"
        if setting is not None and f.object(here, setting, "", "align is_wrapped"):
            f.choice(f"{here}/align", setting.get("align"), ("left", "center", "right"))
            f.flag(f"{here}/is_wrapped", setting.get("is_wrapped"))


def _cell(f: Findings, at: str, cell: Any, *, header: bool) -> None:
    kind = cell.get("type") if isinstance(cell, Mapping) else None
    if kind == "raw_text":
        f.object(at, cell, "type text")
        f.string(f"{at}/text", cell.get("text"), 1, TABLE_CHARACTERS)
        f.table_characters += len(str(cell.get("text") or ""))
    elif kind == "raw_number":
        f.object(at, cell, "type value", "text")
        f.number(f"{at}/value", cell.get("value"))
        f.table_characters += len(str(cell.get("text") or cell.get("value")))
    elif kind == "rich_text" and not header:
        check_rich_text(f, at, cell)
        f.table_characters += text_length(cell)
    else:
        f.add(f"{at}/type", "enum", f"unsupported cell: {kind}")


def text_length(value: Any) -> int:
    """Characters of every text below `value`."""
    if isinstance(value, Mapping):
        own = value.get("text")
        rest = sum(
            text_length(v) for k, v in value.items() if k != "text" or not isinstance(v, str)
        )
        return rest + (len(own) if isinstance(own, str) else 0)
    return sum(map(text_length, value)) if isinstance(value, list | tuple) else 0


def check_rich_text(f: Findings, at: str, block: Mapping[str, Any]) -> None:
    """A `rich_text` block."""
    f.object(at, block, "type elements", "block_id")
    for i, run in enumerate(f.listing(f"{at}/elements", block.get("elements"), 1, 1000)):
        here = f"{at}/elements/{i}"
        kind = run.get("type") if isinstance(run, Mapping) else None
        if kind not in _RUNS:
            f.add(f"{here}/type", "enum", f"unsupported rich text element: {kind}")
            continue
        required, optional = _RUNS[kind]
        f.object(here, run, f"type {required}", optional)
        parts = f.listing(f"{here}/elements", run.get("elements"), 0, 1000)
        if kind == "rich_text_list":
            f.choice(f"{here}/style", run.get("style"), ("bullet", "ordered"))
            f.number(f"{here}/indent", run.get("indent"), 0, 8)
        for j, part in enumerate(parts):
            if kind != "rich_text_list":
                _part(f, f"{here}/elements/{j}", part)
            elif f.object(f"{here}/elements/{j}", part, "type elements"):
                inner = f"{here}/elements/{j}/elements"
                for k, item in enumerate(f.listing(inner, part.get("elements"), 0, 1000)):
                    _part(f, f"{inner}/{k}", item)


def _part(f: Findings, at: str, part: Any) -> None:
    kind = part.get("type") if isinstance(part, Mapping) else None
    if kind not in _PARTS:
        f.add(f"{at}/type", "enum", f"unsupported rich text part: {kind}")
        return
    required, optional = _PARTS[kind]
    f.object(at, part, f"type {required}", optional)
    if kind == "text":
        f.string(f"{at}/text", part.get("text"), 1, 10_000)
    if kind == "date":
        f.number(f"{at}/timestamp", part.get("timestamp"), 0)
        f.string(f"{at}/format", part.get("format"), 1, 500)
        tokens = _TOKEN.findall(str(part.get("format")))
        if not tokens or not _DATE_TOKENS.issuperset(tokens):
            f.add(f"{at}/format", "format", "must contain known date tokens")
    style = part.get("style")
    if style is not None and f.object(
        f"{at}/style", style, "", "bold italic strike code underline highlight client_highlight"
    ):
        for key, value in style.items():
            f.flag(f"{at}/style/{key}", value)
