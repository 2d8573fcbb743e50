"""New leads by the hundred: judged, routed and offered as one lead would be, then written with a few statements.

What stands in the database afterwards is, row for row, what `receive_leads` writes for one lead after the other; a test
compares the two. Only the ordinary ends are here: offered to a rep, or below the bar. Whatever is out of the ordinary
(nobody is free, a definition that cannot be decided, a fault of ours) is left to the long way, which knows it all.
What is not here: news about known leads, quarantine (`receive_leads`).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from bot.domain.agreement import ClockKind, ClockRule
from bot.domain.business_time import due_at
from bot.domain.funnel import Action, Actor, Status
from bot.domain.lead import LeadFacts
from bot.domain.routing import route, turn_after
from bot.domain.sla import PlannedStep, plan_steps
from bot.services.choose_rep import candidates_of
from bot.services.judge_lead import Assessment, judged_data, weigh
from bot.services.move_lead import redraw_people
from bot.services.run_clocks import calendar_for, steps_of
from bot.services.tell_crm import Change, tell
from bot.services.work import Member, Work
from storage import arrivals, leads, outbox, people
from storage.arrivals import BLANK_CLOCK, BLANK_LEAD, BLANK_OFFER, BLANK_POST, Arrivals, Row
from storage.journal import LeadEntry, row_of
from storage.leads import LeadRow, email_key_of, fact_values
from storage.offers import new_offer_id

#: The clocks of a new lead: route, shelf life, accept.
_CLOCKS = 3


def admit_leads(work: Work, new: Sequence[tuple[LeadFacts, str]]) -> list[int | None]:
    """Take in leads that nobody knows, each with its `news_key`, in their order: the ids; None for one that must go the
    long way. IntegrityError when a name was taken meanwhile: nothing of it may stay then, and each is taken singly."""
    if not new:
        return []
    ids = arrivals.reserve_lead_ids(work.conn, len(new))
    clock_ids = arrivals.reserve_clock_ids(work.conn, _CLOCKS * len(new))
    desk = _Desk(work)
    admitted = [
        desk.admit(lead_id, facts, news_key, clock_ids[_CLOCKS * n : _CLOCKS * (n + 1)])
        for n, (lead_id, (facts, news_key)) in enumerate(zip(ids, new, strict=True))
    ]
    desk.write()
    return [lead_id if done else None for lead_id, done in zip(ids, admitted, strict=True)]


@dataclass(frozen=True, slots=True)
class _Plan:
    """A clock that starts now: when it is due, and its steps."""

    due_at: datetime
    steps: tuple[PlannedStep, ...]


class _Desk:
    """One batch: who is free, whose turn it is, and the rows so far. Read once, then counted on in memory."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._candidates = candidates_of(work)
        turns = [m.row.last_offered_at for m in work.roster.by_id.values()]
        self._latest = max((turn for turn in turns if turn is not None), default=None)
        self._turns: dict[int, datetime] = {}
        self._concerned: set[int] = set()
        self._rows = Arrivals()
        self._moves: list[tuple[int, int, Mapping[str, Any]]] = []
        # The same answer for many leads of the batch, and not for nothing.
        self._plan = lru_cache(maxsize=1000)(self._plan_anew)
        self._show_at = lru_cache(maxsize=1000)(self._show_at_anew)

    def admit(
        self, lead_id: int, facts: LeadFacts, news_key: str, clock_ids: Sequence[int]
    ) -> bool:
        """Make the rows of one lead. False, and nothing happened, when it must go the long way."""
        facts = replace(facts, occurred_at=facts.occurred_at or self._work.now)
        made = _Lead(self._work, lead_id, facts, news_key)
        try:
            found = weigh(self._work.agreement, facts)
            if found.verdict.undecidable:
                return False
            self._begin_route(made, clock_ids[0])
            made.note_judgement(found)
            rep = self._offer(made, found, clock_ids) if found.verdict.mql else None
            if found.verdict.mql and rep is None:
                return False
            if rep is None:
                made.move(Status.NURTURING, {"reason": "below_bar"}, {"reason": "below_bar"})
                self._end_route(made)
        except Exception:  # the long way fails too, and knows how to keep the lead
            return False
        self._rows.add(made.rows())
        self._moves.append((lead_id, made.moved_seq, made.moved_data))
        if rep is not None:
            self._note_turn(rep, str(made.values["team"]))
        return True

    def write(self) -> None:
        """Write all rows, and what people who look on must see."""
        work, conn = self._work, self._work.conn
        if not self._moves:
            return
        work.wake = True
        arrivals.insert_arrivals(conn, self._rows)
        people.save_turns(conn, self._turns)
        redraw_people(work, self._concerned)
        if work.tells_crm:
            after = {
                each.id: each for each in leads.list_by_ids(conn, [i for i, *_ in self._moves])
            }
            for lead_id, seq, data in self._moves:
                change = Change(_as_received(after[lead_id]))
                tell(work, lead_id, seq, "moved", (Actor.SYSTEM, None), data, change)

    # ---------------------------------------------------------------- the ordinary ends

    def _offer(self, made: _Lead, found: Assessment, clock_ids: Sequence[int]) -> Member | None:
        """Put the lead before whom the rules name; None when that is nobody."""
        work = self._work
        decision = route(
            work.agreement,
            found.given,
            made.facts,
            self._candidates,
            now=work.now,
        )
        rep = work.roster.by_email.get(decision.rep) if decision.rep else None
        if rep is None:
            return None
        for fault in decision.faults:
            made.note("fault", {"rule": fault[:200]})
        team = decision.team or (rep.person.team if rep.person else "")
        offer_id = new_offer_id()
        show_at = self._show_at(rep.id)
        made.move(
            Status.OFFERED,
            {"current_offer_id": offer_id, "owner_id": rep.id, "team": team, "first_offered_at": work.now},
            {"offer": offer_id, "rep": rep.id, "reason": None},
        )  # fmt: skip
        self._end_route(made)
        trace = [line.as_dict() for line in decision.trace]
        offer: Row = {
            **BLANK_OFFER,
            "id": offer_id,
            "lead_id": made.id,
            "round": 1,
            "n": 1,
            "rep_id": rep.id,
            "team": team,
            "rule": decision.rule,
            "why": decision.why[:300],
            "trace": trace,
            "playbook_version": work.agreement.version,
            "state": "open",
            "offered_at": work.now,
            "show_at": show_at,
            "source": made.facts.source,
            "systems_seconds": 0,
        }
        made.offers.append(offer)
        said = {name: offer[name] for name in ("round", "n", "team", "rule", "why", "trace")}
        made.note("offered", {"offer": offer_id, "rep": rep.id, **said})
        clocks = found.sla.clocks
        for clock_id, kind, of_offer in (
            (clock_ids[1], ClockKind.SHELF_LIFE, None),
            (clock_ids[2], ClockKind.ACCEPT, offer_id),
        ):
            rule = clocks.get(kind)
            if rule is not None:
                plan = self._plan(kind, found.sla.name, rep.id, team)
                made.start_clock(clock_id, rule, plan, of_offer, rep.id, team)
                made.arm(clock_id, plan)
        made.post_card(offer_id, rep.id, show_at)
        return rep

    def _begin_route(self, made: _Lead, clock_id: int) -> None:
        rule = self._work.agreement.marketing_slas.get(ClockKind.ROUTE)
        if rule is not None:
            made.start_clock(clock_id, rule, self._plan(ClockKind.ROUTE, "", None, ""))

    def _end_route(self, made: _Lead) -> None:
        """It began and ends in this very instant: nobody was late, and no timer is needed."""
        for clock in made.clocks:
            clock.update(ended_at=self._work.now, outcome="met", taken_seconds=0, wall_seconds=0)
            data = {"clock": clock["id"], "kind": clock["kind"], "outcome": "met"}
            made.note("clock_ended", data)

    def _note_turn(self, rep: Member, team: str) -> None:
        """Who was just offered a lead waits from now on, has one more, and sees it, as those above them do."""
        work = self._work
        turn = turn_after(work.now, (self._latest,))
        self._latest = self._turns[rep.id] = turn
        work.roster.note_offer(rep.id, turn)
        before = self._candidates[rep.email]
        self._candidates[rep.email] = replace(
            before, open_count=before.open_count + 1, waiting_since=turn
        )
        self._concerned.add(rep.id)
        if (of_team := work.agreement.teams.get(team)) is not None:
            for email in (of_team.manager, of_team.above):
                if (member := work.roster.by_email.get(email)) is not None:
                    self._concerned.add(member.id)

    def _plan_anew(self, kind: ClockKind, sla: str, person_id: int | None, team: str) -> _Plan:
        work = self._work
        rule = self._rule(kind, sla)
        calendar = calendar_for(work, kind, person_id, team)
        due = due_at(calendar, work.now, rule.within)
        steps = plan_steps(rule.steps, calendar, work.now, due, rule.within.kind)
        return _Plan(due, tuple(steps))

    def _rule(self, kind: ClockKind, sla: str) -> ClockRule:
        if kind is ClockKind.ROUTE:
            return self._work.agreement.marketing_slas[kind]
        return next(s for s in self._work.agreement.slas if s.name == sla).clocks[kind]

    def _show_at_anew(self, person_id: int) -> datetime:
        return self._work.roster.by_id[person_id].calendar.next_open(self._work.now)


