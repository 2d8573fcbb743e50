"""Who is next for a lead: what the rules must leave out, who is free, and what the rules then say.

What is not here: the rules themselves (`bot.domain.routing`), making the offer (`offer_lead`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.domain.routing import Candidate, Decision, route
from bot.playbook.conditions import rule_input
from bot.services.move_lead import Ending, write
from bot.services.work import Work
from storage import leads
from storage.leads import LeadRow


@dataclass(frozen=True, slots=True)
class Exclusions:
    """Who and what routing must leave out for a lead, read from its former offers."""

    rejected: frozenset[str] = frozenset()
    lapsed: frozenset[str] = frozenset()
    rules: frozenset[str] = frozenset()
    teams: frozenset[str] = field(default=frozenset())


def exclusions_of(work: Work, lead: LeadRow, ending: Ending | None = None) -> Exclusions:
    """Reps who rejected it are out for ever, who passed it on for this round; a reroute leaves out rule and team.

    `ending`: the offer that ends in this very move counts as what it is about to become.
    """
    reroutes = {
        r.code
        for r in (*work.agreement.reject_reasons, *work.agreement.turn_back_reasons)
        if r.then == "reroute"
    }
    rejected: set[str] = set()
    lapsed: set[str] = set()
    rules: set[str] = set()
    teams: set[str] = set()
    for offer in work.rows(lead.id).list_offers(lead.id):
        member = work.roster.by_id.get(offer.rep_id)
        email = member.email if member else ""
        state, reason = offer.state, offer.reason
        if ending is not None and ending.offer.id == offer.id:
            state, reason = ending.state, ending.reason
        if state == "rejected":
            rejected.add(email)
        if offer.round != lead.round:
            continue
        if state in ("passed", "undeliverable"):
            rejected.add(email)
        if state == "lapsed":
            lapsed.add(email)
        if state == "rejected" and reason in reroutes:
            # Somebody's own account or a person named by the rule is no team: leave the rule out.
            rules.add(offer.rule)
            teams.add(offer.team)
    return Exclusions(
        frozenset(rejected), frozenset(lapsed), frozenset(rules), frozenset(teams - {""})
    )


def candidates_of(work: Work) -> dict[str, Candidate]:
    """Everybody of the playbook as routing sees them now."""
    counts = count_open(work)
    known = work.gathered.candidates if work.gathered is not None else {}
    found: dict[str, Candidate] = {}
    for member in work.roster.by_id.values():
        if member.person is None:
            continue
        many = counts.get(member.id, 0)
        before, candidate = known.get(member.id, (None, None))
        if candidate is None or before is not member or candidate.open_count != many:
            candidate = Candidate(
                email=member.email,
                active=member.reachable,
                absent=member.absent_at(work.now),
                open_count=many,
                waiting_since=member.row.last_offered_at,
            )
            known[member.id] = (member, candidate)
        found[member.email] = candidate
    return found


def count_open(work: Work) -> dict[int, int]:
    """How many leads each holds; of a batch it is read once, and `move_lead` counts on."""
    if work.gathered is None:
        return leads.count_open_by_person(work.conn)
    if work.gathered.open_counts is None:
        work.gathered.open_counts = leads.count_open_by_person(work.conn)
    return work.gathered.open_counts


def choose_rep(
    work: Work, lead: LeadRow, *, prefer: str = "", ending: Ending | None = None
) -> Decision:
    """Ask the rules for the next rep; faults in rules are journalled, never fatal."""
    out = exclusions_of(work, lead, ending)
    facts = lead.facts()
    decision = route(
        work.agreement,
        rule_input(facts, lead.score),
        facts,
        candidates_of(work),
        excluded=out.rejected,
        lapsed=out.lapsed,
        skip_rules=out.rules,
        skip_teams=out.teams,
        prefer_person=prefer,
        now=work.now,
    )
    for fault in decision.faults:
        write(work, lead.id, "fault", data={"rule": fault[:200]})
    return decision
