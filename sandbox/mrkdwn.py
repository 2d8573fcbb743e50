"""Slack's text formats as HTML: mrkdwn, plain text, emoji names, and `<!date^…>` in the reader's zone.

Everything that leaves this module is escaped: it is the one place of the sandbox that builds
`Markup` from message text. Not here: blocks (`block_html`), the page (`rendering`).
Source of the grammar: Slack's "Formatting text for app surfaces" and the date tokens of
rich text (`{date_short_pretty}`, `{time}`, `{ago}` …).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape


@dataclass(frozen=True, slots=True)
class Reader:
    """Who looks: decides the zone of every time and which mentions are highlighted."""

    user_id: str
    zone: str
    now: datetime
    people: Mapping[str, str]
    channels: Mapping[str, str]
    deactivated: frozenset[str] = frozenset()

    def local(self, at: datetime) -> datetime:
        """`at` on this reader's wall clock."""
        return at.astimezone(ZoneInfo(self.zone))


#: The handful of names that apps use; an unknown name stays as it was typed, as in Slack.
EMOJI: dict[str, str] = {
    "+1": "👍",
    "thumbsup": "👍",
    "-1": "👎",
    "tada": "🎉",
    "wave": "👋",
    "eyes": "👀",
    "fire": "🔥",
    "bulb": "💡",
    "bell": "🔔",
    "phone": "☎️",
    "telephone_receiver": "📞",
    "email": "📧",
    "calendar": "📅",
    "clock1": "🕐",
    "hourglass": "⌛",
    "hourglass_flowing_sand": "⏳",
    "alarm_clock": "⏰",
    "warning": "⚠️",
    "no_entry": "⛔",
    "x": "❌",
    "heavy_check_mark": "✔️",
    "white_check_mark": "✅",
    "ballot_box_with_check": "☑️",
    "large_green_circle": "🟢",
    "large_yellow_circle": "🟡",
    "large_orange_circle": "🟠",
    "red_circle": "🔴",
    "large_blue_circle": "🔵",
    "white_circle": "⚪",
    "leftwards_arrow_with_hook": "↩️",
    "arrow_right": "➡️",
    "arrow_up": "⬆️",
    "arrow_down": "⬇️",
    "trophy": "🏆",
    "medal": "🏅",
    "star": "⭐",
    "rocket": "🚀",
    "chart_with_upwards_trend": "📈",
    "bar_chart": "📊",
    "memo": "📝",
    "seedling": "🌱",
    "handshake": "🤝",
    "zzz": "💤",
    "palm_tree": "🌴",
}

#: State marks that the style sheet draws itself, as Slack draws emoji as pictures: they carry meaning
#: and must look alike on every machine, also on one without an emoji font.
_DRAWN: dict[str, str] = {
    "🟢": "green",
    "🟡": "yellow",
    "🟠": "orange",
    "🔴": "red",
    "🔵": "blue",
    "⚪": "white",
    "✅": "done",
    "❌": "cross",
    "↩": "back",
    "⚠": "warning",
}
_DRAWN_MARK = re.compile(f"([{''.join(_DRAWN)}])\ufe0f?")
_SAFE_SCHEMES = frozenset({"http", "https", "mailto", "tel"})
_PLACEHOLDER = re.compile("\ue000(\\d+)\ue001")
_FENCE = re.compile(r"```\n?(.+?)\n?```", re.S)
_CODE = re.compile(r"`([^`\n]+)`")
_CONTROL = re.compile(r"<([^<>\n]+)>")
_BARE_URL = re.compile("https?://[^\\s<>|\ue000\ue001]*[^\\s<>|.,;:!?)\\]}'\"\ue000\ue001]")
_EMOJI_NAME = re.compile(r":([a-z0-9_+-]{1,40}):")
_EMPHASIS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(rf"(?<![\w{re.escape(mark)}]){re.escape(mark)}(?!\s)([^\n{re.escape(mark)}]+?)"
                rf"(?<!\s){re.escape(mark)}(?![\w{re.escape(mark)}])"), tag)
    for mark, tag in (("*", "b"), ("_", "i"), ("~", "s"))
)  # fmt: skip


