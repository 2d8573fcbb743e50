"""A YAML file as plain values with the line of each: mappings, lists and text.

Built from the parser's events and not from its objects, because a playbook is read by people: two
equal keys, aliases and tags are faults with a line, deep nesting ends early instead of exhausting the stack,
and text stays as written (`17:30`, `NO` and `2026-12-24` are text; numbers are made by the schema).
What is not here: what the values must look like (`schema`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from bot.playbook.faults import Path, shown

#: A playbook of a large company has some 50 KiB; beyond this the file is something else.
MAX_BYTES = 512 * 1024
#: The deepest place of a playbook is `slas > standard > accept > steps > 75% > item`.
MAX_DEPTH = 16

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(slots=True)
class Document:
    """The values, the line of each path (from 1), names of list items, and what was wrong with the YAML."""

    data: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    labels: dict[Path, str] = field(default_factory=dict)
    faults: list[tuple[int, Path, str]] = field(default_factory=list)
    readable: bool = True  # False: it ended early, so nothing can be said about what is missing


@dataclass(slots=True)
class _Open:
    """A mapping or a list that is being filled."""

    path: Path
    value: dict[str, Any] | list[Any] | None  # None: refused, its content is thrown away
    key: str | None = None  # the mapping's key that waits for its value
    key_known: bool = False


class _Stop(Exception):
    """Nothing after this point can be read."""


def read_document(text: str) -> Document:
    """Parse `text`. Never raises: whatever is wrong is in `faults`."""
    document = Document()
    size = len(text.encode("utf-8", "replace"))
    if size > MAX_BYTES:
        document.faults.append((1, (), f"the file has {size // 1024} KiB; 512 KiB is the most"))
        document.readable = False
        return document
    try:
        _Builder(document).run(text)
    except _Stop:
        document.readable = False
    except Exception as error:  # the parser has many kinds, some of them not its own
        document.faults.append((_line_of(error, text), (), f"not valid YAML: {_problem(error)}"))
        document.readable = False
    return document


def _line_of(error: Exception, text: str) -> int:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is not None:
        return int(mark.line) + 1
    position = getattr(error, "position", None)
    return text.count("\n", 0, position) + 1 if isinstance(position, int) else 1


def _problem(error: Exception) -> str:
    problem = (
        getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read"
    )
    hints = {
        "mapping values are not allowed here": "a second `:` in one line; put the text into quotes",
        "cannot start any token": "; indent with spaces and put text with special signs into quotes",
        "expected <block end>": "; look at the indentation of this line",
        "<stream end>": "; a bracket or a quote is not closed",
    }
    text = str(problem).replace("\t", "\\t")
    for sign, hint in hints.items():
        if sign in text:
            return text + hint if hint.startswith(";") else hint
    return text


class _Builder:
    """Turns events into values; keeps its own stack, so nesting costs no recursion."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._stack: list[_Open] = []
        self._documents = 0

    def run(self, text: str) -> None:
        for event in YAML(typ="safe", pure=True).parse(text):
            line = event.start_mark.line + 1
            if isinstance(event, DocumentStartEvent):
                self._documents += 1
                if self._documents > 1:
                    self._refuse(
                        line, (), "a second document begins here (`---`); one file, one playbook"
                    )
                    raise _Stop
            elif isinstance(event, MappingStartEvent | SequenceStartEvent):
                self._open(event, line)
            elif isinstance(event, MappingEndEvent | SequenceEndEvent):
                self._stack.pop()
            elif isinstance(event, AliasEvent):
                self._refuse(
                    line, self._here(), f"`*{event.anchor}` is an alias; write the value out"
                )
                self._place(None, line)
            elif isinstance(event, ScalarEvent):
                self._place(self._scalar(event, line), line)

    def _open(self, event: MappingStartEvent | SequenceStartEvent, line: int) -> None:
        if len(self._stack) >= MAX_DEPTH:
            self._refuse(line, self._here(), f"nested more than {MAX_DEPTH} levels deep")
            raise _Stop
        self._check_tag(event, line)
        if self._is_key():
            self._refuse(line, self._stack[-1].path, "a key must be plain text")
            raise _Stop
        value: dict[str, Any] | list[Any] = {} if isinstance(event, MappingStartEvent) else []
        path = self._place(value, line)
        self._stack.append(_Open(path, value))

    def _scalar(self, event: ScalarEvent, line: int) -> str | None:
        self._check_tag(event, line)
        text = str(event.value)
        if _SURROGATE.search(text):
            self._refuse(line, self._here(), "has a character that cannot be stored")
            return None
        plain = event.style is None and event.implicit[0]
        return None if plain and text in _NULLS and not self._is_key() else text

    def _place(self, value: Any, line: int) -> Path:
        """Put `value` where the next one belongs; a mapping's key only waits. Returns the value's path."""
        if not self._stack:
            self._document.data = value
            self._document.lines[()] = line
            return ()
        top = self._stack[-1]
        if isinstance(top.value, list):
            path = (*top.path, len(top.value))
            top.value.append(value)
            self._document.lines[path] = line
            return path
        if not top.key_known:
            self._take_key(top, value, line)
            return top.path
        return self._take_value(top, value)

    def _take_key(self, top: _Open, value: Any, line: int) -> None:
        top.key_known, top.key = True, None
        if value is None:
            return
        key = str(value)
        path = (*top.path, key)
        if isinstance(top.value, dict) and key in top.value:
            first = self._document.lines[path]
            self._refuse(
                line, path, f"{shown(key)} stands here for the second time (first in line {first})"
            )
            return
        top.key = key
        self._document.lines[path] = line

    def _take_value(self, top: _Open, value: Any) -> Path:
        key, top.key, top.key_known = top.key, None, False
        if key is None or not isinstance(top.value, dict):
            return (*top.path, "")
        top.value[key] = value
        if key == "name" and isinstance(value, str) and top.path and isinstance(top.path[-1], int):
            self._document.labels[top.path] = value
        return (*top.path, key)

    def _is_key(self) -> bool:
        top = self._stack[-1] if self._stack else None
        return top is not None and isinstance(top.value, dict) and not top.key_known

    def _here(self) -> Path:
        if not self._stack:
            return ()
        top = self._stack[-1]
        return (*top.path, top.key) if top.key is not None else top.path

    def _check_tag(self, event: Any, line: int) -> None:
        if event.tag is not None:
            self._refuse(line, self._here(), f"{shown(event.tag)} is a tag; write the plain value")

    def _refuse(self, line: int, path: Path, message: str) -> None:
        self._document.faults.append((line, path, message))
