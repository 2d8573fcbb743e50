"""A lead of kind `test` before one person: does a card arrive, do its buttons work? Asked for by `baton doctor`.

It is marked `[TEST]`, no figure counts it, nobody else ever gets it. It has no key and no mailbox: no webhook, no CRM
and no import can mean it. What is not here: its end (`end_test_lead`), waiting for its card (`bot.commands.doctor`).
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.funnel import Action
from bot.domain.lead import LeadFacts
from bot.domain.refusal import Refusal
from bot.services.end_test_lead import TEST, arm_end, end_test
from bot.services.move_lead import SYSTEM, write
from bot.services.offer_lead import open_offer
from bot.services.work import Work
from storage import examining, leads, offers

SOURCE = "baton doctor"
_MESSAGE = (
    "This is a test: click what you like. It counts nowhere, nobody else gets it, "
    "and it ends by itself within a day."
)
_WHY = "you were named in the test"


@dataclass(frozen=True, slots=True)
class Sent:
    """The test lead is decided; its card goes out by the running Baton. `replaced`: tests before it that this ended."""

    lead_id: int
    offer_id: str
    name: str
    replaced: int


def send_test_lead(work: Work, email: str) -> Sent | Refusal:
    """Offer a new test lead to `email`. Refused: not in the playbook, or Slack gave us no conversation with them."""
    to = work.roster.by_email.get(email.strip().lower())
    if to is None or to.person is None or not to.row.in_playbook:
        return Refusal("not_in_playbook")
    if to.row.deactivated:
        return Refusal("deactivated")
    if not to.reachable:
        return Refusal("not_eligible", to.row.resolve_error)
    replaced = 0
    for lead_id in examining.list_open_tests(work.conn, to.id):
        before = leads.lock_lead(work.conn, lead_id)
        replaced += int(before is not None and end_test(work, before) is not None)
    offer_no = offers.new_offer_id()  # opaque: a test has no name in the outside world
    facts = LeadFacts(
        source=SOURCE,
        external_id=f"test-{offer_no}",
        first_name="Sample",
        last_name="Lead",
        company="Test Company",
        phone="+1 555 0100",
        message=_MESSAGE,
        occurred_at=work.now,
    )
    lead_id = leads.insert_lead(work.conn, facts, now=work.now, kind=TEST, news_key=offer_no)
    write(
        work,
        lead_id,
        "arrived",
        data={"status": "received", "round": 1, "source": SOURCE, "kind": TEST},
    )
    lead = leads.lock_lead(work.conn, lead_id)
    if lead is None:
        raise RuntimeError(f"lead {lead_id} vanished within its own transaction")
    offered = open_offer(work, lead, to, Action.JUDGE, SYSTEM, why=_WHY)
    if offered is None or offered.current_offer_id is None:
        raise RuntimeError(f"lead {lead_id} left `received` under our lock")
    arm_end(work, offered)
    return Sent(lead_id, offered.current_offer_id, to.name, replaced)
