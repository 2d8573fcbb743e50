"""Judging a lead in `received`: is it an MQL, which SLA holds, who gets it.

What is not here: the rules (`bot.domain.scoring`, `bot.domain.routing`), how the lead came in.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy.exc import DBAPIError

from bot.domain.agreement import Agreement, ClockKind, RuleInput, SlaRule
from bot.domain.funnel import Action, Status
from bot.domain.lead import LeadFacts, Score
from bot.domain.scoring import Verdict, judge, pick_sla, score_lead
from bot.playbook.conditions import rule_input, with_score
from bot.services.move_lead import SYSTEM, move, write
from bot.services.offer_lead import enter_review, offer_next
from bot.services.run_clocks import arm_steps, start_clock
from bot.services.work import Work
from storage import clocks, leads
from storage.leads import LeadRow

RETRY_JUDGE_AFTER = timedelta(minutes=1)
#: Timers that judge once more, and whether for a lead that was woken as agreed.
JUDGE_STEPS = {"judge": False, "judge:woken": True}


def judge_lead(work: Work, lead: LeadRow, *, woken: bool = False) -> LeadRow:
    """Score, define, pick the SLA, route. The lead must be in `received` and locked.

    `woken`: it was ours before and comes back as agreed: it is offered without passing the bar again, first to
    the rep who asked for it. A rule that fails is journalled and the next one is tried; a definition that fails
    sends the lead to review: it is never lost.
    """
    lead, verdict = assess_lead(work, lead, woken=woken)
    return place_lead(work, lead, verdict, woken=woken)


@dataclass(frozen=True, slots=True)
class Assessment:
    """What the rules say of a lead. `given`: its facts and score as conditions see them."""

    score: Score
    verdict: Verdict
    sla: SlaRule
    faults: tuple[str, ...]
    given: RuleInput


def weigh(agreement: Agreement, facts: LeadFacts) -> Assessment:
    """Score, definition and SLA; nothing is written down."""
    unscored = rule_input(facts)
    score, score_faults = score_lead(agreement, facts, lambda *_: unscored)
    given = with_score(unscored, score.points)
    verdict = judge(agreement, facts, score, lambda *_: given)
    sla, sla_faults = pick_sla(agreement, given)
    faults = (*score_faults, *verdict.faults, *sla_faults)
    return Assessment(score, verdict, sla, faults, given)


def judged_data(found: Assessment, version: int, *, woken: bool = False) -> dict[str, Any]:
    """The journal's words for it."""
    return {
        "mql": found.verdict.mql,
        "fast_lane": found.verdict.fast_lane,
        "undecidable": found.verdict.undecidable,
        "score": found.score.points,
        "sla": found.sla.name,
        "version": version,
        "woken": woken,
    }


def assess_lead(work: Work, lead: LeadRow, *, woken: bool = False) -> tuple[LeadRow, Verdict]:
    """Score, definition and SLA of a locked lead, written down and journalled; its status stays."""
    found = weigh(work.agreement, lead.facts())
    lead = leads.save_lead(
        work.conn,
        lead,
        score=found.score.points,
        reasons=list(found.score.reasons),
        fast_lane=found.verdict.fast_lane,
        sla_name=found.sla.name,
        playbook_version=work.agreement.version,
    )
    for fault in found.faults:
        write(work, lead.id, "fault", data={"rule": fault[:200]})
    write(work, lead.id, "judged", data=judged_data(found, work.agreement.version, woken=woken))
    return lead, found.verdict


def place_lead(work: Work, lead: LeadRow, verdict: Verdict, *, woken: bool = False) -> LeadRow:
    """Where the verdict sends a locked lead in `received`: before a rep, to sleep, or into review."""
    if verdict.undecidable and not woken:
        moved = enter_review(work, lead, Action.JUDGE, SYSTEM, reason="undecidable")
    elif verdict.mql or woken:
        rep = work.roster.by_id.get(lead.wake_rep_id) if lead.wake_rep_id else None
        moved = offer_next(work, lead, Action.JUDGE, SYSTEM, prefer=rep.email if rep else "")
    else:
        moved = move(
            work,
            lead,
            Action.JUDGE,
            SYSTEM,
            Status.NURTURING,
            changes={"reason": "below_bar"},
            data={"reason": "below_bar"},
        )
    # The lead is locked and was just read in `received`: nobody can have been quicker.
    if moved is None:
        raise RuntimeError(f"lead {lead.id} left `received` under our lock")
    return moved


def receive(work: Work, lead: LeadRow, *, woken: bool = False) -> None:
    """A lead is in `received`: marketing's route clock starts, and the lead is judged at once."""
    clock = start_clock(work, lead, ClockKind.ROUTE, started_at=work.now, arm=False)
    judge_or_wait(work, lead, woken=woken)
    running = clocks.read_clock(work.conn, clock.id) if clock is not None else None
    if running is not None and running.ended_at is None:
        arm_steps(work, running)


def judge_or_wait(work: Work, lead: LeadRow, *, woken: bool = False) -> None:
    """Judge a received lead; when our own code fails, the lead is kept, marketing's route clock runs, and it is
    judged again a minute later. A fault of ours must never lose a lead."""
    savepoint = work.conn.begin_nested()
    try:
        judge_lead(work, lead, woken=woken)
        savepoint.commit()
    except DBAPIError:
        savepoint.rollback()
        raise
    except (
        Exception
    ) as error:  # the lead is worth more than the traceback, which is journalled by its type
        savepoint.rollback()
        work.forget_roster()
        write(work, lead.id, "fault", data={"rule": "judge", "error": type(error).__name__})
        clocks.arm_timer(
            work.conn,
            lead_id=lead.id,
            subject_kind="lead",
            subject_id=lead.id,
            step=next(step for step, is_woken in JUDGE_STEPS.items() if is_woken is woken),
            generation=int(work.now.timestamp()),  # a new one each time, in later rounds too
            due_at=work.now + RETRY_JUDGE_AFTER,
        )
        work.wake = True
