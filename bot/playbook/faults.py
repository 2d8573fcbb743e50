"""What is wrong with a playbook: a fault names the line, the place and the trouble in plain words.

What is not here: finding faults (`checks`, `compiling`), reading YAML (`document`).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

#: A name of 5,000 characters is a fault of its own, not the place of another.
_LABEL_MAX = 60

#: The way to a value: keys of mappings and 0-based positions in lists, from the top of the file.
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing to put right (or, among the warnings, to think about). `line` counts from 1."""

    line: int
    where: str
    message: str
    name: str = "playbook.yaml"

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{self.name}:{self.line}: {place}{self.message}"


@dataclass(slots=True)
class Faults:
    """Collects faults and warnings of one file. `lines` and `labels` come from the document."""

    name: str
    lines: Mapping[Path, int] = field(default_factory=dict)
    labels: Mapping[Path, str] = field(default_factory=dict)
    found: list[Fault] = field(default_factory=list)
    warned: list[Fault] = field(default_factory=list)
    _paths: set[Path] = field(default_factory=set)

    def add(self, path: Path, message: str) -> None:
        """A fault at `path`: the playbook cannot be used."""
        self._paths.add(path)
        self._put(self.found, path, message)

    def refused(self, path: Path) -> None:
        """`path` was found faulty before: no further complaint that it is missing."""
        if path:
            self._paths.add(path)

    def warn(self, path: Path, message: str) -> None:
        """Something that works, but probably not as meant."""
        self._put(self.warned, path, message)

    def broken(self, path: Path) -> bool:
        """Whether `path` or something around it is at fault already: what follows from that is not told."""
        return any(path[:length] in self._paths for length in range(len(path) + 1))

    def told(self, path: Path) -> bool:
        """Whether `path` itself or something within it is at fault already."""
        return any(known[: len(path)] == path for known in self._paths)

    def line_of(self, path: Path) -> int:
        """The line of `path`, or of the nearest thing around it that has one."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return 1

    def where(self, path: Path) -> str:
        """`slas.standard.accept`: list items by their `name`, else by their number, from 1."""
        text = ""
        for index, part in enumerate(path):
            label = self.labels.get(path[: index + 1], "")[:_LABEL_MAX] or None
            if isinstance(part, int) and label is None:
                text += f"[{part + 1}]"
            else:
                text += f".{label or part}" if text else f"{label or part}"
        return text

    def _put(self, into: list[Fault], path: Path, message: str) -> None:
        fault = Fault(self.line_of(path), self.where(path), message, self.name)
        if fault not in into:
            into.append(fault)


def in_order(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    """From the top of the file to its end."""
    return tuple(sorted(faults, key=lambda fault: (fault.line, fault.where)))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`" (did you mean x?)"` when something known looks like `word`, else ""."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean `{close[0]}`?)" if close else ""


def shown(text: object, limit: int = 60) -> str:
    """A value as it is quoted in a message: one line, not long."""
    flat = " ".join(str(text).split())
    return f"`{flat[: limit - 1]}…`" if len(flat) > limit else f"`{flat}`"
