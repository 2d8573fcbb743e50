"""What a manager sees of a breach: one message per lead, kind of clock and receiver in a round.

It is computed from the lead as it is now, so every edit is right whatever happened in between. What
is not here: who hears of a breach (`escalate`), marketing's own clocks (`present_review`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.domain.access import Deed, may
from bot.domain.agreement import ClockKind
from bot.domain.funnel import HELD, TERMINAL, Action, Actor, Status, sources_of
from bot.domain.sla import COVERS
from bot.rendering.escalation_card import render_escalation_card
from bot.rendering.views import (
    EscalationCard,
    EscalationEnd,
    EscalationOutcome,
    Holder,
)
from bot.services.deliver_types import Drop, Rendered
from bot.services.present_parts import (
    Story,
    day_of,
    doer,
    face_of,
    label_of,
    reader_of,
    running,
    shown_clock,
    story_of,
)
from bot.services.present_review import marketing_escalation
from bot.services.refuse import bonds_of
from bot.services.work import Member, Work
from storage import clocks, leads, offers
from storage.cards import CardRow
from storage.clocks import ClockRow
from storage.deliveries import OutboxRow
from storage.journal import JournalRow
from storage.leads import LeadRow
from storage.offers import OfferRow

_MARKETINGS = frozenset({ClockKind.ROUTE, ClockKind.SCRUB, ClockKind.REVIEW})
_REPS = frozenset(
    {
        ClockKind.ACCEPT.value,
        ClockKind.FIRST_TOUCH.value,
        ClockKind.FOLLOW_UP.value,
        ClockKind.DECIDE.value,
        ClockKind.STALLED.value,
    }
)
_ENDS: dict[str, EscalationEnd] = {
    Action.ACCEPT: EscalationEnd.ACCEPTED,
    Action.TAKE: EscalationEnd.ACCEPTED,
    Action.TOUCH: EscalationEnd.TOUCHED,
    Action.QUALIFY: EscalationEnd.QUALIFIED,
    Action.CLOSE: EscalationEnd.CLOSED,
    Action.RECYCLE: EscalationEnd.RECYCLED,
    Action.REJECT: EscalationEnd.REJECTED,
    Action.REASSIGN: EscalationEnd.REASSIGNED,
    Action.DISQUALIFY: EscalationEnd.DISQUALIFIED,
}
#: After these no undo brings the lead back before the manager in this round.
_SETTLED = TERMINAL | {Status.NURTURING, Status.QUALIFIED}


@dataclass(frozen=True, slots=True)
class _Case:
    """One breach to tell: the lead now, its clocks of the breach's round, and who reads it."""

    lead: LeadRow
    round: int
    kind: ClockKind
    receiver: Member | None
    clocks: tuple[ClockRow, ...]  # of this kind and round, oldest first
    running: dict[ClockKind, ClockRow]
    offers: tuple[OfferRow, ...]
    story: Story

    @property
    def clock(self) -> ClockRow | None:
        """The running clock of the kind, else the newest."""
        return self.running.get(self.kind) or (self.clocks[-1] if self.clocks else None)


def escalation(work: Work, row: OutboxRow, card: CardRow | None) -> Rendered | Drop:
    """The template `escalation`."""
    parsed = parse_key(row.card_key)
    lead = leads.read_lead(work.conn, row.lead_id) if row.lead_id is not None else None
    if parsed is None or lead is None:
        return Drop("lead_gone")
    round_, kind = parsed
    receiver = work.roster.by_id.get(row.person_id) if row.person_id is not None else None
    if kind in _MARKETINGS:
        return marketing_escalation(work, row, card, lead, kind, receiver)
    case = _case(work, lead, round_, kind, receiver)
    outcome = _outcome(work, case)
    if card is None and outcome is not None and not row.data.get("always"):
        return Drop("settled")
    touched = lead.state is Status.WORKING and kind not in (ClockKind.FOLLOW_UP, ClockKind.DECIDE)
    over = lead.round != round_ or lead.state in _SETTLED or touched
    view = _view(work, case, outcome, nobody_left=bool(row.data.get("nobody_left")))
    return Rendered(render_escalation_card(view), closed=outcome is not None and over)


def parse_key(card_key: str) -> tuple[int, ClockKind] | None:
    """Round and kind of `esc:<lead>:<round>:<kind>:<receiver>`."""
    parts = card_key.split(":")
    if len(parts) < 5 or parts[0] != "esc" or not parts[2].isdigit():
        return None
    return (int(parts[2]), ClockKind(parts[3])) if parts[3] in set(ClockKind) else None


