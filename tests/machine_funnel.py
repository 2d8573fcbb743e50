"""The funnel written out a second time, in another shape: who may move a lead from where to where.

The unit test holds the product's table against it, the state machine every move that it journals.
What is not here: anything of `bot.domain.funnel` but the names of its statuses, actions and actors.
"""

from __future__ import annotations

#: action, actor, from (`|` between), to. One line for each actor.
MOVES = """
judge           system     received                                scrub|offered|nurturing|review
pass_scrub      scrub      scrub                                   offered
fail_scrub      scrub      scrub                                   disqualified
accept          rep        offered                                 accepted
pass_on         rep        offered                                 offered|review
reject          rep        offered                                 offered|review
reject          owner      accepted                                offered|review
undo            owner      accepted                                offered
recycle         rep        offered                                 nurturing
recycle         owner      accepted|working|qualified              nurturing
recycle         manager    offered|accepted|working|qualified      nurturing
touch           owner      accepted|working                        working
touch           crm        accepted|working                        working
withdraw_touch  owner      working                                 accepted|working
withdraw_touch  crm        working                                 accepted|working
qualify         owner      accepted|working                        qualified
qualify         crm        offered|accepted|working                qualified
close           owner      qualified                               won|lost
close           crm        accepted|working|qualified              won|lost
reassign        manager    offered|accepted|working                offered
take            manager    offered|accepted|working                accepted
reoffer         system     offered                                 offered
reoffer         marketing  offered                                 offered
exhaust         system     received|scrub|offered                  review
resolve         marketing  review                                  offered|nurturing|disqualified
disqualify      marketing  scrub|nurturing                         disqualified
disqualify      system     received|scrub|offered|accepted|working|qualified|review|nurturing  disqualified
disqualify      crm        received|scrub|offered|accepted|working|qualified|review|nurturing  disqualified
wake            system     nurturing|lost|disqualified             received
end_test        system     received|scrub|offered|accepted|working|qualified|review|nurturing  disqualified
end_test        rep        offered                                 disqualified
end_test        owner      accepted                                disqualified
"""

#: status, stage, side, and whether a rep holds the lead, owns it, or it is closed.
STATUSES = """
received      Inquiry   marketing  -
scrub         MQL       scrub      -
offered       MQL       sales      held
accepted      SAL       sales      held,owned
working       SAL       sales      held,owned
qualified     SQL       sales      held,owned
won           Customer  sales      closed
lost          -         sales      closed
review        -         marketing  -
nurturing     -         marketing  -
disqualified  -         marketing  closed
"""

#: (action, actor, from) -> where that may lead.
TARGETS: dict[tuple[str, str, str], frozenset[str]] = {
    (action, actor, source): frozenset(targets.split("|"))
    for action, actor, sources, targets in (line.split() for line in MOVES.strip().splitlines())
    for source in sources.split("|")
}

_ROWS = [line.split() for line in STATUSES.strip().splitlines()]
STAGES = {status: stage for status, stage, _, _ in _ROWS}
SIDES = {status: side for status, _, side, _ in _ROWS}
MARKS = {status: frozenset(marks.split(",")) - {"-"} for status, _, _, marks in _ROWS}
HELD = frozenset(status for status, marks in MARKS.items() if "held" in marks)
CLOSED = frozenset(status for status, marks in MARKS.items() if "closed" in marks)

#: Which clocks run in a status, and which of them must (each SLA of the machine's playbook knows them).
MUST_RUN: dict[str, frozenset[str]] = {
    "received": frozenset({"route"}),
    "offered": frozenset({"accept"}),
    "accepted": frozenset({"first_touch", "decide"}),
    "working": frozenset({"decide"}),
    "review": frozenset({"review"}),
}
MAY_RUN: dict[str, frozenset[str]] = {
    "offered": frozenset({"shelf_life"}),
    "accepted": frozenset({"shelf_life"}),
    "working": frozenset({"follow_up"}),
}
#: These count for one offer only.
OF_ONE_OFFER = frozenset({"accept", "first_touch", "follow_up", "decide"})
