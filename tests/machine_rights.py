"""Who may do what in the machine's world: written down here a second time, from the words of the design.

What is not here: the product's own table (`bot.domain.access`), which this is held against.
"""

from __future__ import annotations

from tests.machine_world import Row, Snapshot

_REPS = frozenset({"ann", "ben", "eve", "finn", "dana"})
_MANAGERS = frozenset({"dana", "will", "vera"})
#: Has the role of a rep, or of a manager, who may take a lead.
CAN_HOLD = _REPS | _MANAGERS
_MARKETING = frozenset({"carl", "olga"})
#: Manager, above, their deputies, and who signed for sales.
_RUN = {"emea": frozenset({"dana", "vera"}), "west": frozenset({"will", "vera", "dana"})}

_SIGNER = frozenset({"vera"})  # of leads whose rep has no team

HOLDERS = frozenset(
    {
        "accept", "pass_on", "reject", "give_back", "undo", "recycle", "log_touch", "undo_touch",
        "qualify", "close",
    }
)  # fmt: skip
TEAMS = frozenset({"take", "reassign", "nudge", "extend", "excuse", "recycle"})
REVIEWERS = frozenset({"take_review", "offer_again", "nurture", "disqualify"})

#: In which statuses the deed makes sense at all.
WHEN: dict[str, frozenset[str]] = {
    **dict.fromkeys(("accept", "pass_on", "reject"), frozenset({"offered"})),
    **dict.fromkeys(("give_back", "undo"), frozenset({"accepted"})),
    **dict.fromkeys(("log_touch", "qualify"), frozenset({"accepted", "working"})),
    "undo_touch": frozenset({"working"}),
    "close": frozenset({"qualified"}),
    "recycle": frozenset({"offered", "accepted", "working", "qualified"}),
    **dict.fromkeys(("take", "reassign", "extend"), frozenset({"offered", "accepted", "working"})),
    **dict.fromkeys(
        ("nudge", "excuse"), frozenset({"offered", "accepted", "working", "qualified"})
    ),
    **dict.fromkeys(REVIEWERS, frozenset({"review"})),
}


def active(world: Snapshot, who: str) -> bool:
    """In the playbook now, and not deactivated in Slack."""
    row = world.who(who)
    return row is not None and row["in_playbook"] and not row["deactivated"]


def may(world: Snapshot, who: str, deed: str, lead: Row) -> bool:
    """Whether `who` may do `deed` to `lead`, as it stands before."""
    row = world.who(who)
    if row is None or not active(world, who):
        return False
    if deed in REVIEWERS:
        return who in _MARKETING
    holds = lead["owner_id"] == row["id"] and who in CAN_HOLD
    runs = who in _MANAGERS and who in _RUN.get(lead["team"], _SIGNER)
    return (deed in HOLDERS and holds) or (deed in TEAMS and runs)


def may_say_absence(world: Snapshot, who: str, about: str) -> bool:
    """One's own always; a rep's their managers; anybody's marketing."""
    if not active(world, who):
        return False
    team = next((t for t, ms in (("emea", "ann ben"), ("west", "eve finn")) if about in ms), "")
    row = world.who(about)
    member = row is not None and row["in_playbook"]  # of the team, deactivated or not
    runs = member and who in _MANAGERS and who in _RUN.get(team, ())
    return who == about or who in _MARKETING or runs


def fitting(world: Snapshot, deed: str, lead: Row) -> str:
    """Somebody who may, when there is anybody; else a stranger."""
    if deed in REVIEWERS:
        return "olga"
    if deed in HOLDERS:
        holder = world.people.get(lead["owner_id"])
        return holder["email"].partition("@")[0] if holder else "stranger"
    return {"emea": "dana", "west": "will"}.get(lead["team"], "vera")


def current_card(deed: str, lead: Row) -> str:
    """The id in the buttons of the lead's present card for this deed."""
    return str((lead["review_id"] if deed in REVIEWERS else lead["current_offer_id"]) or "none")
