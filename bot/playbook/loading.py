"""Load a playbook: YAML to shape to agreement, with every fault and its line at once.

What is not here: reading the file, storing versions, resolving addresses in Slack (services do).
"""

from __future__ import annotations

import hashlib
import types
import typing
from dataclasses import dataclass
from datetime import date
from typing import Any

from pydantic import BaseModel, ValidationError

from bot.domain.agreement import Agreement
from bot.playbook.addresses import Addresses
from bot.playbook.checks import Checker, check_required, warn_of_lengths
from bot.playbook.compiling import Compiler
from bot.playbook.document import read_document
from bot.playbook.faults import Fault, Faults, Path, did_you_mean, in_order, shown
from bot.playbook.programme import with_programme
from bot.playbook.schema import PlaybookPart

__all__ = ["Fault", "LoadResult", "load_playbook"]

#: Each round of validation takes out what the one before refused; two are enough in practice.
_ROUNDS = 8


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What a file says. `agreement` is None when there is any fault; warnings do not stand in its way."""

    agreement: Agreement | None
    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...]
    sha256: str


def load_playbook(text: str, *, name: str = "playbook.yaml", today: date) -> LoadResult:
    """Compile the playbook in `text`. Never raises: what is wrong is in `faults`.

    `name` stands in front of each fault; `today` is the day around which holidays are taken.
    """
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    document = read_document(text)
    faults = Faults(name, document.lines, document.labels)
    early = [
        Fault(line, faults.where(path), message, name) for line, path, message in document.faults
    ]
    if not document.readable or not isinstance(document.data, dict):
        if document.readable and not early:
            early.append(
                Fault(1, "", "holds no playbook: write `company:`, `people:` and so on", name)
            )
        return LoadResult(None, in_order(early), (), digest)
    for _, path, _ in document.faults:
        faults.refused(path)
    agreement = _compile(document.data, faults, today)
    found = in_order([*early, *faults.found])
    return LoadResult(None if found else agreement, found, in_order(faults.warned), digest)


def _compile(data: dict[str, Any], faults: Faults, today: date) -> Agreement:
    part = _shape(data, faults)
    check_required(part, (), faults)
    addresses = Addresses.of(part, faults)
    agreement = Compiler(faults, addresses, today).compile(part)
    Checker(part, faults, addresses).run()
    agreement = with_programme(agreement, part, faults, today)
    if not faults.found:
        warn_of_lengths(agreement, part, faults)
    return agreement


def _shape(data: dict[str, Any], faults: Faults) -> PlaybookPart:
    """The file's shape without what is wrong in it; each wrong value is a fault."""
    for _ in range(_ROUNDS):
        try:
            return PlaybookPart.model_validate(data)
        except ValidationError as error:
            for detail in error.errors(include_url=False, include_context=True):
                path: Path = detail["loc"]
                faults.add(path, _in_words(dict(detail), path))
                _take_out(data, path)
    return PlaybookPart()


def _take_out(data: Any, path: Path) -> None:
    """Empty the value at `path`, or remove it when its key is unknown anyway; list positions stay."""
    for part in path[:-1]:
        data = data[part]
    last = path[-1]
    if isinstance(data, dict) and _model_at(path[:-1]) is not None:
        del data[last]
    else:
        data[last] = None


def _in_words(detail: dict[str, Any], path: Path) -> str:
    kind, context = str(detail["type"]), detail.get("ctx", {})
    given = detail.get("input")
    if kind == "extra_forbidden":
        model = _model_at(path[:-1])
        known = [f.alias or n for n, f in model.model_fields.items()] if model else []
        return (
            f"{shown(path[-1])} is not known here{did_you_mean(str(path[-1]), known)}; there are "
            + (", ".join(known))
        )
    if kind in ("int_parsing", "int_type", "int_parsing_size", "int_from_float"):
        return f"{shown(given)} is not a whole number"
    if kind == "greater_than_equal":
        return f"{shown(given)} is too little; {context.get('ge')} is the least"
    if kind == "less_than_equal":
        return f"{shown(given)} is too much; {context.get('le')} is the most"
    wanted = {
        "string_type": "must be a single text",
        "list_type": "must be a list: lines that begin with `-`, or [a, b]",
        "dict_type": "must be a group of `key: value` lines",
        "model_type": "must be a group of `key: value` lines",
    }
    return wanted.get(kind, "cannot be understood")


def _model_at(path: Path) -> type[BaseModel] | None:
    """The model that describes the mapping at `path`, or None when its keys are free."""
    kind: Any = PlaybookPart
    for part in path:
        kind = _bare(kind)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            fields = {field.alias or name: field for name, field in kind.model_fields.items()}
            if part not in fields:
                return None
            kind = fields[str(part)].annotation
        else:
            arguments = typing.get_args(kind)
            if not arguments:
                return None
            kind = arguments[-1]
    kind = _bare(kind)
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _bare(kind: Any) -> Any:
    """`Annotated[X, …]` and `X | None` as X."""
    while True:
        if typing.get_origin(kind) is typing.Annotated:
            kind = typing.get_args(kind)[0]
        elif isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
            kind = next(a for a in typing.get_args(kind) if a is not type(None))
        else:
            return kind
