"""The audit as one message for marketing's channel: counts with their n, nobody's name, one phone screen.

What is not here: counting, the terminal's tables.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.audit import BASE, FIGURES, Audit, Tally
from bot.rendering import escape, times, wording
from bot.rendering.rich import (
    Element,
    Message,
    bold,
    context,
    flat,
    line,
    lines,
    literal,
    message,
    rich_text,
)
from bot.rendering.views import Reader

_NAME_CAP = 40


def render_audit(audit: Audit, reader: Reader) -> Message:
    """What became of the leads that sales got, the worst team, source and age by what nobody touched."""
    total = audit.total
    scope = f" in {escape.clean(audit.team, _NAME_CAP)}" if audit.team else ""
    if not total.leads:
        title = f"Audit{scope}: no lead was handed to sales yet."
        return message(title, [rich_text(lines(line(bold(title))))])
    title = (
        f"Of {wording.plural(total.leads, 'lead')} handed to sales{scope}, "
        f"{total.never_touched:,} ({total.share('never_touched')} %) were never touched."
    )
    rows = [line(bold(title)), *(_figure(total, n) for n in range(1, len(FIGURES)))]
    for what, parts in (
        ("team", audit.by_team()),
        ("source", audit.by_source()),
        ("age", audit.by_age()),
    ):
        rows += _worst(what, parts)
    text = "\n".join(flat(row) for row in rows)
    return message(text, [rich_text(lines(*rows)), context(_base(audit, reader))])


def _figure(total: Tally, place: int) -> list[Element]:
    figure = FIGURES[place]
    count = getattr(total, figure.name)
    return line(f"{figure.title}: {count:,} ({total.share(figure.name)} %). {figure.meaning}")


def _worst(what: str, parts: Sequence[tuple[str, Tally]]) -> list[list[Element]]:
    """Where most untouched leads lie; nothing to say when there is but one part, or none untouched."""
    filled = [(name, tally) for name, tally in parts if tally.leads]
    if len(filled) < 2:
        return []
    name, tally = max(filled, key=lambda part: part[1].never_touched)
    if not tally.never_touched:
        return []
    share = tally.share("never_touched")
    said = f": {tally.never_touched:,} of {tally.leads:,} ({share} %)"
    return [line(f"Most untouched by {what}: ", literal(name, _NAME_CAP), said)]


def _base(audit: Audit, reader: Reader) -> str:
    today = times.today(reader.now, reader.zone)
    since = ""
    if audit.since is not None:
        since = f" Arrived since {times.day(times.today(audit.since, reader.zone), today)}."
    return f"{BASE}{since} {audit.imported:,} of them imported. The lists: baton audit --csv FILE"
