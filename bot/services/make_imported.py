"""A row of an import about somebody unknown, as the lead to be written: told, waiting, or before marketing's eyes.

Nothing here is offered, and no clock starts: `release_waiting` does that later, or a person. What is not here: rows
about leads that are known (`meet_imported`), writing (`storage.imports`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from bot.domain.agreement import Agreement
from bot.domain.funnel import Action, Status
from bot.domain.lead import LeadFacts
from bot.domain.past import BadRow, ImportMode, ImportRow
from bot.domain.scoring import judge, pick_sla, score_lead
from bot.playbook.conditions import rule_input
from bot.services.take_news import merge
from storage.imports import Entry, ImportRun, NewLead
from storage.leads import email_key_of, fact_values
from storage.offers import new_offer_id

IMPORTED = "imported"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A row, and the lead it becomes if nobody knows it; or why this agreement cannot take such a lead."""

    row: ImportRow
    made: NewLead | BadRow


def moment_of(run: ImportRun, row: ImportRow) -> datetime:
    """How new a row is. Without a date of its own, or with one that is still to come, it is as new as the import."""
    return _past_or_begin(run, row.facts.occurred_at or row.past.arrived_at)


def arrival_of(run: ImportRun, row: ImportRow) -> datetime:
    """When a lead of history arrived in the old system, as far as the row knows."""
    return _past_or_begin(run, row.past.arrived_at or row.facts.occurred_at)


def _past_or_begin(run: ImportRun, said: datetime | None) -> datetime:
    return said if said is not None and said <= run.started_at else run.started_at


def news_key_of(run: ImportRun, row: ImportRow) -> str:
    """Of two rows of the same instant the later one is the newer; of two imports too."""
    return f"import:{run.id:09d}:{row.line:09d}"


def what_is_new(known: LeadFacts, row: ImportRow, *, older: bool) -> LeadFacts | None:
    """What is known after the row, None when it says nothing new. An older row only fills gaps."""
    merged = merge(row.facts, known) if older else merge(known, row.facts)
    merged = replace(
        merged,
        source=known.source,
        external_id=known.external_id,
        occurred_at=known.occurred_at,
    )
    return None if merged == known else merged


def prepare_rows(
    agreement: Agreement, run: ImportRun, rows: Sequence[ImportRow | BadRow]
) -> list[Prepared | BadRow]:
    """Rows with the leads that they become if nobody knows them. Before the transaction: judging takes its time, and
    others want to write."""
    return [
        row if isinstance(row, BadRow) else Prepared(row, _made(agreement, run, row))
        for row in rows
    ]


def _made(agreement: Agreement, run: ImportRun, row: ImportRow) -> NewLead | BadRow:
    if run.mode == ImportMode.HISTORY:
        return _told(run, row)
    return _judged(agreement, run, row)


def _told(run: ImportRun, row: ImportRow) -> NewLead:
    arrived = arrival_of(run, row)
    values = _values(run, row) | {
        "kind": "history",
        "status": row.past.status.value,
        "reason": row.past.reason,
        "arrived_at": arrived,
        "status_at": arrived,
    }
    return NewLead(values, row.past, (_arrived(run, row.facts, row.past.status, history=True),))


def _judged(agreement: Agreement, run: ImportRun, row: ImportRow) -> NewLead | BadRow:
    facts = row.facts
    inputs = lru_cache(2)(
        lambda points: rule_input(facts, points)
    )  # making one costs more than a rule
    score, score_faults = score_lead(agreement, facts, lambda _, points: inputs(points))
    verdict = judge(agreement, facts, score, lambda _, points: inputs(points))
    sla, sla_faults = pick_sla(agreement, inputs(score.points))
    review = run.mode == ImportMode.REVIEW
    if verdict.undecidable and not review:
        why = "; ".join(verdict.faults)[:300]
        return BadRow(row.line, f"The definition cannot be decided: {why}")
    values = _values(run, row) | {
        "kind": "live",
        "status": Status.RECEIVED.value,
        "score": score.points,
        "reasons": list(score.reasons),
        "fast_lane": verdict.fast_lane,
        "sla_name": sla.name,
        "playbook_version": agreement.version,
    }
    faults = (*score_faults, *verdict.faults, *sla_faults)
    judged = {
        "mql": verdict.mql,
        "fast_lane": verdict.fast_lane,
        "undecidable": verdict.undecidable,
        "score": score.points,
        "sla": sla.name,
        "version": agreement.version,
        "woken": False,
    }
    entries: list[Entry] = [
        _arrived(run, facts, Status.RECEIVED),
        *(("fault", {"rule": fault[:200]}) for fault in faults),
        ("judged", judged),
    ]
    if review:
        review_id = new_offer_id()
        values |= {"status": Status.REVIEW.value, "reason": IMPORTED, "review_id": review_id}
        entries.append(_moved(Status.REVIEW, IMPORTED, review=review_id))
    elif verdict.mql:
        values["waiting"] = True
    else:
        values |= {"status": Status.NURTURING.value, "reason": "below_bar"}
        entries.append(_moved(Status.NURTURING, "below_bar"))
    return NewLead(values, None, tuple(entries))


def _values(run: ImportRun, row: ImportRow) -> dict[str, Any]:
    return fact_values(row.facts) | {
        "email_key": email_key_of(row.facts.email),
        "reasons": [],
        "occurred_at": moment_of(run, row),
        "news_key": news_key_of(run, row),
    }


def _arrived(
    run: ImportRun, facts: LeadFacts, status: Status, *, history: bool = False
) -> tuple[str, dict[str, Any]]:
    data: dict[str, Any] = {
        "status": status.value,
        "round": 1,
        "source": facts.source,
        "import": run.id,
    }
    return "arrived", {**data, "history": True} if history else data


def _moved(to: Status, reason: str, **more: Any) -> tuple[str, dict[str, Any]]:
    data = {
        "action": Action.JUDGE.value,
        "from": Status.RECEIVED.value,
        "to": to.value,
        "round": 1,
        "offer": None,
        "rep": None,
        "reason": reason,
    }
    return "moved", {**data, **more}
