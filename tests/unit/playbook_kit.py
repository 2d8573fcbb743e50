"""A small playbook without faults, for tests that damage it: one line each, so that faults have easy lines."""

from __future__ import annotations

from datetime import date

from bot.domain.agreement import Agreement
from bot.playbook.loading import LoadResult, load_playbook

TODAY = date(2026, 11, 21)

SMALL = """\
company: {name: Acme, timezone: Europe/Berlin, holidays: DE}
agreement: {sales: vera@acme.example, marketing: carl@acme.example, review_every: 180d}
definition:
  mql: score >= 65 && email != ""
  fast_lane: source == "contact_me"
scoring:
  - {when: source == "contact_me", points: 50, because: asked for a call}
  - {when: employees >= 200, points: 15, because: 200+ people}
people:
  ann@acme.example: {roles: [rep], languages: [de, en], open_cap: 20, timezone: Europe/Vienna}
  ben@acme.example: {roles: [rep], languages: [en], open_cap: 20}
  eve@acme.example: {roles: [rep], languages: [en]}
  dana@acme.example: {roles: [manager, rep], deputy: vera@acme.example}
  vera@acme.example: {roles: [manager]}
  carl@acme.example: {roles: [marketing]}
  olga@acme.example: {roles: [marketing, admin]}
teams:
  emea: {manager: dana@acme.example, members: [ann@acme.example, ben@acme.example], channel: C0EMEA01}
  west: {manager: dana@acme.example, members: [eve@acme.example], channel: G0WEST01}
marketing: {members: [olga@acme.example], channel: C0REVIEW}
routing:
  - {name: known owner, when: account_owner != "", to: owner}
  - {name: DACH, when: 'country in ["DE", "AT", "CH"]', to: emea, prefer: [language], overflow: west}
  - {name: rest, to: emea}
slas:
  - name: hand raiser
    when: source == "contact_me"
    accept: {within: 15m, steps: {75%: remind, 100%: [escalate manager, reoffer]}}
    first_touch: {within: 1h, steps: {100%: escalate manager}}
  - name: standard
    accept: {within: 4h, steps: {75%: remind, 100%: reoffer}}
    first_touch: {within: 1d, steps: {100%: escalate manager}}
    follow_up: {touches: 5, within: 5d, steps: {100%: remind}}
    decide: {within: 21d, steps: {100%: escalate above now}}
    shelf_life: {within: 72h clock, steps: {100%: escalate vera@acme.example}}
marketing_slas:
  route: {within: 5m clock, steps: {100%: escalate marketing}}
  review: {within: 1d, steps: {75%: remind, 100%: escalate marketing.above}}
reasons:
  reject: {wrong_territory: reroute, bad_data: review, other: {then: review, note: required}}
  recycle: {no_budget: 90d, not_now: {wake: 60d, note: required}}
"""

#: What `baton check` says of it.
USUAL_REPORTS = (
    "reports: weekly mon 09:00 in C0REVIEW, digest 08:30 to each manager, monthly to both signers"
)


def with_changes(*changes: tuple[str, str], text: str = SMALL) -> str:
    """`text` with each (old, new) put in; every `old` must be there, exactly once."""
    for old, new in changes:
        assert text.count(old) == 1, (text.count(old), old)
        text = text.replace(old, new)
    return text


def load(*changes: tuple[str, str]) -> LoadResult:
    """The small playbook with changes, loaded."""
    return load_playbook(with_changes(*changes), today=TODAY)


def agreed(*changes: tuple[str, str]) -> Agreement:
    """The small playbook with changes that leave it without fault."""
    result = load(*changes)
    assert result.agreement is not None, [str(fault) for fault in result.faults]
    return result.agreement
