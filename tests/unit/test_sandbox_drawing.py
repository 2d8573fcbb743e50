"""Slack's texts and blocks as HTML: what a reader sees, and that no text can become a tag, a link or a ping."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest

from sandbox.block_html import Surface, environment, render_blocks
from sandbox.charts import chart_of
from sandbox.mrkdwn import Reader, date_text, is_safe_url, mrkdwn, plain

NOW = datetime(2026, 11, 23, 9, 41, tzinfo=UTC)
VIENNA = Reader("U1", "Europe/Vienna", NOW, {"U1": "Ann Lee", "U2": "Ben Ode"}, {"C1": "emea"})
OHIO = Reader("U2", "America/New_York", NOW, {"U1": "Ann Lee"}, {})
AT = int(datetime(2026, 11, 23, 9, 45, tzinfo=UTC).timestamp())

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</textarea></select></option><b onclick=alert(1)>",
    "<!channel> <!here|x> <@U1>",
    "<javascript:alert(1)|click>",
    '<https://x.example/"onmouseover=alert(1)|go>',
    '*<https://x.example/`a"b`|`c`>* ``` <script> ```',
    "{{ 7 * 7 }} {% raw %}",
)


class Parts(HTMLParser):
    """What a browser would make of it: tags, attributes, text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return "".join(self.words)

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.attributes if key == name]

    def check_harmless(self) -> None:
        """No code, no picture from elsewhere, no link that runs something."""
        assert not {"script", "img", "iframe", "object", "style", "base", "form"} & set(self.tags)
        assert not [name for name, _ in self.attributes if name.startswith("on")]
        assert not self.values("style")
        assert all(is_safe_url(url) for url in self.values("href"))


def drawn(*blocks: Mapping[str, Any], reader: Reader = VIENNA) -> Parts:
    return Parts(str(render_blocks(environment(), blocks, Surface("message", reader))))


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("*bold* _it_ ~no~", "<b>bold</b> <i>it</i> <s>no</s>"),
        ("*_both_*", "<b><i>both</i></b>"),
        ("2*3*4 and snake_case_name", "2*3*4 and snake_case_name"),
        ("* not bold *", "* not bold *"),
        ("`*code* <b>`", "<code>*code* &lt;b&gt;</code>"),
        ("```\na *b*\n```", "<pre>a *b*</pre>"),
        ("a &amp; b &lt;c&gt;", "a &amp; b &lt;c&gt;"),
        ("a & b < c", "a &amp; b &lt; c"),
        ("&amp;lt;", "&amp;lt;"),
        ("one\ntwo", "one<br>two"),
        ("&gt; said\n&gt; twice\nafter", "<blockquote>said<br>twice</blockquote>after"),
        (":tada: :no_such_name:", "🎉 :no_such_name:"),
        ("<@U2>", '<span class="mention" data-mention="U2">@Ben Ode</span>'),
        ("<@U1>", '<span class="mention me" data-mention="U1">@Ann Lee</span>'),
        ("<#C1>", '<span class="mention">#emea</span>'),
        ("<!channel>", '<span class="mention loud" data-mention="channel">@channel</span>'),
        ("*crossed _over* here_", "<b>crossed _over</b> here_"),
        ("<javascript:alert(1)|x>", "&lt;javascript:alert(1)|x&gt;"),
        ("<!date^never^{time}|later>", "later"),
        ("🔴 late", '<span class="em em-red">🔴</span> late'),
    ],
)
def test_mrkdwn_as_slack_shows_it(text: str, html: str) -> None:
    assert str(mrkdwn(text, VIENNA)) == html


@pytest.mark.parametrize(
    ("text", "href", "label"),
    [
        ("<https://a.example/x?a=1&amp;b=2|the page>", "https://a.example/x?a=1&b=2", "the page"),
        ("<mailto:jana@globex.example>", "mailto:jana@globex.example", "jana@globex.example"),
        ("<tel:+431|+43 1>", "tel:+431", "+43 1"),
        ("see https://a.example/x.", "https://a.example/x", "see https://a.example/x."),
    ],
)
def test_links_open_outside(text: str, href: str, label: str) -> None:
    found = Parts(str(mrkdwn(text, VIENNA)))
    assert found.values("href") == [href]
    assert found.values("rel") == ["noopener noreferrer"]
    assert found.text == label


def test_verbatim_text_links_nothing_by_itself() -> None:
    assert "href" not in mrkdwn("see https://a.example", VIENNA, verbatim=True)