def is_safe_url(url: str) -> bool:
    """Links that a click may follow. `javascript:`, `data:` and relative ones are not."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return False
    return parts.scheme.lower() in _SAFE_SCHEMES and bool(parts.netloc or parts.path)


def link(url: str, label: str) -> Markup:
    """A link that opens outside, or, for a scheme nobody should click, its plain text."""
    if not is_safe_url(url):
        return escape(label)
    return Markup('<a class="link" href="{}" target="_blank" rel="noopener noreferrer">{}</a>').format(
        url, label
    )  # fmt: skip


def emojify(text: str) -> str:
    """`:tada:` -> 🎉; unknown names stay."""
    return _EMOJI_NAME.sub(lambda m: EMOJI.get(m[1], m[0]), text)


def plain(text: str, emoji: bool = True) -> Markup:
    """A `plain_text` object: literal, line breaks kept."""
    shown = escape(emojify(text) if emoji else text)
    return _escaped(drawn_marks(str(shown)).replace("\n", "<br>"))


def drawn_marks(html: str) -> str:
    """Escaped text with the state marks wrapped, so that the style sheet can draw them."""
    return _DRAWN_MARK.sub(lambda m: f'<span class="em em-{_DRAWN[m[1]]}">{m[0]}</span>', html)


def mention(user_id: str, reader: Reader) -> Markup:
    """`@Ann Lee`, marked when it means the reader."""
    name = reader.people.get(user_id, user_id)
    mine = " me" if user_id == reader.user_id else ""
    return Markup('<span class="mention{}" data-mention="{}">@{}</span>').format(
        mine, user_id, name
    )


def broadcast_mention(audience: str) -> Markup:
    """`@channel`: shown as loud as Slack would, so that a leak is seen here first."""
    return Markup('<span class="mention loud" data-mention="{0}">@{0}</span>').format(audience)


def channel_mention(channel_id: str, label: str, reader: Reader) -> Markup:
    """`#emea-leads`."""
    return Markup('<span class="mention">#{}</span>').format(
        reader.channels.get(channel_id, label or channel_id)
    )


def date_text(timestamp: float, pattern: str, reader: Reader) -> str:
    """Slack's date tokens filled in the reader's zone; unknown tokens stay as they are."""
    at = reader.local(datetime.fromtimestamp(timestamp, UTC))
    now = reader.local(reader.now)
    short = f"{at:%b} {at.day}, {at.year}"
    long = f"{at:%A}, {at:%B} {_ordinal(at.day)}, {at.year}"
    near = {0: "today", -1: "yesterday", 1: "tomorrow"}.get((at.date() - now.date()).days)
    tokens = {
        "date_num": f"{at:%Y-%m-%d}",
        "date_slash": f"{at:%Y/%m/%d}",
        "date": f"{at:%B} {_ordinal(at.day)}, {at.year}",
        "date_pretty": near or f"{at:%B} {_ordinal(at.day)}, {at.year}",
        "date_short": short,
        "date_short_pretty": near or short,
        "date_long": long,
        "date_long_full": long,
        "date_long_pretty": near or long,
        "day_divider_pretty": near or f"{at:%A}, {at:%B} {_ordinal(at.day)}",
        "time": f"{at:%H:%M}",
        "time_secs": f"{at:%H:%M:%S}",
        "ago": _ago(now - at),
    }
    return re.sub(r"\{(\w+)\}", lambda m: tokens.get(m[1], m[0]), pattern)


def date_html(
    timestamp: float, pattern: str, reader: Reader, url: str = "", fallback: str = ""
) -> Markup:
    """A `<time>` element, linked when the token carried a link; the fallback for no possible instant."""
    try:
        at = datetime.fromtimestamp(timestamp, UTC)
    except (OverflowError, OSError, TypeError, ValueError):
        return escape(fallback)
    shown = date_text(timestamp, pattern, reader)
    title = f"{reader.local(at):%A, %-d %B %Y, %H:%M} ({reader.zone})"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        at.isoformat(), title, link(url, shown) if url else shown
    )


def mrkdwn(text: str, reader: Reader, verbatim: bool = False) -> Markup:
    """A `mrkdwn` object or the `text` of a message as HTML.

    Slack sends and expects `&amp; &lt; &gt;` in such text; a bare `<` that opens no control
    sequence is shown as it is.
    """
    kept: list[tuple[str, Markup]] = []

    def keep(raw: str, html: Markup) -> str:
        kept.append((raw, html))
        return f"\ue000{len(kept) - 1}\ue001"

    def control(match: re.Match[str]) -> str:
        # A code span inside `<…>` is only text there: HTML must never end up in an href.
        body = _PLACEHOLDER.sub(lambda m: kept[int(m[1])][0], match[1])
        return keep(match[0], _control(body, reader))

    source = text.replace("\ue000", "").replace("\ue001", "")
    source = _FENCE.sub(
        lambda m: keep(m[0], Markup("<pre>{}</pre>").format(_unescape(m[1]))), source
    )
    source = _CODE.sub(
        lambda m: keep(m[0], Markup("<code>{}</code>").format(_unescape(m[1]))), source
    )
    source = _CONTROL.sub(control, source)
    if not verbatim:
        source = _BARE_URL.sub(lambda m: keep(m[0], link(_unescape(m[0]), _unescape(m[0]))), source)
    html = str(escape(emojify(_unescape(source))))
    for pattern, tag in _EMPHASIS:
        html = pattern.sub(partial(_emphasis, tag), html)
    return _escaped(_PLACEHOLDER.sub(lambda m: str(kept[int(m[1])][1]), drawn_marks(_lines(html))))


def _escaped(html: str) -> Markup:
    """The two renderers above escape first and add tags of their own afterwards; nothing else may."""
    return Markup(html)  # noqa: S704


def _emphasis(tag: str, match: re.Match[str]) -> str:
    """The styled part, or the match unchanged when the marks of two styles cross each other."""
    inner = match[1]
    if any(inner.count(f"<{t}>") != inner.count(f"</{t}>") for t in "bis"):
        return match[0]
    return f"<{tag}>{inner}</{tag}>"


def _control(body: str, reader: Reader) -> Markup:
    """The inside of `<…>`: a mention, a date, a link; anything else is shown as typed."""
    head, _, label = body.partition("|")
    if head.startswith("@"):
        return mention(head[1:], reader)
    if head.startswith("#"):
        return channel_mention(head[1:], _unescape(label), reader)
    if head.startswith("!date^"):
        _, stamp, pattern, *rest = [*head.split("^"), "", ""]
        if re.fullmatch(r"-?\d{1,11}", stamp):
            return date_html(
                int(stamp), _unescape(pattern), reader, _unescape(rest[0]), _unescape(label)
            )
        return escape(_unescape(label))
    if head.startswith("!subteam^"):
        return Markup('<span class="mention">{}</span>').format(_unescape(label) or "@group")
    if head in ("!channel", "!here", "!everyone"):
        return broadcast_mention(head[1:])
    url = _unescape(head)
    if is_safe_url(url):
        return link(url, _unescape(label) or url.removeprefix("mailto:").removeprefix("tel:"))
    return escape(_unescape(f"<{body}>"))


def _lines(html: str) -> str:
    """Quotes (`>` at a line's start) become one block; other line breaks stay."""
    out: list[str] = []
    quote: list[str] = []
    for line in html.split("\n"):
        if line.startswith("&gt;"):
            quote.append(line.removeprefix("&gt;").removeprefix(" "))
            continue
        if quote:
            out.append(f"<blockquote>{'<br>'.join(quote)}</blockquote>")
            quote = []
        out.append(line + "<br>")
    if quote:
        out.append(f"<blockquote>{'<br>'.join(quote)}</blockquote>")
    return "".join(out).removesuffix("<br>")


def _unescape(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _ordinal(day: int) -> str:
    suffix = "th" if day in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{suffix}"


def _ago(span: timedelta) -> str:
    seconds = abs(span.total_seconds())
    for size, word in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            n = int(seconds // size)
            shown = f"{n} {word}{'' if n == 1 else 's'}"
            return f"{shown} ago" if span > timedelta(0) else f"in {shown}"
    return "just now"