def breach_view(work: Work, lead: LeadRow, reader: Member) -> EscalationCard:
    """A lead as its manager may act on it now, overdue or not: for lists and Home."""
    pressing = shown_clock(lead, running(work, lead.id))
    kind = ClockKind(pressing.kind) if pressing is not None else ClockKind.DECIDE
    return _view(work, _case(work, lead, lead.round, kind, reader), None, nobody_left=False)


def excusable_clock(work: Work, lead: LeadRow, *, but: int | None = None) -> ClockRow | None:
    """The newest breach of this round that counts against a rep other than `but`."""
    found = [
        clock
        for clock in clocks.list_clocks(work.conn, lead.id)
        if clock.round == lead.round
        and clock.kind in _REPS
        and clock.breached_at is not None
        and not clock.excused
        and clock.person_id not in (None, but)
    ]
    return max(found, key=lambda clock: (clock.breached_at or clock.due_at, clock.id), default=None)


def _case(
    work: Work, lead: LeadRow, round_: int, kind: ClockKind, receiver: Member | None
) -> _Case:
    of_round = [c for c in clocks.list_clocks(work.conn, lead.id) if c.round == round_]
    return _Case(
        lead=lead,
        round=round_,
        kind=kind,
        receiver=receiver,
        clocks=tuple(c for c in of_round if c.kind == kind.value),
        running={ClockKind(c.kind): c for c in of_round if c.ended_at is None},
        offers=tuple(offers.list_offers(work.conn, lead.id, round_)),
        story=story_of(work, lead.id),
    )


def _view(
    work: Work, case: _Case, outcome: EscalationOutcome | None, *, nobody_left: bool
) -> EscalationCard:
    lead, receiver = case.lead, case.receiver
    roles = receiver.roles if receiver is not None else frozenset()
    bonds = bonds_of(work, receiver, lead) if receiver is not None else frozenset()
    takes = lead.state in sources_of(Action.TAKE, Actor.MANAGER)
    excusable = excusable_clock(work, lead, but=receiver.id if receiver else None)
    excused = work.roster.name_of(excusable.person_id) if excusable else ""
    held = lead.state in HELD and (receiver is None or lead.owner_id != receiver.id)
    shown = shown_clock(lead, case.running)
    offer_id = lead.current_offer_id or (case.offers[-1].id if case.offers else "")
    return EscalationCard(
        offer_id=offer_id,
        reader=reader_of(work, receiver),
        lead=face_of(lead),
        clock=case.kind,
        since=_since(case),
        due=_due(case),
        holders=_holders(work, case),
        reminded=_reminded(case),
        touches_done=lead.touches,
        touches_wanted=case.clock.goal if case.clock else 0,
        nobody_left=nobody_left and lead.state is Status.OFFERED,
        can_take=takes and may(roles, bonds, Deed.TAKE),
        can_nudge=held and may(roles, bonds, Deed.NUDGE),
        can_extend=shown is not None and may(roles, bonds, Deed.EXTEND),
        excuse_name=excused if may(roles, bonds, Deed.EXCUSE) else "",
        nudged_at=_nudged_at(case),
        outcome=outcome,
    )


def _since(case: _Case) -> datetime:
    """When the lead asked (accept, shelf life), was accepted, or was qualified."""
    if case.kind is ClockKind.STALLED and case.clock is not None:
        return case.clock.started_at
    if case.kind in (ClockKind.ACCEPT, ClockKind.SHELF_LIFE):
        return _asked_at(case)
    accepted = [o.accepted_at for o in case.offers if o.accepted_at is not None]
    if accepted:
        return accepted[-1]
    return case.clock.started_at if case.clock is not None else case.lead.status_at


def _asked_at(case: _Case) -> datetime:
    if case.round <= 1:
        return case.lead.arrived_at
    woken = next(iter(case.story.moves(case.round)), None)
    return woken.at if woken is not None else case.lead.status_at


def _due(case: _Case) -> datetime:
    """Of the accept clock the first that was missed: later reps had their own time."""
    if case.kind is ClockKind.ACCEPT:
        missed = [c.due_at for c in case.clocks if c.breached_at is not None]
        if missed:
            return missed[0]
    return case.clock.due_at if case.clock is not None else case.lead.status_at


def _holders(work: Work, case: _Case) -> tuple[Holder, ...]:
    """Everybody who had it in this round, each until their clock was due or they let it go."""
    made: list[Holder] = []
    for offer in case.offers:
        current = offer.id == case.lead.current_offer_id and offer.state in ("open", "accepted")
        if current and case.kind is not ClockKind.ACCEPT:
            clock = case.running.get(case.kind)
        else:
            accepts = (c for c in _accept_clocks(case) if c.offer_id == offer.id)
            clock = next(accepts, None)
        ends = [at for at in (clock.due_at if clock else None, offer.ended_at) if at is not None]
        if ends:
            made.append(
                Holder(work.roster.name_of(offer.rep_id), min(ends), current, answer=offer.state)
            )
    return tuple(made)