def test_dates_stand_in_the_readers_zone() -> None:
    text = f"Accept by <!date^{AT}^{{time}}|10:45 CET>"
    assert Parts(str(mrkdwn(text, VIENNA))).text == "Accept by 10:45"
    assert Parts(str(mrkdwn(text, OHIO))).text == "Accept by 04:45"


@pytest.mark.parametrize(
    ("pattern", "shown"),
    [
        ("{date_short_pretty} at {time}", "today at 10:45"),
        ("{date}", "November 23rd, 2026"),
        ("{date_long}", "Monday, November 23rd, 2026"),
        ("{date_num} {time_secs}", "2026-11-23 10:45:00"),
        ("{ago}", "in 4 minutes"),
        ("{nonsense}", "{nonsense}"),
    ],
)
def test_date_tokens(pattern: str, shown: str) -> None:
    assert date_text(AT, pattern, VIENNA) == shown


def test_tomorrow_is_the_readers_tomorrow() -> None:
    late = datetime(2026, 11, 23, 23, 30, tzinfo=UTC).timestamp()
    assert date_text(late, "{date_short_pretty}", VIENNA) == "tomorrow"
    assert date_text(late, "{date_short_pretty}", OHIO) == "today"


def test_plain_text_is_literal_but_for_emoji_names() -> None:
    assert str(plain("*a* <!channel>\n:wave:")) == "*a* &lt;!channel&gt;<br>👋"
    assert str(plain(":wave:", emoji=False)) == ":wave:"


def option(text: str) -> dict[str, Any]:
    return {
        "text": {"type": "plain_text", "text": text},
        "value": text,
        "description": {"type": "plain_text", "text": text},
    }


def every_block(text: str) -> list[dict[str, Any]]:
    """Each kind of block and element with `text` wherever a text may stand."""
    words = {"type": "plain_text", "text": text}
    marked = {"type": "mrkdwn", "text": text}
    confirm = {"title": words, "text": marked, "confirm": words, "deny": words}
    options = [option(text)]
    elements: list[dict[str, Any]] = [
        {"type": "button", "text": words, "value": text, "confirm": confirm},
        {"type": "button", "text": words, "url": "javascript:alert(1)"},
        {"type": "button", "text": words, "accessibility_label": text},
        {"type": "overflow", "options": [*options, {**option(text), "url": "javascript:x()"}]},
        {
            "type": "static_select",
            "placeholder": words,
            "options": options,
            "initial_option": options[0],
        },
        {"type": "static_select", "option_groups": [{"label": words, "options": options}]},
        {"type": "multi_static_select", "options": options},
        {"type": "users_select", "placeholder": words},
        {"type": "conversations_select", "placeholder": words},
        {"type": "datepicker", "initial_date": text},
        {"type": "timepicker", "initial_time": text},
        {"type": "plain_text_input", "initial_value": text, "placeholder": words},
        {"type": "plain_text_input", "multiline": True, "initial_value": text},
        {"type": "number_input", "initial_value": text},
        {"type": "radio_buttons", "options": options},
        {"type": "checkboxes", "options": options},
        {"type": "image", "alt_text": text, "image_url": "https://x.example/i.png"},
        {"type": text},
    ]
    elements = [{**e, "action_id": text} for e in elements]
    rich = [
        {"type": "text", "text": text, "style": {"bold": True, "code": True}},
        {"type": "link", "url": "javascript:alert(1)", "text": text},
        {"type": "emoji", "name": text},
        {"type": "user", "user_id": text},
        {"type": "channel", "channel_id": text},
        {"type": "usergroup", "usergroup_id": text},
        {"type": "date", "timestamp": AT, "format": text, "url": "javascript:x()"},
        {"type": "date", "timestamp": 10**30, "format": "{time}", "fallback": text},
        {"type": "color", "value": text},
    ]
    cells = [{"type": "raw_text", "text": text}, {"type": "raw_number", "value": 1, "text": text}]
    lists = {
        "type": "rich_text_list", "style": "ordered", "indent": 2, "offset": 3,
        "elements": [{"type": "rich_text_section", "elements": rich}],
    }  # fmt: skip
    axis = {"categories": [text], "x_label": text, "y_label": text}
    series = [{"name": text, "data": [{"label": text, "value": 3}]}]
    return [
        {"type": "section", "text": words, "fields": [words], "accessory": elements[0]},
        {"type": "header", "text": words},
        {"type": "context", "elements": [words, {"type": "image", "alt_text": text}]},
        {"type": "divider"},
        {"type": "actions", "block_id": text, "elements": elements},
        *(
            {"type": "input", "block_id": text, "label": words, "hint": words, "element": e}
            for e in elements
        ),
        {
            "type": "rich_text",
            "elements": [
                {"type": "rich_text_section", "elements": rich},
                {"type": "rich_text_quote", "elements": rich},
                {"type": "rich_text_preformatted", "elements": rich[:1]},
                lists,
            ],
        },
        {"type": "table", "rows": [cells, cells], "column_settings": [{"align": "right"}]},
        {"type": "data_table", "caption": text, "rows": [cells]},
        *(
            {"type": "data_visualization", "title": text,
             "chart": {"type": kind, "series": series, "axis_config": axis}}
            for kind in ("bar", "line", "area", text)
        ),
        {"type": "data_visualization", "title": text,
         "chart": {"type": "pie", "segments": [{"label": text, "value": 1}]}},
        {"type": "image", "alt_text": text, "image_url": "https://x.example/i.png"},
        {"type": "markdown", "text": text},
        {"type": "alert", "text": words, "level": text},
        {"type": text},
    ]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_of_any_block_becomes_a_tag_a_handler_or_a_running_link(text: str) -> None:
    blocks = every_block(text)
    found = drawn(*blocks)
    found.check_harmless()
    assert found.values("href") == []
    # Each block shows the words as they are, and nothing pings: neither does a name in rich text.
    assert found.text.count(text.split()[0]) > len(blocks) / 2
    assert not {"channel", "here"} & set(found.values("data-mention"))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_mrkdwn_stays_harmless(text: str) -> None:
    marked = {"type": "mrkdwn", "text": text}
    confirm = {"title": marked, "text": marked}
    found = drawn(
        {"type": "section", "text": marked, "fields": [marked]},
        {"type": "context", "elements": [marked]},
        {"type": "actions", "elements": [{"type": "button", "text": marked, "confirm": confirm}]},
    )
    found.check_harmless()


