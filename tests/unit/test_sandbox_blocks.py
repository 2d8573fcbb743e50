"""Slack's limits for blocks: what stands exactly at a limit passes, one more is refused at the right place."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.block_rules import blocks_too_long, check_message, check_view, view_too_large
from tests.unit.sandbox_kit import HELLO, buttons, modal

Block = dict[str, Any]


def plain(text: str = "x") -> Block:
    return {"type": "plain_text", "text": text}


def mrkdwn(text: str = "x") -> Block:
    return {"type": "mrkdwn", "text": text}


def option(value: str = "a", **more: Any) -> Block:
    return {"text": plain(), "value": value, **more}


def options(count: int) -> list[Block]:
    return [option(str(i)) for i in range(count)]


def actions(*elements: Block) -> Block:
    return {"type": "actions", "elements": list(elements)}


def button(**more: Any) -> Block:
    return {"type": "button", "action_id": "a", "text": plain(), **more}


def select(**more: Any) -> Block:
    return {"type": "static_select", "action_id": "s", **more}


def field(element: Block, **more: Any) -> Block:
    return {"type": "input", "label": plain(), "element": element, **more}


def note(**more: Any) -> Block:
    return {"type": "plain_text_input", "action_id": "n", **more}


def bar(categories: int = 2, series: int = 1, width: int = 1) -> Block:
    names = [f"{i:0{width}d}" for i in range(categories)]
    points = [{"label": name, "value": -1} for name in names]
    return {
        "type": "data_visualization",
        "title": "t" * 50,
        "chart": {
            "type": "bar",
            "series": [{"name": f"s{i}", "data": points} for i in range(series)],
            "axis_config": {"categories": names, "x_label": "x" * 50},
        },
    }


def pie(*values: float, label: str = "x") -> Block:
    segments = [{"label": label, "value": value} for value in values]
    return {
        "type": "data_visualization",
        "title": "t",
        "chart": {"type": "pie", "segments": segments},
    }


def cell(text: str = "x") -> Block:
    return {"type": "raw_text", "text": text}


def table(kind: str, rows: int, columns: int = 1, text: str = "x", **more: Any) -> Block:
    grid = [[cell(text) for _ in range(columns)] for _ in range(rows)]
    return {
        "type": kind,
        "rows": grid,
        **({"caption": "c"} if kind == "data_table" else {}),
        **more,
    }


def rich(*parts: Block) -> Block:
    section = {"type": "rich_text_section", "elements": list(parts)}
    return {"type": "rich_text", "elements": [section]}


GOOD: list[Block] = [
    HELLO,
    buttons("accept", "reject"),
    {"type": "section", "text": plain("x" * 3000), "block_id": "b" * 255},
    {"type": "section", "fields": [mrkdwn("x" * 2000)] * 10},
    {"type": "section", "text": plain(), "accessory": select(options=options(100))},
    {"type": "header", "text": plain("x" * 150), "level": 4},
    {"type": "context", "elements": [mrkdwn()] * 10},
    {"type": "divider"},
    {"type": "markdown", "text": "x" * 12_000},
    actions(*[button(action_id=str(i)) for i in range(25)]),
    actions(button(text=plain("x" * 75), value="x" * 2000, style="danger", url="https://x.test/")),
    actions(
        button(
            confirm={
                "title": plain("x" * 100),
                "text": plain("x" * 300),
                "confirm": plain("x" * 30),
                "deny": plain(),
            }
        )
    ),
    actions({"type": "overflow", "action_id": "o", "options": options(5)}),
    actions(select(options=[option("v" * 150, description=plain("x" * 75))], placeholder=plain())),
    actions(select(option_groups=[{"label": plain(), "options": options(2)}])),
    actions(select(options=options(2), initial_option=options(2)[1])),
    actions({"type": "users_select", "action_id": "u", "initial_user": "U0ABCDEF"}),
    actions({"type": "datepicker", "action_id": "d", "initial_date": "2028-02-29"}),
    actions({"type": "timepicker", "action_id": "t", "initial_time": "23:59"}),
    field({"type": "checkboxes", "action_id": "c", "options": options(10)}, optional=True),
    field({"type": "radio_buttons", "action_id": "r", "options": options(10)}),
    field({"type": "multi_static_select", "action_id": "m", "options": options(3)}),
    field(note(min_length=3, max_length=3000, multiline=True), hint=plain("x" * 2000)),
    rich(
        {"type": "text", "text": "Jana", "style": {"bold": True}},
        {"type": "date", "timestamp": 1_790_000_000, "format": "{time}", "fallback": "10:45"},
        {"type": "link", "url": "https://x.test/"},
    ),
    bar(20, 6, 20),
    pie(1, 2, 3, 4, 5, 6),
    table("data_table", 101, 4, page_size=100, row_header_column_index=3),
    table("table", 100, 20, column_settings=[{"align": "right", "is_wrapped": True}, None]),
]

BAD: list[tuple[Block, str]] = [
    ({"type": "carousel"}, "/0/type"),
    ({"type": "divider", "colour": "red"}, "/0/colour"),
    ({"type": "divider", "block_id": "b" * 256}, "/0/block_id"),
    ({"type": "section"}, "/0"),
    ({"type": "section", "text": "x"}, "/0/text"),
    ({"type": "section", "text": plain("")}, "/0/text/text"),
    ({"type": "section", "text": plain("x" * 3001)}, "/0/text/text"),
    ({"type": "section", "text": {"type": "markdown", "text": "x"}}, "/0/text/type"),
    ({"type": "section", "text": {**mrkdwn(), "emoji": True}}, "/0/text/emoji"),
    ({"type": "section", "fields": [mrkdwn()] * 11}, "/0/fields"),
    ({"type": "section", "fields": [mrkdwn("x" * 2001)]}, "/0/fields/0/text"),
    ({"type": "section", "text": plain(), "accessory": note()}, "/0/accessory/type"),
    ({"type": "header", "text": mrkdwn()}, "/0/text/type"),
    ({"type": "header", "text": plain(), "level": 5}, "/0/level"),
    ({"type": "context", "elements": [mrkdwn()] * 11}, "/0/elements"),
    ({"type": "context", "elements": []}, "/0/elements"),
    ({"type": "markdown", "text": "x" * 12_001}, "/0/text"),
    (actions(), "/0/elements"),
    (actions(*[button(action_id=str(i)) for i in range(26)]), "/0/elements"),
    (actions(button(), button()), "/0/elements/1/action_id"),
    (actions(button(text=plain("x" * 76))), "/0/elements/0/text/text"),
    (actions(button(text=mrkdwn())), "/0/elements/0/text/type"),
    (actions(button(value="x" * 2001)), "/0/elements/0/value"),
    (actions(button(style="default")), "/0/elements/0/style"),
    (actions(button(url="acme.example")), "/0/elements/0/url"),
    (actions(button(confirm={"title": plain()})), "/0/elements/0/confirm"),
    (actions({"type": "slider", "action_id": "a"}), "/0/elements/0/type"),
    (actions({"type": "overflow", "options": options(6)}), "/0/elements/0/options"),
    (actions(select()), "/0/elements/0"),
    (actions(select(options=options(101))), "/0/elements/0/options"),
    (actions(select(options=[option("v" * 151)])), "/0/elements/0/options/0/value"),
    (actions(select(options=[option("a"), option("a")])), "/0/elements/0/options/1/value"),
    (actions(select(options=options(1), initial_option=option("z"))), "/0/elements/0"),
    (
        actions(select(options=options(1), placeholder=plain("x" * 151))),
        "/0/elements/0/placeholder/text",
    ),
    (actions({"type": "datepicker", "initial_date": "2026-02-29"}), "/0/elements/0/initial_date"),
    (actions({"type": "timepicker", "initial_time": "24:00"}), "/0/elements/0/initial_time"),
    (actions({"type": "users_select", "initial_user": "ann"}), "/0/elements/0/initial_user"),
    (field(button()), "/0/element/type"),
    (field(note(max_length=3001)), "/0/element/max_length"),
    (field(note(min_length=5, max_length=4)), "/0/element/min_length"),
    (field(note(), label=mrkdwn()), "/0/label/type"),
    (field({"type": "checkboxes", "options": options(11)}), "/0/element/options"),
    (rich({"type": "text", "text": ""}), "/0/elements/0/elements/0/text"),
    (
        rich({"type": "text", "text": "x", "style": {"bold": 1}}),
        "/0/elements/0/elements/0/style/bold",
    ),
    (rich({"type": "date", "timestamp": 1, "format": "soon"}), "/0/elements/0/elements/0/format"),
    (rich({"type": "date", "timestamp": 1, "format": "{week}"}), "/0/elements/0/elements/0/format"),
    (
        field(note(dispatch_action_config={"trigger_actions_on": ["on_blur"]})),
        "/0/element/dispatch_action_config/trigger_actions_on",
    ),
    ({"type": "section", "text": plain(), "expand": "yes"}, "/0/expand"),
    (rich({"type": "blink"}), "/0/elements/0/elements/0/type"),
    ({"type": "rich_text", "elements": [{"type": "section"}]}, "/0/elements/0/type"),
    (bar(21), "/0/chart/axis_config/categories"),
    (bar(2, 7), "/0/chart/series"),
    (bar(1, 1, 21), "/0/chart/axis_config/categories/0"),
    ({**bar(), "title": "t" * 51}, "/0/title"),
    (pie(1, 0), "/0/chart/segments/1/value"),
    (pie(*[1] * 7), "/0/chart/segments"),
    (pie(1, label="x" * 21), "/0/chart/segments/0/label"),
    ({"type": "data_visualization", "title": "t", "chart": {"type": "radar"}}, "/0/chart/type"),
    (table("data_table", 1), "/0/rows"),
    (table("data_table", 102), "/0/rows"),
    (table("data_table", 2, 21), "/0/rows/0"),
    (table("data_table", 2, page_size=101), "/0/page_size"),
    (table("data_table", 2, row_header_column_index=1), "/0/row_header_column_index"),
    (table("table", 101), "/0/rows"),
    (table("table", 1, text=""), "/0/rows/0/0/text"),
    ({"type": "table", "rows": [[cell()], [cell(), cell()]]}, "/0/rows"),
]


@pytest.mark.parametrize("block", GOOD, ids=lambda b: b["type"])
def test_a_block_at_its_limits_passes(block: Block) -> None:
    assert check_message([block]) == []


@pytest.mark.parametrize(("block", "pointer"), BAD, ids=lambda v: v if isinstance(v, str) else "")
def test_one_more_is_refused_where_it_stands(block: Block, pointer: str) -> None:
    assert f"/blocks{pointer}" in [finding.pointer for finding in check_message([block])]


def test_a_message_as_a_whole() -> None:
    assert check_message([HELLO] * 50) == []
    assert check_message([HELLO] * 51)[0].pointer == "/blocks"
    assert check_message("x")[0].code == "type"
    assert check_message([None])[0].pointer == "/blocks/0"
    twice = {"type": "divider", "block_id": "b"}
    assert check_message([twice, twice])[0].code == "duplicate"
    assert check_message([bar(), pie(1)]) == []
    assert check_message([bar(), pie(1), bar()])[0].code == "count"
    assert check_message([table("table", 1)] * 2)[0].message == "only_one_table_allowed"
    assert check_message([table("table", 10, 10, "x" * 100)]) == []
    assert check_message([table("table", 10, 10, "x" * 101)])[0].code == "length"
    full = {"type": "section", "text": plain("x" * 2400)}
    assert not blocks_too_long([full] * 4)
    assert blocks_too_long([full] * 4 + [HELLO])


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"title": plain("x" * 25)}, "/view/title/text"),
        ({"title": None}, "/view"),
        ({"submit": None}, "/view/submit"),
        ({"private_metadata": "x" * 3001}, "/view/private_metadata"),
        ({"callback_id": "x" * 256}, "/view/callback_id"),
        ({"blocks": []}, "/view/blocks"),
        ({"blocks": [HELLO] * 101}, "/view/blocks"),
        ({"blocks": [bar()]}, "/view/blocks/0/type"),
        ({"color": "red"}, "/view/color"),
        ({"type": "home"}, "/view/type"),
        ({"notify_on_close": "yes"}, "/view/notify_on_close"),
        ({"blocks": [field(note(focus_on_load=True))] * 2}, "/view"),
    ],
)
def test_a_modal_is_refused_where_it_is_wrong(change: Block, pointer: str) -> None:
    assert check_view(modal(), "modal") == []
    found = check_view({**modal(), **change}, "modal")
    assert pointer in [finding.pointer for finding in found]


def test_a_home_tab_has_no_title_and_a_view_is_at_most_250_kilobytes() -> None:
    home = {"type": "home", "blocks": [HELLO] * 100}
    assert check_view(home, "home") == []
    assert check_view({**home, "title": plain()}, "home")[0].pointer == "/view/title"
    assert not view_too_large(home)
    assert view_too_large({**home, "private_metadata": "ä" * 125_000})
