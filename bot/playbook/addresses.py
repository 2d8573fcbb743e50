"""Who is who in the playbook: every address that occurs anywhere stands under `people`, with the role it needs.

What is not here: turning people into values (`people`), looking addresses up in Slack (a service does).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from bot.domain.agreement import Role
from bot.playbook.faults import Faults, Path, did_you_mean, shown
from bot.playbook.schema import PlaybookPart

_EMAIL = re.compile(
    r"[^@\s,;<>()\[\]\\]{1,64}@[^@\s,;<>()\[\]\\]{1,190}\.[^@\s.,;<>()\[\]\\]{2,63}"
)


def is_address(text: str) -> bool:
    """Whether `text` has the form of an e-mail address."""
    return _EMAIL.fullmatch(text.strip()) is not None


def normal(address: str | None) -> str:
    """Addresses are compared in lower case; "" for none."""
    return (address or "").strip().lower()


@dataclass(frozen=True, slots=True)
class Addresses:
    """The people section as a lookup. A person whose roles are faulty has roles None: nothing follows from it."""

    faults: Faults
    roles: Mapping[str, frozenset[Role] | None]
    readable: bool  # False: `people` itself is missing or faulty, so nobody can be called unknown

    @classmethod
    def of(cls, part: PlaybookPart, faults: Faults) -> Addresses:
        """Read the keys and roles of `people`; complains about both."""
        roles: dict[str, frozenset[Role] | None] = {}
        for key, person in (part.people or {}).items():
            path: Path = ("people", key)
            address = normal(key)
            if not is_address(key):
                faults.add(path, f"{shown(key)} is not an e-mail address")
            if address in roles:
                faults.add(
                    path, f"{shown(address)} stands here twice; capital letters make no difference"
                )
            roles[address] = _roles(person.roles, path, faults) if person else None
        return cls(faults, roles, bool(part.people))

    def check(self, path: Path, written: str | None, role: Role | None, as_what: str) -> str:
        """The address at `path` in lower case; complains unless it is known and has `role`."""
        address = normal(written)
        if not address:
            return ""
        if not is_address(address):
            self.faults.add(path, f"{shown(written)} is not an e-mail address")
        elif address not in self.roles:
            if self.readable:
                self.faults.add(
                    path,
                    f"{shown(address)} does not stand under `people`{did_you_mean(address, self.roles)}",
                )
        else:
            roles = self.roles[address]
            if role is not None and roles is not None and role not in roles:
                self.faults.add(path, f"{shown(address)} needs the role `{role}` to be {as_what}")
        return address

    def has(self, address: str, role: Role) -> bool:
        """Whether the person is known to have `role`."""
        return role in (self.roles.get(normal(address)) or frozenset())


def _roles(names: list[str | None] | None, path: Path, faults: Faults) -> frozenset[Role] | None:
    if names is None:
        return None
    roles: set[Role] = set()
    faulty = False
    for index, name in enumerate(names):
        if name is None:
            continue
        try:
            roles.add(Role(name.strip().lower()))
        except ValueError:
            faulty = True
            faults.add(
                (*path, "roles", index),
                f"{shown(name)} is not a role{did_you_mean(name, Role)}; there are {', '.join(Role)}",
            )
    if not roles and not faulty:
        faulty = True
        faults.add((*path, "roles"), "has no role; write for example roles: [rep]")
    return None if faulty else frozenset(roles)