def test_an_unescaped_ping_is_loud_so_that_a_leak_is_seen() -> None:
    found = drawn({"type": "section", "text": {"type": "mrkdwn", "text": "Evil <!channel> Ltd"}})
    assert found.values("data-mention") == ["channel"]


def test_elements_carry_their_ids_and_confirmations() -> None:
    confirm = {
        "title": {"type": "plain_text", "text": "Pass it on?"},
        "text": {"type": "mrkdwn", "text": "The *next* rep gets it"},
        "style": "danger",
    }
    button = {"type": "button", "action_id": "pass_on", "value": "o1", "confirm": confirm,
              "text": {"type": "plain_text", "text": "Pass on"}}  # fmt: skip
    found = drawn({"type": "actions", "block_id": "offer", "elements": [button]})
    assert found.values("data-action-id") == ["pass_on"]
    assert set(found.values("data-block-id")) == {"offer"}
    assert found.values("data-value") == ["o1"]
    assert found.values("data-confirm-text") == ["The next rep gets it"]
    assert found.values("data-confirm-style") == ["danger"]


def test_a_users_select_offers_only_active_people() -> None:
    reader = Reader("U1", "UTC", NOW, VIENNA.people, {}, frozenset({"U2"}))
    select = {"type": "actions", "elements": [{"type": "users_select", "action_id": "to"}]}
    assert "Ben Ode" in drawn(select).text
    assert "Ben Ode" not in drawn(select, reader=reader).text


def test_bars_have_heights_in_proportion_and_pies_close() -> None:
    axis = {"categories": ["Ann", "Bo"]}
    points = [{"label": "Ann", "value": 40}, {"label": "Bo", "value": 10}]
    bars = chart_of(
        {"title": "Points", "chart": {"type": "bar", "axis_config": axis,
                                      "series": [{"name": "Points", "data": points}]}}
    )  # fmt: skip
    assert bars is not None
    tall, short = (bar.height for bar in bars.bars)
    assert tall == pytest.approx(4 * short, rel=0.02)
    assert bars.summary == "Points: Ann 40, Bo 10"
    pie = chart_of({"title": "All", "chart": {"type": "pie", "segments": points[:1]}})
    assert pie is not None
    assert pie.legend[0].value == "40 (100%)"


@pytest.mark.parametrize(
    "chart", [{}, {"type": "pie", "segments": [{"label": "x"}]}, {"type": "map"}]
)
def test_an_odd_chart_is_named_instead_of_ending_the_page(chart: dict[str, Any]) -> None:
    found = drawn({"type": "data_visualization", "title": "t", "chart": chart})
    assert "does not draw" in found.text