class _Lead:
    """The rows of one new lead while they are made. Nothing here looks at anything else."""

    def __init__(self, work: Work, lead_id: int, facts: LeadFacts, news_key: str) -> None:
        self.id = lead_id
        self.facts = facts
        self.moved_seq = 0
        self.moved_data: Mapping[str, Any] = {}
        self._work = work
        self.values: Row = {
            **BLANK_LEAD,
            **fact_values(facts),
            "id": lead_id,
            "status": Status.RECEIVED.value,
            "kind": "live",
            "email_key": email_key_of(facts.email),
            "reasons": [],
            "arrived_at": work.now,
            "status_at": work.now,
            "occurred_at": facts.occurred_at,
            "news_key": news_key,
        }
        self.offers: list[Row] = []
        self.clocks: list[Row] = []
        self._timers: list[Row] = []
        self._entries: list[Row] = []
        self._posts: list[Row] = []
        self.note("arrived", {"status": "received", "round": 1, "source": facts.source})

    def note(self, kind: str, data: Mapping[str, Any]) -> int:
        """One journal entry; its `seq`."""
        entry = LeadEntry(self.id, kind, data)
        self._entries.append(row_of(entry, len(self._entries) + 1, self._work.now))
        return len(self._entries)

    def note_judgement(self, found: Assessment) -> None:
        """Score, definition and SLA, written down."""
        for fault in found.faults:
            self.note("fault", {"rule": fault[:200]})
        version = self._work.agreement.version
        self.values.update(
            score=found.score.points,
            reasons=list(found.score.reasons),
            fast_lane=found.verdict.fast_lane,
            sla_name=found.sla.name,
            playbook_version=version,
        )
        self.note("judged", judged_data(found, version))

    def move(self, to: Status, changes: Mapping[str, Any], data: Mapping[str, Any]) -> None:
        """Out of `received`; changed twice since it was made (judged, moved)."""
        self.values.update(changes, status=to.value, version=3)
        self.moved_data = {
            "action": Action.JUDGE.value,
            "from": Status.RECEIVED.value,
            "to": to.value,
            "round": 1,
            "offer": None,
            "rep": None,
            **data,
        }
        self.moved_seq = self.note("moved", self.moved_data)

    def start_clock(
        self,
        clock_id: int,
        rule: ClockRule,
        plan: _Plan,
        offer_id: str | None = None,
        person_id: int | None = None,
        team: str = "",
    ) -> None:
        """A clock that runs from now; its timers come with `arm`."""
        work = self._work
        self.clocks.append(
            {
                **BLANK_CLOCK,
                "id": clock_id,
                "lead_id": self.id,
                "offer_id": offer_id,
                "round": 1,
                "kind": rule.kind.value,
                "person_id": person_id,
                "team": team,
                "within": rule.within.text,
                "goal": rule.touches,
                "steps": steps_of(rule),
                "started_at": work.now,
                "due_at": plan.due_at,
                "playbook_version": work.agreement.version,
            }
        )
        self.note(
            "clock_started",
            {
                "clock": clock_id,
                "kind": rule.kind.value,
                "offer": offer_id,
                "person": person_id,
                "started_at": work.now.isoformat(),
                "due_at": plan.due_at.isoformat(),
                "generation": 1,
            },
        )

    def arm(self, clock_id: int, plan: _Plan) -> None:
        """A timer for every step of a clock."""
        self._timers += [
            {
                "lead_id": self.id,
                "subject_kind": "clock",
                "subject_id": clock_id,
                "generation": 1,
                "state": "armed",
                "attempts": 0,
                "step": step.name,
                "due_at": step.at,
            }
            for step in plan.steps
        ]

    def post_card(self, offer_id: str, person_id: int, show_at: datetime) -> None:
        """The card of the offer is to be posted."""
        work = self._work
        self._posts.append(
            {
                **BLANK_POST,
                "dedupe_key": f"card:{offer_id}",
                "card_key": f"card:{offer_id}",
                "template": "lead_card",
                "lane": outbox.lane_of(person_id),
                "priority": outbox.PRIORITY_OFFER,
                "lead_id": self.id,
                "offer_id": offer_id,
                "person_id": person_id,
                "data": {},
                "created_at": work.now,
                "show_at": show_at,
                "not_before": work.real,
                "delivery_id": str(uuid.uuid4()),
            }
        )

    def rows(self) -> Arrivals:
        """All of it."""
        key = {name: self.values[name] for name in ("source", "external_id")}
        return Arrivals(
            [{**self.values, "journal_seq": len(self._entries)}],
            [{**key, "lead_id": self.id}],
            self.offers,
            self.clocks,
            self._timers,
            self._entries,
            self._posts,
        )


def _as_received(lead: LeadRow) -> LeadRow:
    """The lead as it was before it was moved."""
    return replace(lead, status=Status.RECEIVED.value, owner_id=None, reason="")
