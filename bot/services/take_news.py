"""News about a known lead: a second webhook, new behaviour, a new hand raise.

While a rep has the lead it changes fields, journal and card, never status or rep; a hand raise tightens the
clock. In nurturing the lead is judged again; in a terminal status only a hand raise starts a new round. Older
news never overwrites newer. A lead that an import only told as history lives again when it sends something.
"""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import datetime, timedelta

from bot.domain.agreement import ClockKind
from bot.domain.business_time import due_at
from bot.domain.funnel import HELD, TERMINAL, Status
from bot.domain.lead import LeadFacts, Score
from bot.domain.scoring import judge, pick_sla, score_lead
from bot.playbook.conditions import rule_input
from bot.services.judge_lead import judge_or_wait, receive
from bot.services.move_lead import redraw, write
from bot.services.release_waiting import refresh_waiting
from bot.services.revive_history import comes_back
from bot.services.run_clocks import (
    calendar_for,
    clock_rule,
    move_due,
    running_clock,
    steps_of,
)
from bot.services.wake_lead import wake_lead
from bot.services.work import Work
from storage import clocks, leads, offers, outbox
from storage.leads import LeadRow

#: A hand raise that arrives after newer news still counts when it is not older than this.
LATE_HAND_RAISE = timedelta(days=1)
_NOT_NEWS = frozenset({"occurred_at", "extra", "score_reasons", "source", "external_id"})


def take_news(work: Work, lead: LeadRow, news: LeadFacts, news_key: str) -> bool:
    """Apply news to a locked lead. False when it says nothing new: older than what is known, or the same.

    Of a lead of history nothing is too old: what a file knew says nothing about what the person did since.
    """
    told = lead.kind == "history"
    happened = news.occurred_at or work.now
    older = (happened, news_key) <= (lead.occurred_at, lead.news_key)
    known = lead.facts()
    merged = merge(news, known) if older else merge(known, news)
    merged = replace(merged, source=news.source, external_id=news.external_id)
    raises = judge(work.agreement, merged, Score(lead.score), rule_input).fast_lane
    if told:
        hand_raise = raises
        if older:
            happened, news_key = lead.occurred_at, lead.news_key
    elif older:
        # Feeds overtake each other: a call asked for this morning counts, though this noon's visit came first.
        hand_raise = (
            raises
            and not lead.fast_lane
            and timedelta(0) < lead.occurred_at - happened <= LATE_HAND_RAISE
        )
        if not hand_raise:
            write(work, lead.id, "news", data={"applied": False, "source": news.source})
            return False
        happened, news_key = lead.occurred_at, lead.news_key
    else:
        # The same hand raise told twice under two message ids is one hand raise.
        hand_raise = raises and happened > lead.occurred_at
    if not told and not hand_raise and replace(merged, occurred_at=known.occurred_at) == known:
        # The same as known, but known to be true later: what happened in between is older news.
        leads.save_lead(work.conn, lead, occurred_at=happened, news_key=news_key)
        write(work, lead.id, "news", data={"applied": False, "source": news.source})
        return False
    saved = leads.save_facts(work.conn, lead, merged, occurred_at=happened, news_key=news_key)
    if saved.source != lead.source:
        offers.follow_source(work.conn, lead.id, saved.source)
    write(
        work,
        lead.id,
        "news",
        data={"applied": True, "source": news.source, "hand_raise": hand_raise},
    )
    if told:
        saved = comes_back(work, saved, hand_raise=hand_raise)
    status = Status(saved.status)
    if status in HELD:
        _tell_holder(work, saved, hand_raise=hand_raise)
    elif status is Status.RECEIVED and saved.waiting:
        # Whoever asks to be called does not wait for a free rep any longer.
        receive(work, saved) if hand_raise else refresh_waiting(work, saved)
    elif status is Status.RECEIVED:
        judge_or_wait(work, saved)
    elif status is Status.NURTURING:
        _judge_again(work, saved, hand_raise=hand_raise)
    elif status in TERMINAL:
        if hand_raise:
            wake_lead(work, saved, why="hand_raise", as_agreed=False)
    else:
        redraw(work, saved)
    return True


def merge(known: LeadFacts, news: LeadFacts) -> LeadFacts:
    """What is known after the news: its values where it has any, the old ones elsewhere."""
    values = {
        f.name: getattr(news, f.name)
        for f in fields(LeadFacts)
        if f.name not in _NOT_NEWS and getattr(news, f.name)
    }
    return replace(
        known,
        **values,
        source=news.source,
        external_id=news.external_id,
        score_reasons=news.score_reasons or known.score_reasons,
        extra={**known.extra, **news.extra},
        occurred_at=news.occurred_at,
    )


def _tell_holder(work: Work, lead: LeadRow, *, hand_raise: bool) -> None:
    tightened = _tighten(work, lead) if hand_raise else None
    if lead.current_offer_id is not None and lead.owner_id is not None:
        outbox.enqueue_post(
            work.conn,
            template="news_line",
            card_key=f"news:{lead.id}:{lead.version}",
            lane=outbox.lane_of(lead.owner_id),
            priority=outbox.PRIORITY_REST,
            now=work.now,
            real=work.real,
            show_at=_opening(work, lead.owner_id, at_once=hand_raise),
            lead_id=lead.id,
            offer_id=lead.current_offer_id,
            person_id=lead.owner_id,
            clock_id=tightened,
            data={"kind": "hand_raise" if hand_raise else "behaviour"},
        )
    redraw(work, lead)


def _opening(work: Work, person_id: int, *, at_once: bool) -> datetime:
    member = work.roster.by_id.get(person_id)
    return work.now if at_once or member is None else member.calendar.next_open(work.now)


def _tighten(work: Work, lead: LeadRow) -> int | None:
    """A hand raise puts the lead under its SLA from now on; a running clock only ever gets earlier."""
    sla, _ = pick_sla(work.agreement, rule_input(lead.facts(), lead.score))
    lead = leads.save_lead(work.conn, lead, sla_name=sla.name, fast_lane=True)
    for kind in (ClockKind.ACCEPT, ClockKind.FIRST_TOUCH):
        clock = running_clock(work, lead.id, kind)
        rule = clock_rule(work, lead, kind)
        if clock is None or rule is None:
            continue
        calendar = calendar_for(work, kind, clock.person_id, clock.team)
        sooner = due_at(calendar, work.now, rule.within)
        if sooner < clock.due_at:
            clock = clocks.save_clock(
                work.conn,
                clock.id,
                within=rule.within.text,
                steps=steps_of(rule),
                playbook_version=work.agreement.version,
            )
            # Reminders are parts of the new span, not of the one that mostly passed.
            move_due(work, clock, sooner, "hand_raise", started_at=work.now)
            return clock.id
    return None


def _judge_again(work: Work, lead: LeadRow, *, hand_raise: bool) -> None:
    """Below the bar: over it now? Recycled by sales: only a hand raise or a higher score ends the agreed rest."""
    score, _ = score_lead(work.agreement, lead.facts(), rule_input)
    verdict = judge(work.agreement, lead.facts(), score, rule_input)
    rests = lead.wake_at is not None
    if hand_raise or (verdict.mql and (not rests or score.points > lead.score)):
        wake_lead(work, lead, why="hand_raise" if hand_raise else "scored", as_agreed=False)