def _accept_clocks(case: _Case) -> tuple[ClockRow, ...]:
    running = case.running.get(ClockKind.ACCEPT)
    if case.kind is ClockKind.ACCEPT:
        return case.clocks
    return (running,) if running is not None else ()


def _reminded(case: _Case) -> int:
    ids = {clock.id for clock in case.clocks}
    return sum(1 for e in case.story.entries if e.kind == "reminded" and e.data.get("clock") in ids)


def _nudged_at(case: _Case) -> datetime | None:
    """Since the present holder has it."""
    nudged = case.story.last("nudged")
    offer = next((o for o in case.offers if o.id == case.lead.current_offer_id), None)
    if nudged is None or offer is None or nudged.at < offer.offered_at:
        return None
    return nudged.at


# ------------------------------------------------------------------ how it ended


def _outcome(work: Work, case: _Case) -> EscalationOutcome | None:
    """None while the manager is still needed."""
    covered = COVERS[case.kind]
    if case.lead.round != case.round or case.lead.state not in covered:
        # Without an exit it was never there: nobody was free when it arrived. Then the newest move says what is.
        left = case.story.last_exit(covered, case.round)
        return _exit(work, case, left or next(reversed(list(case.story.moves(case.round))), None))
    clock = case.running.get(case.kind)
    if clock is None:
        return _ended(work, case)
    if clock.due_at <= work.now or clock.breached_at is not None:
        return None
    # The clock runs and has time again: a manager did that, or the rules gave it to the next rep.
    last = next(
        (
            m
            for m in reversed(list(case.story.moves(case.round)))
            if m.data.get("action") != "touch"
        ),
        None,
    )
    by_manager = last is not None and last.data.get("action") in (Action.REASSIGN, Action.TAKE)
    if by_manager and last is not None and clock.started_at >= last.at:
        return _exit(work, case, last)
    more = case.story.last("extended", clock=clock.id)
    if more is not None:
        by_reader = _is_reader(case, more)
        return EscalationOutcome(
            EscalationEnd.EXTENDED, more.at, doer(work, more), by_reader, due=clock.due_at
        )
    return None if case.kind is ClockKind.ACCEPT else _exit(work, case, last)


def _ended(work: Work, case: _Case) -> EscalationOutcome | None:
    """The clock ended although the lead stayed: all touches were made, or it does not run any more."""
    clock = case.clock
    if clock is None or clock.ended_at is None:
        return None
    followed = case.kind is ClockKind.FOLLOW_UP and clock.outcome in ("met", "late")
    return EscalationOutcome(
        EscalationEnd.FOLLOWED_UP if followed else EscalationEnd.MOVED_ON,
        clock.ended_at,
        work.roster.name_of(clock.person_id) if followed else "",
        by_reader=followed and case.receiver is not None and clock.person_id == case.receiver.id,
    )


def _exit(work: Work, case: _Case, move: JournalRow | None) -> EscalationOutcome:
    if move is None:
        return EscalationOutcome(EscalationEnd.MOVED_ON, case.lead.status_at)
    to, code = str(move.data.get("to")), str(move.data.get("reason") or "")
    end = _ENDS.get(str(move.data.get("action")), EscalationEnd.MOVED_ON)
    if to == Status.REVIEW and end is not EscalationEnd.REJECTED:
        end = EscalationEnd.REVIEW
    good = end in (EscalationEnd.ACCEPTED, EscalationEnd.TOUCHED)
    made = case.story.offered_after(move.seq)
    to_id = made.data.get("rep") if made is not None else None
    return EscalationOutcome(
        kind=end,
        at=_happened_at(move),
        by_name=doer(work, move),
        by_reader=_is_reader(case, move),
        to_name=work.roster.name_of(to_id) if to_id is not None else "",
        wake_on=day_of(move.data.get("wake_at"), reader_of(work, case.receiver).zone),
        after_minutes=int((_happened_at(move) - _asked_at(case)).total_seconds() // 60)
        if good
        else None,
        reason=label_of(work, code) if code else "",
    )


def _happened_at(move: JournalRow) -> datetime:
    """When it truly happened: the CRM tells some things late."""
    told = move.data.get("happened_at")
    return datetime.fromisoformat(told) if isinstance(told, str) else move.at


def _is_reader(case: _Case, entry: JournalRow) -> bool:
    return case.receiver is not None and entry.actor_id == case.receiver.id
