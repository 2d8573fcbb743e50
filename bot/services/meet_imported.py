"""A row of an import about a lead that is known: what it changes, if anything.

A file may be older than what Baton heard since, so a row only changes what it is newer than, and one that says
nothing new writes nothing. History is told again in bulk (`Retold`); a live lead goes the way of any news, but whoever
wakes by it waits for a free rep like the rest of the file. Won, lost and disqualified leads, live or told, stay so: a
file that holds customers makes no deals of them. Only a hand raise that nobody knew of opens them again.
What is not here: unknown leads (`make_imported`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot.domain.funnel import HELD, OPEN, TERMINAL, Status
from bot.domain.lead import LeadFacts, Score
from bot.domain.past import ImportMode, ImportRow, Past
from bot.domain.scoring import judge, score_lead
from bot.playbook.conditions import rule_input
from bot.services.judge_lead import assess_lead
from bot.services.make_imported import (
    IMPORTED,
    arrival_of,
    moment_of,
    news_key_of,
    what_is_new,
)
from bot.services.move_lead import redraw, write
from bot.services.release_waiting import refresh_waiting, to_review
from bot.services.revive_history import revive_history
from bot.services.take_news import take_news
from bot.services.wake_lead import begin_round
from bot.services.work import Work
from storage import leads
from storage.imports import Entry, ImportRun, KnownLead
from storage.leads import LeadRow


@dataclass(frozen=True, slots=True)
class Retold:
    """A lead of history as it is told now, and the entry that says so."""

    known: KnownLead
    entry: Entry


def retell(run: ImportRun, known: KnownLead, row: ImportRow) -> Retold | None:
    """What an import of history says anew of a lead that is history. None: nothing."""
    lead = known.lead
    moment = moment_of(run, row)
    older = moment < lead.occurred_at
    facts = what_is_new(lead.facts(), row, older=older)
    past = known.past if older or known.past is None else _past_of(run, row, known.past)
    if facts is None and past == known.past:
        return None
    lead = _with_facts(lead, facts or lead.facts())
    if not older:
        lead = replace(lead, occurred_at=moment, news_key=news_key_of(run, row))
    data = {"source": row.facts.source, "import": run.id}
    if past is None or past == known.past:
        return Retold(KnownLead(lead, known.journal_seq, past), ("news", {"applied": True, **data}))
    arrived = past.arrived_at or lead.arrived_at
    lead = replace(
        lead,
        status=past.status.value,
        reason=past.reason,
        arrived_at=arrived,
        status_at=lead.status_at if past.status.value == lead.status else run.started_at,
    )
    return Retold(
        KnownLead(lead, known.journal_seq, past),
        ("retold", {"status": lead.status, "round": lead.round, **data}),
    )


def says_nothing_new(run: ImportRun, first: ImportRow, row: ImportRow) -> bool:
    """Whether a row adds nothing to an earlier one of the same key, which is not written yet."""
    if run.mode != ImportMode.HISTORY:
        older = (moment_of(run, row), news_key_of(run, row)) <= (
            moment_of(run, first),
            news_key_of(run, first),
        )
        return older or what_is_new(first.facts, row, older=False) is None
    older = moment_of(run, row) < moment_of(run, first)
    told = replace(first.past, arrived_at=arrival_of(run, first))
    return what_is_new(first.facts, row, older=older) is None and (
        older or _past_of(run, row, told) == told
    )


def _past_of(run: ImportRun, row: ImportRow, before: Past) -> Past:
    """As the row tells it; of two arrivals the first is the arrival."""
    arrived = arrival_of(run, row)
    if before.arrived_at is not None:
        arrived = min(arrived, before.arrived_at)
    return replace(row.past, arrived_at=arrived)


def _with_facts(lead: LeadRow, facts: LeadFacts) -> LeadRow:
    names = [name for name in LeadFacts.__dataclass_fields__ if name != "occurred_at"]
    values = {name: getattr(facts, name) for name in names}
    return replace(lead, **{**values, "score_reasons": list(facts.score_reasons)})


def take_row(work: Work, run: ImportRun, lead: LeadRow, row: ImportRow) -> bool:
    """A row about a locked lead that is live, or was history until now. False: it says nothing new."""
    moment, news_key = moment_of(run, row), news_key_of(run, row)
    older = (moment, news_key) <= (lead.occurred_at, lead.news_key)
    facts = what_is_new(lead.facts(), row, older=older)
    if lead.kind == "history":
        stays = lead.state in TERMINAL and not _raises_a_hand(work, lead, facts, older=older)
        saved = _saved(work, run, lead, row, facts, older=older)
        if stays:
            return facts is not None
        _come_alive(work, run, saved)
        return True
    if older or facts is None:
        return False
    status = Status(lead.status)
    if run.mode == ImportMode.HISTORY:
        redraw(work, _saved(work, run, lead, row, facts))
    elif status in HELD:
        return take_news(work, lead, replace(row.facts, occurred_at=moment), news_key)
    else:
        raises = status in TERMINAL and _raises_a_hand(work, lead, facts, older=older)
        saved = _saved(work, run, lead, row, facts)
        if raises or status is Status.NURTURING:
            _wake_if_worth_it(work, saved)
        elif saved.waiting:
            refresh_waiting(work, saved)
        else:
            redraw(work, saved)
    return True


def _raises_a_hand(work: Work, lead: LeadRow, facts: LeadFacts | None, *, older: bool) -> bool:
    """Whether a row newer than what is known shows a hand raise that what is known does not: exports hold the old
    ones again and again."""

    def raised(by: LeadFacts) -> bool:
        return judge(work.agreement, by, Score(lead.score), rule_input).fast_lane

    return facts is not None and not older and raised(facts) and not raised(lead.facts())


def _saved(
    work: Work,
    run: ImportRun,
    lead: LeadRow,
    row: ImportRow,
    facts: LeadFacts | None,
    *,
    older: bool = False,
) -> LeadRow:
    if facts is not None:
        newer = (
            {} if older else {"occurred_at": moment_of(run, row), "news_key": news_key_of(run, row)}
        )
        lead = leads.save_facts(work.conn, lead, facts, **newer)
        data = {"applied": True, "source": row.facts.source, "import": run.id}
        write(work, lead.id, "news", data=data)
    return lead


def _come_alive(work: Work, run: ImportRun, lead: LeadRow) -> None:
    """Told before, meant in earnest now: a round of its own, as if it were new."""
    received = begin_round(work, revive_history(work, lead, anew=True), why=IMPORTED)
    if received is None:
        raise RuntimeError(f"lead {lead.id} cannot come back to life")
    if run.mode == ImportMode.REVIEW:
        to_review(work, assess_lead(work, received)[0])
    else:
        _wait(work, received)


def _wake_if_worth_it(work: Work, lead: LeadRow) -> None:
    """As `take_news` has it: who was closed by raising a hand, who rests as agreed only by a higher score."""
    score, _ = score_lead(work.agreement, lead.facts(), rule_input)
    verdict = judge(work.agreement, lead.facts(), score, rule_input)
    better = verdict.mql and (lead.wake_at is None or score.points > lead.score)
    if verdict.fast_lane or (Status(lead.status) in OPEN and better):
        received = begin_round(work, lead, why=IMPORTED)
        if received is not None:
            _wait(work, received)


def _wait(work: Work, received: LeadRow) -> None:
    refresh_waiting(work, leads.save_lead(work.conn, received, waiting=True))
