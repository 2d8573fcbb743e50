"""One call of the Web API as the methods see it: typed access to its arguments, and Slack's way of saying no.

What is not here: reading a request (`web_api`), what the methods do (`methods_*`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.rule_tools import Finding
from sandbox.workspace import Workspace

#: What a method answers besides `ok`.
Reply = dict[str, Any]


class ApiError(Exception):
    """`ok: false` with Slack's name of the error; `details` go into the answer beside it."""

    def __init__(self, name: str, **details: Any) -> None:
        super().__init__(name)
        self.name = name
        self.details = details

    @classmethod
    def of_findings(cls, name: str, findings: Sequence[Finding]) -> ApiError:
        """An error whose `response_metadata.messages` say where."""
        return cls(name, response_metadata={"messages": [str(f) for f in findings]})


@dataclass(frozen=True, slots=True)
class Call:
    """A call and the workspace it is made in."""

    workspace: Workspace
    method: str
    args: Mapping[str, Any]

    def text(self, name: str, *, required: bool = False) -> str:
        """A string argument, "" when absent. `invalid_arguments` when it is required and missing."""
        value = self.args.get(name)
        if value is None or value == "":
            if required:
                raise _bad_argument(f"missing required field: {name}")
            return ""
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise _bad_argument(f"{name} must be a string")
        return str(value)

    def flag(self, name: str) -> bool:
        """A boolean argument, which a form sends as text."""
        return self.args.get(name) in (True, 1, "1", "true", "True")

    def number(self, name: str, default: int) -> int:
        """A number argument."""
        value = self.args.get(name)
        try:
            return default if value in (None, "") else int(str(value))
        except ValueError:
            raise ApiError("invalid_arguments") from None

    def structure(self, name: str, wrong: str) -> Any:
        """A list or object argument; a form sends it as JSON text. `wrong` names the error for broken JSON."""
        value = self.args.get(name)
        if value == "":
            return None
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError:
            raise ApiError(wrong) from None


def _bad_argument(message: str) -> ApiError:
    return ApiError("invalid_arguments", response_metadata={"messages": [f"[ERROR] {message}"]})


Method = Callable[[Call], Reply]
