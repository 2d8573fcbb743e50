"""Telling somebody else: who hears of a breach, when, and how it is written down.

An escalation never goes to the person it is about, nor to somebody absent, but to the deputy, then above, then the
signer; it waits for the receiver's hours unless the step says `now`. Nobody at all: marketing's channel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count

from bot.domain.agreement import ClockKind
from bot.services.move_lead import SYSTEM, Acting, write
from bot.services.work import Member, Work
from storage import cards, outbox
from storage.clocks import ClockRow
from storage.leads import LeadRow
from storage.outbox import Edit, Post


@dataclass(frozen=True, slots=True)
class Receiver:
    """A person's DM, or a channel when `member` is None."""

    member: Member | None
    channel: str = ""

    @property
    def key(self) -> str:
        """How the receiver is named in keys and in the journal."""
        return str(self.member.id) if self.member else f"ch:{self.channel}"


def receiver_of(work: Work, to: str, *, team: str, about: int | None, marketing: bool) -> Receiver:
    """Who hears it. `to`: manager, above, marketing, marketing.above, or an address."""
    agreement = work.agreement
    of_team = agreement.teams.get(team)
    channel = Receiver(None, agreement.marketing.channel)
    if to == "marketing":
        return channel
    ladder: list[str]
    if to == "marketing.above":
        ladder = [agreement.marketing.above, agreement.signer_marketing]
    elif to == "manager":
        ladder = [of_team.manager, of_team.above] if of_team else []
        ladder.append(agreement.signer_sales)
    elif to == "above":
        ladder = [of_team.above] if of_team else []
        ladder.append(agreement.signer_sales)
    else:
        ladder = [to, agreement.signer_marketing if marketing else agreement.signer_sales]
    seen: set[str] = set()
    while ladder:
        email = ladder.pop(0)
        if not email or email in seen:
            continue
        seen.add(email)
        member = work.roster.by_email.get(email)
        if member is not None and _fit(work, member, about):
            return Receiver(member)
        if member is not None and member.person is not None and member.person.deputy:
            ladder.insert(0, member.person.deputy)
    return channel


def _fit(work: Work, member: Member, about: int | None) -> bool:
    return member.id != about and member.reachable and not member.absent_at(work.now)


def escalate(
    work: Work,
    lead: LeadRow,
    to: str,
    *,
    clock: ClockRow | None,
    kind: ClockKind,
    about: int | None,
    team: str,
    step: str,
    at_once: bool = False,
    always: bool = False,
    nobody_left: bool = False,
) -> None:
    """Decide that the breach be told. One message per lead, clock kind and receiver in a round: a repeat edits it."""
    marketing = kind in (ClockKind.ROUTE, ClockKind.REVIEW)
    receiver = receiver_of(work, to, team=team, about=about, marketing=marketing)
    show_at = work.now
    if not at_once and receiver.member is not None:
        show_at = receiver.member.calendar.next_open(work.now)
    elif not at_once:
        show_at = work.agreement.marketing.calendar.next_open(work.now)
    data = {"offer": lead.current_offer_id, "always": always, "nobody_left": nobody_left}
    post = Post(
        template="escalation",
        card_key=f"esc:{lead.id}:{lead.round}:{kind.value}:{receiver.key}",
        lane=outbox.lane_of(receiver.member.id if receiver.member else None, receiver.channel),
        priority=outbox.PRIORITY_ESCALATION,
        show_at=show_at,
        lead_id=lead.id,
        offer_id=lead.current_offer_id,
        person_id=receiver.member.id if receiver.member else None,
        clock_id=clock.id if clock else None,
        data=data,
    )
    if work.gathered is not None:
        work.gathered.posts.append(post)
    else:
        post_all(work, [post])
    work.wake = True
    write(
        work,
        lead.id,
        "escalated",
        Acting(SYSTEM.kind),
        {
            "clock": clock.id if clock else None,
            "kind": kind.value,
            "step": step,
            "to": receiver.key,
            "about": about,
        },
    )


def post_all(work: Work, posts: Sequence[Post]) -> None:
    """Decide on reminders and escalations. What was decided before happens once; an escalation is told again."""
    new = outbox.enqueue_posts(work.conn, posts, now=work.now, real=work.real)
    for post, is_new in zip(posts, new, strict=True):
        if not is_new and post.template == "escalation":
            _repeat(work, post)


def _repeat(work: Work, post: Post) -> None:
    """Edits the message that stands. One that was settled, also before anybody saw it, tells nothing more: the next
    breach is posted under the next number."""
    for n in count(1):
        again = post if n == 1 else replace(post, card_key=f"{post.card_key}#{n}")
        if n > 1 and outbox.enqueue_posts(work.conn, [again], now=work.now, real=work.real)[0]:
            return
        card = cards.read_card(work.conn, again.card_key)
        if not (
            card.closed if card is not None else outbox.came_to_nothing(work.conn, again.card_key)
        ):
            edit = Edit(
                again.template, again.card_key, again.lane, again.lead_id, again.offer_id,
                again.person_id, again.clock_id, again.data, again.priority,
            )  # fmt: skip
            outbox.enqueue_edits(work.conn, [edit], now=work.now, real=work.real)
            return


def tell_manager_nobody_left(work: Work, lead: LeadRow, team: str) -> None:
    """Nobody of a team could take the lead: its manager hears it at once (the lead is with marketing now)."""
    if team not in work.agreement.teams:
        return
    escalate(
        work,
        lead,
        "manager",
        clock=None,
        kind=ClockKind.ACCEPT,
        about=None,
        team=team,
        step="nobody_left",
        always=True,
        nobody_left=True,
    )
