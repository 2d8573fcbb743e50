"""The agreement that the experiments run under: many reps, no closing time, steps that come soon.

What is not here: the playbook that ships.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from bot.domain.agreement import Agreement
from bot.playbook.loading import load_playbook

_TODAY = date(2026, 11, 23)
#: An answer in this time: no lead is reminded of or offered again meanwhile, what stands there are cards.
UNHURRIED = "24h"
_ALWAYS = '{mon-sun: ["00:00-24:00"]}'
_TEAMS = ("emea", "americas", "apac")


def playbook_text(reps: int, accept: str = "20m") -> str:
    """YAML with `reps` reps a team in three teams, each with a manager. `accept`: how long reps have for an answer."""
    people, teams = [], []
    for number, team in enumerate(_TEAMS, start=1):
        members = [f"rep{i:02d}.{team}@acme.example" for i in range(1, reps + 1)]
        people += [f"  {e}: {{name: Rep {e[3:5]} {team}, roles: [rep]}}" for e in members]
        manager = f"manager.{team}@acme.example"
        people.append(f"  {manager}: {{name: Manager {team}, roles: [manager]}}")
        teams.append(
            f"  {team}: {{manager: {manager}, above: vera@acme.example, "
            f"members: [{', '.join(members)}], channel: C0TEAM{number}, hours: {_ALWAYS}}}"
        )
    return "\n".join([
        "company: {name: Acme, timezone: Europe/Berlin}",
        "agreement: {sales: vera@acme.example, marketing: carl@acme.example, review_every: 180d}",
        "definition: {mql: score >= 40}",
        "people:",
        *people,
        "  vera@acme.example: {name: Vera Paul, roles: [manager]}",
        "  carl@acme.example: {name: Carl May, roles: [marketing]}",
        "  olga@acme.example: {name: Olga Kern, roles: [marketing]}",
        "teams:",
        *teams,
        "marketing: {members: [olga@acme.example], above: carl@acme.example, channel: C0REVIEW, "
        f"hours: {_ALWAYS}}}",
        "reports: {weekly: off, digest: off, monthly: off}",
        "routing:",
        "  - {name: Americas, when: 'country in [\"US\", \"CA\"]', to: americas}",
        "  - {name: Asia, when: 'country in [\"SG\", \"JP\"]', to: apac}",
        "  - {name: rest, to: emea}",
        "slas:",
        "  - name: standard",
        f"    accept: {{within: {accept}, steps: {{50%: remind, 100%: [escalate manager, reoffer]}}}}",
        "    first_touch: {within: 1h, steps: {75%: remind, 100%: escalate manager}}",
        "    decide: {within: 21d, steps: {100%: escalate manager}}",
        "    shelf_life: {within: 24h clock, steps: {100%: escalate above}}",
        "marketing_slas:",
        "  route: {within: 5m clock, steps: {100%: escalate marketing}}",
        "  review: {within: 2h, steps: {75%: remind, 100%: escalate marketing.above}}",
        "lapses: {manager_hears_at: 2, above_hears_at: 3, then: review}",
        "reasons:",
        "  reject: {wrong_territory: reroute, not_our_kind: review}",
        "  recycle: {no_budget: 90d}",
        "",
    ])  # fmt: skip


def agreement_of(text: str) -> Agreement:
    """The compiled agreement, version 1. ValueError with the faults of a text that has some."""
    result = load_playbook(text, today=_TODAY)
    if result.agreement is None:
        raise ValueError("\n".join(str(fault) for fault in result.faults))
    return replace(result.agreement, version=1)
