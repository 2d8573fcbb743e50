"""App Home: my queue by due time, a manager's team, marketing's review list; at most 100 blocks.

What is not here: the lead behind Open (`lead_card`, `escalation_card`, `review_card`), who sees
what (services).
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.agreement import Role
from bot.domain.funnel import Status
from bot.rendering import escape, times, wording
from bot.rendering.ids import ActionId, BlockId
from bot.rendering.lists import lead_row, lead_rows
from bot.rendering.rich import (
    Block,
    View,
    actions,
    bold,
    button,
    context,
    divider,
    header,
    home,
    line,
    lines,
    literal,
    rich_text,
    section,
)
from bot.rendering.views_pages import HomeView, LeadLine

#: A row with Accept takes two blocks; 20 x 2 + 20 + 15 and the headings stay below 100.
MINE_ROWS, TEAM_ROWS, REVIEW_ROWS = 20, 20, 15

FIRST_VISIT = (
    "Baton brings you leads that are worth a call, one card each, with the time by which it needs an answer.",
    "You answer on the card. If you cannot, it goes to a colleague: no lead is left waiting.",
    "Type /lead mine to see your leads, /baton away until monday before you leave.",
)
FIRST_VISIT_MANAGER = (
    "Baton brings leads to your reps, one card each, and to the next rep when nobody answers.",
    "You hear when one waits too long: take it, reassign it, nudge, or give more time.",
    "Type /lead team to see all that is open, /baton away until monday before you leave.",
)
FIRST_VISIT_MARKETING = (
    "Baton hands your leads to sales, and never loses sight of one.",
    "What sales rejects comes to the review channel: offer it again, nurture it, or disqualify it.",
    "Type /lead and a name to see who has a lead, /lead why and a name to see how it got there.",
)
RECORDS = (
    "What Baton records about you: when a lead reached you, what you clicked and when, the touches you"
    " log, and the absences you state. It reads no messages and no presence. You see your own figures,"
    " your manager sees the team's."
)


def render_home(view: HomeView) -> View:
    """The Home tab of one person."""
    blocks: list[Block | None] = []
    if view.first_visit:
        blocks += _first_visit(view)
    if view.away_until is not None:
        until = times.moment(view.away_until, view.reader.zone, view.reader.now)
        blocks.append(section(f"You are away until {until}. Back earlier? Type /baton back"))
    blocks += _mine(view)
    if view.challenge:
        blocks.append(context(view.challenge))
    if view.team is not None:
        blocks += _part(
            "Your team", view.team, view.team_total, view, ActionId.HOME_TEAM_OPEN, TEAM_ROWS,
            "Nothing of your team is overdue or due soon.", "/lead team",
        )  # fmt: skip
    if view.reviews is not None:
        blocks += _part(
            "Back with marketing", view.reviews, view.reviews_total, view,
            ActionId.HOME_REVIEW_OPEN, REVIEW_ROWS,
            "No lead waits for marketing.", "the next ones move up as you decide",
        )  # fmt: skip
        blocks.append(_waiting(view.waiting))
    blocks += [divider(), _buttons(view), context(RECORDS)]
    return home(blocks)


def _first_visit(view: HomeView) -> list[Block | None]:
    name = escape.first_name(view.name)
    said = FIRST_VISIT
    if Role.MANAGER in view.roles:
        said = FIRST_VISIT_MANAGER
    elif Role.REP not in view.roles and Role.MARKETING in view.roles:
        said = FIRST_VISIT_MARKETING
    rows = [line(literal(row)) for row in said]
    return [header(f"Hello {name}" if name else "Hello"), rich_text(lines(*rows)), divider()]


def _mine(view: HomeView) -> list[Block | None]:
    if not view.queue:
        if not view.roles & {Role.REP, Role.MANAGER} and not view.last_lead:
            return []
        return [rich_text(lines(line(literal(_empty(view)))))]
    total = max(view.queue_total, len(view.queue))
    blocks: list[Block | None] = [header(f"Your leads ({total})")]
    for row in view.queue[:MINE_ROWS]:
        blocks += _mine_row(row, view)
    more = wording.and_more(min(len(view.queue), MINE_ROWS), total)
    blocks.append(context(f"{more}: /lead mine") if more else None)
    return blocks


def _mine_row(row: LeadLine, view: HomeView) -> list[Block | None]:
    if row.status is not Status.OFFERED:
        return list(lead_rows([row], view.reader, ActionId.HOME_OPEN))
    who = wording.who(row.lead)
    return [
        section(lead_row(row, view.reader)),
        actions(
            f"{BlockId.HOME_ACTIONS}_{row.id}",
            button(
                wording.ACCEPT, ActionId.HOME_ACCEPT, row.id, style="primary", label=f"Accept {who}"
            ),
            button(wording.OPEN, ActionId.HOME_OPEN, row.id, label=f"Open {who}"),
        ),
    ]


def _empty(view: HomeView) -> str:
    """`Nothing waits for you. Your last lead: Jana Novak, accepted after 4 min.`"""
    last = escape.clean(view.last_lead, escape.NAME_CAP)
    if not last:
        return "Nothing waits for you."
    took = ""
    if view.last_accept_minutes is not None:
        took = f", accepted after {times.span(view.last_accept_minutes * 60)}"
    return f"Nothing waits for you. Your last lead: {last}{took}."


def _part(
    title: str,
    rows: Sequence[LeadLine],
    total: int,
    view: HomeView,
    action: ActionId,
    limit: int,
    empty: str,
    more_where: str,
) -> list[Block | None]:
    """A heading, rows with Open, and how many more there are."""
    total = max(total, len(rows))
    if not rows:
        return [rich_text(lines(line(bold(title)), line(empty)))]
    more = wording.and_more(min(len(rows), limit), total)
    return [
        header(f"{title} ({total})"),
        *lead_rows(rows, view.reader, action, limit=limit),
        context(f"{more}: {more_where}") if more else None,
    ]


def _waiting(count: int) -> Block | None:
    """`340 imported leads wait for a free rep.`"""
    if not count:
        return None
    verb = "waits" if count == 1 else "wait"
    return context(f"{wording.plural(count, 'imported lead')} {verb} for a free rep.")


def _buttons(view: HomeView) -> Block | None:
    absence = button("My hours and absence", ActionId.HOME_ABSENCE, "home")
    sample = button("Try it with a sample lead", ActionId.HOME_SAMPLE, "home")
    return actions(
        BlockId.HOME_ACTIONS,
        absence if view.offer_absence else None,
        sample if view.offer_sample else None,
    )
