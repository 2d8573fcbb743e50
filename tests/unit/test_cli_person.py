"""`baton export`, `baton erase` and what follows from them, as an operator meets it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import make_url

from bot.clock import Clock
from bot.commands import erasing
from bot.domain.lead import LeadFacts
from bot.services.receive_leads import Incoming, Message, receive_leads
from bot.wiring import open_runtime
from storage.database import Database
from tests.unit.playbook_kit import SMALL

KEY = "0123456789abcdef0123456789abcdef"
EMAIL = "jana.novak@globex.example"

Says = Callable[..., tuple[int, str, str]]


def _known(database: Database) -> None:
    runtime = open_runtime(database, Clock(), SMALL)
    facts = LeadFacts(source="web", external_id="1", email=EMAIL, last_name="Novak")
    runtime.write_now(
        lambda work: receive_leads(work, Message("s", "m", "h", b"{}", (Incoming(0, facts),)))
    )


def test_a_person_is_exported_erased_and_gone(
    baton: Says, named_database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(erasing, "sleep", waited.append)
    _known(named_database)

    assert baton("export", "nobody@x.example") == (
        1, "Baton holds nothing about nobody@x.example.\n", "",
    )  # fmt: skip
    file = tmp_path / "export.json"
    assert baton("export", EMAIL.upper(), "--out", str(file))[0] == 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_text())["leads"][0]["lead"]["last_name"] == "Novak"
    assert "export.json is there already" in baton("export", EMAIL, "--out", str(file))[2]
    held = json.loads(baton("export", "ann@acme.example")[1])
    assert held["as_employee"]["person"]["email"] == "ann@acme.example"

    code, _, err = baton("erase", EMAIL, "--yes")
    assert code == 2
    assert "BATON_ERASURE_KEY is not set" in err
    monkeypatch.setenv("BATON_ERASURE_KEY", KEY)
    monkeypatch.setenv("BATON_BACKUPS", str(tmp_path / "backups"))
    assert "add --yes" in baton("erase", EMAIL)[2]
    assert baton("export", EMAIL)[0] == 0, "nothing was erased"

    code, out, err = baton("erase", EMAIL, "--yes")
    assert (code, err) == (0, "")
    assert "Erased: 1 lead, 0 kept messages." in out
    assert "hold nothing of what was deleted" in out
    assert waited == [2.0], "every process must have noticed before the first person of all"
    assert (
        b"novak" not in Path(str(make_url(str(named_database.url)).database)).read_bytes().lower()
    )
    assert (tmp_path / "backups" / "erasures.ledger").exists()
    assert baton("erase", EMAIL, "--yes")[:2] == (1, f"Baton holds nothing about {EMAIL}.\n")
    assert baton("erase", "--shown")[:2] == (
        0, "Every message about an erased person says [erased].\n",
    )  # fmt: skip

    monkeypatch.setenv("BATON_ERASURE_KEY", KEY[::-1])
    assert "another one" in baton("erase", "ann@acme.example", "--yes")[2]
    assert baton("purge", "--dry-run") == (0, "Nothing is too old.\n", "")
    assert baton("erase")[0] == 2
