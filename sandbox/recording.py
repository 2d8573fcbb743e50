"""A record of what the bot sent: one JSON line per call, for a checker of Block Kit and for experiments.

Messages, views and acks go to the file itself; all other calls (`auth.test`, reads) to `<name>.other.jsonl`
beside it, as a checker of payloads has nothing to say about them. Tokens are never written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

_CHECKABLE = (
    "chat.postMessage",
    "chat.update",
    "chat.postEphemeral",
    "views.",
    "ack",
    "response_url",
)


class Recorder:
    """Writes the record; `path` None: nowhere. `counts` is method -> calls, kept in any case."""

    def __init__(self, path: Path | None) -> None:
        self.counts: dict[str, int] = {}
        self._paths = [path, path.with_name(path.stem + ".other.jsonl")] if path else []
        self._files: list[TextIO] = []

    def record(
        self, method: str, payload: Mapping[str, Any], error: str = "", *, status: int = 200
    ) -> None:
        """Write one call and how it was answered."""
        self.counts[method] = self.counts.get(method, 0) + 1
        if not self._paths:
            return
        if not self._files:
            # Only now: a workspace that is made and never used leaves nothing open. Line buffered: a process that
            # is killed leaves whole lines.
            self._files = [p.open("a", encoding="utf-8", buffering=1) for p in self._paths]
        line = {
            "method": method,
            "payload": {key: value for key, value in payload.items() if key != "token"},
            "response_ok": not error,
            "error": error or None,
            "status": status,
        }
        file = self._files[0 if method.startswith(_CHECKABLE) else 1]
        file.write(json.dumps(line, ensure_ascii=False) + "\n")

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.close()
        self._files, self._paths = [], []
