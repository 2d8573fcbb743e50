"""A lead that an import only told as history sends something: the person is here again.

History is told and never offered, so nothing that such a lead says may end there. Its row in `histories` stays, for
the audit. What is not here: what becomes of it then (`take_news`, `wake_lead`).
"""

from __future__ import annotations

from bot.domain.funnel import OPEN, TERMINAL, Status
from bot.services.move_lead import write
from bot.services.work import Work
from storage import leads
from storage.leads import LeadRow


def revive_history(work: Work, lead: LeadRow, *, anew: bool = False) -> LeadRow:
    """Make a locked lead of history a live one; any other is given back as it is.

    What was open in the old system has no owner and no clocks here: it sleeps, and its next news is judged. What was
    closed there stays closed; `anew`: it sleeps too, because a new round is about to begin.
    """
    if lead.kind != "history":
        return lead
    to = Status.NURTURING if anew or lead.state in OPEN else lead.state
    revived = leads.revive_lead(work.conn, lead, to=to, now=work.now)
    if revived is None:
        raise RuntimeError(f"lead {lead.id} came back to life under our lock")
    write(
        work,
        lead.id,
        "revived",
        data={"from": lead.status, "status": revived.status, "round": revived.round},
    )
    return revived


def comes_back(work: Work, lead: LeadRow, *, hand_raise: bool) -> LeadRow:
    """News about a locked lead of history. Won, lost or disqualified there, it is history still, until it asks for a
    call: a customer's visit makes nobody a lead of ours."""
    if lead.state in TERMINAL and not hand_raise:
        return lead
    return revive_history(work, lead, anew=True)
