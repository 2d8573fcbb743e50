"""Do the playbook's parts fit together: addresses and roles, teams, channels, routing, SLAs.

What is not here: the meaning of single texts (`compiling`, `clocks`, `calendars`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bot.domain.agreement import Agreement, ClockKind, Role
from bot.domain.business_time import Calendar, Duration, due_at
from bot.domain.open_windows import NoOpenTime
from bot.playbook.addresses import Addresses, normal
from bot.playbook.faults import Faults, Path, did_you_mean, shown
from bot.playbook.schema import Part, PlaybookPart, RoutePart

_CHANNEL = re.compile(r"[CG][A-Z0-9]{6,}")
_TEAM_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,39}")
_TAKEN_NAMES = frozenset({"owner", "manager", "above", "marketing"})
_HOLD_PARTS = frozenset(
    {
        "people", "teams", "scoring", "routing", "slas", "closures", "reject", "turn_back", "recycle",
        "challenges",
    }
)  # fmt: skip
_PREFERENCES = ("language",)
_MONDAY = datetime(2024, 1, 8, tzinfo=UTC)
_ALWAYS = frozenset({"", "true"})


def check_required(part: Part, path: Path, faults: Faults) -> None:
    """Complain of everything that must be there and is not, all the way down."""
    missing = [key for key in part.required if part.said(key) is None]
    # Asked before the first is told: a fault of the group would silence those behind it.
    for key in [key for key in missing if not faults.broken((*path, key))]:
        there = (*path, key) in faults.lines
        # `channel: #emea` holds nothing: what follows is a comment.
        hint = " (# begins a comment: quote it)" if there and key == "channel" else ""
        faults.add((*path, key) if there else path, f"`{key}` is missing{hint}")
    for name, info in type(part).model_fields.items():
        key = info.alias or name
        if name in _HOLD_PARTS:
            _check_blanks(getattr(part, name), (*path, key), faults)
        for below, child in _parts_in(getattr(part, name), (*path, key)):
            check_required(child, below, faults)


def _check_blanks(value: Any, path: Path, faults: Faults) -> None:
    """An entry with nothing in it was begun and forgotten: a team without a line, a reason without a date."""
    items = value.items() if isinstance(value, dict) else enumerate(value or [])
    for key, item in items:
        if item is None and not faults.broken((*path, key)):
            faults.add((*path, key), "is empty")


def _parts_in(value: Any, path: Path) -> Iterator[tuple[Path, Part]]:
    if isinstance(value, Part):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _parts_in(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _parts_in(item, (*path, index))


def check_channel(path: Path, channel: str | None, faults: Faults) -> None:
    """Complain of a channel that is written by its name."""
    if channel is not None and not _CHANNEL.fullmatch(channel):
        faults.add(
            path,
            f"{shown(channel)} is not a channel id; ids look like C0EMEA01 and stand in Slack "
            "at the end of the channel's details (names can change, so they are not taken)",
        )


@dataclass(frozen=True, slots=True)
class Checker:
    """The cross checks of one playbook; faults and warnings go to `faults`."""

    part: PlaybookPart
    faults: Faults
    addresses: Addresses

    def run(self) -> None:
        """All checks."""
        self._people()
        self._sales_side()
        self._marketing_side()
        self._routing()
        self._slas()

    def _people(self) -> None:
        signers = self.part.agreement
        if signers:
            self.addresses.check(
                ("agreement", "sales"), signers.sales, Role.MANAGER, "the signer of sales"
            )
            self.addresses.check(
                ("agreement", "marketing"), signers.marketing, Role.MARKETING, "marketing's signer"
            )
        for key, person in (self.part.people or {}).items():
            if person is None or person.deputy is None:
                continue
            path: Path = ("people", key, "deputy")
            if normal(person.deputy) == normal(key):
                self.faults.add(path, "nobody is their own deputy")
                continue
            role = next(
                (r for r in (Role.MANAGER, Role.MARKETING) if self.addresses.has(key, r)), None
            )
            self.addresses.check(path, person.deputy, role, f"the deputy of a {role}")
        roles = self.addresses.roles
        if roles and all(known is not None and Role.ADMIN not in known for known in roles.values()):
            self.faults.warn(
                ("people",), "nobody has the role admin, so nobody can run Baton from Slack"
            )

    def _sales_side(self) -> None:
        member_of: dict[str, str] = {}
        if self.part.teams == {}:
            self.faults.add(("teams",), "there is no team")
        for name, team in (self.part.teams or {}).items():
            path: Path = ("teams", name)
            if not _TEAM_NAME.fullmatch(name) or name in _TAKEN_NAMES:
                self.faults.add(path, f"{shown(name)} cannot be a team's name")
            if team is None:
                continue
            self.addresses.check((*path, "manager"), team.manager, Role.MANAGER, "a team's manager")
            self.addresses.check((*path, "above"), team.above, Role.MANAGER, "above a team")
            if team.above and normal(team.above) == normal(team.manager):
                self.faults.add((*path, "above"), "somebody else than the manager must stand above")
            check_channel((*path, "channel"), team.channel, self.faults)
            self._members((*path, "members"), team.members, Role.REP, "a member of a sales team")
            for index, member in enumerate(team.members or []):
                other = member_of.setdefault(normal(member), name)
                if member and other != name:
                    self.faults.add(
                        (*path, "members", index),
                        f"{shown(member)} is a member of {other} already; one person, one team",
                    )
        self._idle_reps(set(member_of))

    def _idle_reps(self, members: set[str]) -> None:
        named = {normal(rule.to) for rule in self.part.routing or [] if rule}
        for key in self.part.people or {}:
            roles = self.addresses.roles.get(normal(key)) or frozenset()
            if roles == {Role.REP} and normal(key) not in members | named:
                self.faults.warn(
                    ("people", key), "is a rep in no team and in no rule: gets no leads"
                )

    def _marketing_side(self) -> None:
        side = self.part.marketing
        if side is None:
            return
        self._members(
            ("marketing", "members"), side.members, Role.MARKETING, "a member of marketing"
        )
        self.addresses.check(("marketing", "above"), side.above, Role.MARKETING, "above marketing")
        check_channel(("marketing", "channel"), side.channel, self.faults)

    def _members(
        self, path: Path, members: list[str | None] | None, role: Role, as_what: str
    ) -> None:
        if members is not None and not any(members) and not self._faulty_below(path):
            self.faults.add(path, "has no members")
        for index, member in enumerate(members or []):
            self.addresses.check((*path, index), member, role, as_what)

    def _faulty_below(self, path: Path) -> bool:
        return any(fault.where.startswith(self.faults.where(path)) for fault in self.faults.found)

    def _routing(self) -> None:
        rules = self.part.routing
        if rules is None:
            return
        names: set[str] = set()
        ends: dict[str, str] = {}  # where catch-alls send leads -> the first such rule
        for index, rule in enumerate(rules):
            if rule is None:
                continue
            path: Path = ("routing", index)
            if rule.name is not None and rule.name in names:
                self.faults.add((*path, "name"), f"a second rule is called {shown(rule.name)}")
            names.add(rule.name or "")
            self._rule(path, rule)
            self._order(path, rule, ends)
            if _catches_all(rule):
                ends.setdefault(rule.to or "", rule.name or "")
        if not ends and not any(self._broken_rule(index) for index in range(len(rules))):
            self.faults.add(
                ("routing",),
                "must end with a rule for everything else: one without `when` that goes to a team",
            )

    def _broken_rule(self, index: int) -> bool:
        path: Path = ("routing", index)
        return any(self.faults.broken((*path, key)) for key in ("when", "to"))

    def _order(self, path: Path, rule: RoutePart, ends: dict[str, str]) -> None:
        if not ends:
            return
        before = next(iter(ends.values()))
        if (rule.to or "") in ends:
            self.faults.warn(
                path, f"is never reached: {shown(ends[rule.to or ''])} takes every lead there"
            )
        elif not _catches_all(rule):
            self.faults.warn(
                path,
                f"is only reached when nobody is free for {shown(before)}; put it before that rule",
            )

    def _rule(self, path: Path, rule: RoutePart) -> None:
        to = (rule.to or "").strip()
        if "@" in to:
            self.addresses.check((*path, "to"), to, Role.REP, "offered leads")
        elif to and to != "owner":
            self._team((*path, "to"), to, ("owner",))
        if rule.overflow is not None:
            self._team((*path, "overflow"), rule.overflow.strip(), ())
            if rule.overflow.strip() == to:
                self.faults.add((*path, "overflow"), "must be another team than `to`")
        for index, word in enumerate(rule.prefer or []):
            if word is not None and word not in _PREFERENCES:
                self.faults.add(
                    (*path, "prefer", index), f"{shown(word)} is unknown; there is language"
                )

    def _team(self, path: Path, name: str, others: tuple[str, ...]) -> None:
        teams = self.part.teams
        if teams is not None and name not in teams:
            known = (*others, *teams)
            self.faults.add(
                path,
                f"there is no team {shown(name)}{did_you_mean(name, known)}; there are {', '.join(known)}",
            )

    def _slas(self) -> None:
        slas = self.part.slas
        if slas is None:
            return
        if not slas:
            self.faults.add(("slas",), "there is no SLA")
        names: set[str] = set()
        for index, sla in enumerate(slas):
            if sla is None:
                continue
            path: Path = ("slas", index)
            if sla.name is not None and sla.name in names:
                self.faults.add((*path, "name"), f"a second SLA is called {shown(sla.name)}")
            names.add(sla.name or "")
            everything = (sla.when or "").strip() in _ALWAYS and not self.faults.broken(
                (*path, "when")
            )
            last = index == len(slas) - 1
            if last and not everything and not self.faults.broken((*path, "when")):
                self.faults.add(
                    (*path, "when"), "the last SLA is for all other leads and has no `when`"
                )
            if everything and not last:
                self.faults.warn(path, "has no `when`, so the SLAs after it are never used")


def _catches_all(rule: RoutePart) -> bool:
    return (rule.when or "").strip() in _ALWAYS and rule.to not in (None, "owner")


def warn_of_lengths(agreement: Agreement, part: PlaybookPart, faults: Faults) -> None:
    """An accept or first_touch that may last longer than the lead keeps: both promises cannot be meant."""
    index_of = {sla.name: index for index, sla in enumerate(part.slas or []) if sla}
    calendar = Calendar(zone=agreement.calendar.zone, weekly=agreement.calendar.weekly)
    for sla in agreement.slas:
        path: Path = ("slas", index_of.get(sla.name, 0))
        shelf = sla.clocks.get(ClockKind.SHELF_LIFE)
        lengths = {kind: _length(calendar, clock.within) for kind, clock in sla.clocks.items()}
        for kind in (ClockKind.ACCEPT, ClockKind.FIRST_TOUCH):
            if shelf and kind in lengths and lengths[kind] > lengths[ClockKind.SHELF_LIFE]:
                faults.warn(
                    (*path, kind.value, "within"),
                    f"`{sla.clocks[kind].within.text}` is longer than the shelf life "
                    f"(`{shelf.within.text}`): the lead is stale before the promise is due",
                )


def _length(calendar: Calendar, within: Duration) -> float:
    """Wall seconds from a Monday's opening: what the durations of several kinds are compared by."""
    try:
        start = calendar.next_open(_MONDAY)
        return (due_at(calendar, start, within) - start).total_seconds()
    except NoOpenTime:
        return float("inf")
