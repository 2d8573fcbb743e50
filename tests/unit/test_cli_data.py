"""Commands that work on the database: a playbook put in force, quarantined leads looked at and replayed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from bot.clock import Clock
from bot.wiring import open_runtime
from storage import clocks, inbox, journal, people, playbooks
from storage.database import Database
from tests.unit.playbook_kit import USUAL_REPORTS, with_changes
from tests.unit.programme_kit import NAMED, spring

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

Says = Callable[..., tuple[int, str, str]]


# --- playbook apply ------------------------------------------------------------------------------------


def members(database: Database) -> set[str]:
    with database.read() as conn:
        return {row.email.partition("@")[0] for row in people.list_people(conn) if row.in_playbook}


def version_in_force(database: Database) -> int | None:
    with database.read() as conn:
        newest = playbooks.newest_playbook(conn)
    return newest.version if newest else None


def due_times(database: Database) -> list[datetime]:
    with database.read() as conn:
        return [clock.due_at for clock in clocks.list_all_running(conn)]


def test_applying_puts_versions_in_force_and_says_who_came_and_went(
    baton: Says, named_database: Database
) -> None:
    code, out, err = baton("playbook", "apply")

    assert (code, err) == (0, "")
    assert out.startswith("playbook.yaml: version 1 is in force, the first one\n")
    assert members(named_database) == {"ann", "ben", "eve", "dana", "vera", "carl", "olga"}

    Path("playbook.yaml").write_text(
        with_changes(
            ("  ben@acme.example: {", "  zoe@acme.example: {"),
            ("members: [ann@acme.example, ben@acme.example]", "members: [ann@acme.example, zoe@acme.example]"),
        )
    )  # fmt: skip
    code, out, _ = baton("playbook", "apply")

    assert code == 0
    assert out.splitlines() == [
        "playbook.yaml: version 2 is in force, after version 1",
        "  joined: zoe@acme.example",
        "  left, and their offers go to others: ben@acme.example",
        "  running clocks keep the version they started under (--running changes them)",
        f"  {USUAL_REPORTS}",
    ]
    assert members(named_database) == {"ann", "zoe", "eve", "dana", "vera", "carl", "olga"}
    with named_database.read() as conn:
        assert [e.kind for e in journal.list_entries(conn, "playbook", 2)] == ["applied"]


def test_check_and_apply_say_how_a_challenge_was_understood(
    baton: Says, named_database: Database
) -> None:
    year = datetime.now(UTC).year + 1
    days = spring(to=f"{year}-05-31", from_=f"{year}-05-01")
    Path("playbook.yaml").write_text(with_changes(NAMED) + "challenges:\n" + days)
    understood = [
        f"  {USUAL_REPORTS}",
        "  people_figures: emea named, west team (totals only, 1 rep)",
        f"  challenge: Spring challenge, 1-31 May {year}, emea, most improved by rate, board mon-fri 16:00 in C0EMEA01",
    ]

    assert baton("check")[1].splitlines() == [
        "playbook.yaml: 7 people, 2 teams, 2 SLAs, 1 challenge: fine",
        *understood,
    ]
    assert baton("playbook", "apply")[1].splitlines()[-3:] == understood


def test_applying_the_same_text_again_changes_nothing(
    baton: Says, named_database: Database
) -> None:
    baton("playbook", "apply")

    assert baton("playbook", "apply") == (
        *(0, "playbook.yaml: is in force already, as version 1\n"),
        "",
    )
    assert version_in_force(named_database) == 1


def test_an_older_text_comes_back_in_force(baton: Says, named_database: Database) -> None:
    Path("newer.yaml").write_text(with_changes(("within: 21d", "within: 14d")))
    baton("playbook", "apply")
    baton("playbook", "apply", "newer.yaml")

    code, out, _ = baton("playbook", "apply", "--running")

    assert code == 0
    assert out.splitlines() == [
        "playbook.yaml: version 1 is in force again, after version 2",
        "  running clocks that changed: 0",
        f"  {USUAL_REPORTS}",
    ]
    assert version_in_force(named_database) == 1


def test_a_start_does_not_undo_what_was_applied(
    baton: Says, named_database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    first = Path("playbook.yaml").read_text()
    Path("newer.yaml").write_text(with_changes(("within: 21d", "within: 14d")))
    unknown = baton("playbook", "apply", "newer.yaml")[1]
    assert unknown.endswith(
        "At the next start Baton takes playbook.yaml again: set BATON_PLAYBOOK=newer.yaml\n"
    )
    baton("playbook", "apply")
    known = baton("playbook", "apply", "newer.yaml")[1]
    assert "Once playbook.yaml changes, at the next start Baton takes playbook.yaml again" in known

    def start(text: str) -> int:
        runtime = open_runtime(Database(str(named_database.url)), Clock(), text)
        runtime.close()
        return runtime.agreement.version

    assert start(first) == 1
    assert "version 2, version 1 stays in force: set BATON_PLAYBOOK" in caplog.text
    assert start(first.replace("within: 21d", "within: 15d")) == 3
    assert version_in_force(named_database) == 3


def test_running_clocks_change_only_when_asked_to(baton: Says, named_database: Database) -> None:
    baton("playbook", "apply")
    hand_raiser = b'{"external_id": "1", "email": "kim@north.example", "source": "contact_me"}'
    quarantined(named_database, "m-1", hand_raiser, "refused")
    baton("quarantine", "replay", "--all")  # nobody is known in Slack yet: marketing reviews it
    before = due_times(named_database)
    assert len(before) == 1
    Path("playbook.yaml").write_text(with_changes(("review: {within: 1d", "review: {within: 3d")))

    baton("playbook", "apply")
    assert due_times(named_database) == before

    code, out, _ = baton("playbook", "apply", "--running")
    assert code == 0
    assert out.splitlines() == [
        "playbook.yaml: is in force already, as version 2",
        "  running clocks that changed: 1",
    ]
    assert all(due > was for due, was in zip(due_times(named_database), before, strict=True))


def test_a_faulty_playbook_leaves_the_last_good_one(baton: Says, named_database: Database) -> None:
    Path("faulty.yaml").write_text(with_changes(("within: 21d", "within: soon")))

    code, out, _ = baton("playbook", "apply", "faulty.yaml")
    assert code == 1
    assert out.splitlines()[-1] == "faulty.yaml: 1 fault. No playbook is in force yet."
    assert version_in_force(named_database) is None

    baton("playbook", "apply")
    code, out, _ = baton("playbook", "apply", "faulty.yaml")
    assert code == 1
    assert out.startswith("faulty.yaml:34: ")
    assert out.splitlines()[-1] == "faulty.yaml: 1 fault. Version 1 stays in force."
    assert version_in_force(named_database) == 1


# --- quarantine ----------------------------------------------------------------------------------------


def quarantined(database: Database, msg_id: str, raw: bytes, *reasons: str) -> int:
    """A message that came and could not be used in full; an empty reason is an item that was taken."""
    results = [
        {"status": "quarantined", "reason": reason}
        if reason
        else {"status": "accepted", "lead": 99}
        for reason in reasons
    ]
    with database.write() as conn:
        row = inbox.store_message(
            conn, source="website", msg_id=msg_id, sha256=msg_id, raw=raw, now=NOON
        )
        assert row is not None
        inbox.settle_message(conn, row.id, state="quarantined", results=results)
        return row.id


def leads(database: Database) -> list[tuple[str, str]]:
    with database.read() as conn:
        rows = conn.execute(text("SELECT source, external_id FROM leads ORDER BY id"))
        return [(source, key) for source, key in rows]


GOOD = b'[{"external_id": "1", "email": "kim@north.example"}, {"external_id": "2"}]'
BAD = b'[{"external_id": "3"}, {"company": "No Name"}]'


def test_an_empty_quarantine_says_so(baton: Says, named_database: Database) -> None:
    assert baton("quarantine", "list") == (0, "Nothing is in quarantine.\n", "")
    assert baton("quarantine", "replay", "--all") == (0, "Nothing is in quarantine.\n", "")


def test_the_list_says_what_came_and_why_it_lies_there(
    baton: Says, named_database: Database
) -> None:
    number = quarantined(named_database, "m-1", BAD, "", "A lead needs\nan \x1b[31maddress.")

    code, out, _ = baton("quarantine", "list")

    assert code == 0
    header, line = out.splitlines()
    assert header.split() == ["ID", "received", "from", "bad", "reason"]
    assert line.split(maxsplit=5) == [
        *(str(number), "2026-11-20", "12:00Z", "website", "1/2"),
        "A lead needs an \\x1b[31maddress.",
    ]


def test_showing_prints_the_body_but_never_steers_the_terminal(
    baton: Says, named_database: Database
) -> None:
    number = quarantined(
        named_database, "m-1", b'{"a": "\x1b[2J\xff"}\nend', "The body is not UTF-8."
    )

    code, out, _ = baton("quarantine", "show", str(number))

    assert code == 0
    assert out.splitlines() == [
        f"message {number} from website, 2026-11-20 12:00Z: quarantined",
        "its own id: m-1",
        "item 1: quarantined, The body is not UTF-8.",
        "body (18 bytes):",
        '{"a": "\\x1b[2J\\xff"}',
        "end",
    ]


def test_there_is_no_such_message(baton: Says, named_database: Database) -> None:
    baton("playbook", "apply")

    code, _, err = baton("quarantine", "show", "41")
    assert (code, err) == (2, "baton: There is no message 41; see: baton quarantine list\n")
    assert baton("quarantine", "replay", "41")[:2] == (1, "message 41: is not in quarantine\n")


def test_what_never_will_be_usable_can_be_dropped(baton: Says, named_database: Database) -> None:
    baton("playbook", "apply")
    number = quarantined(named_database, "m-1", BAD, "", "A lead needs an address.")

    assert baton("quarantine", "drop", str(number)) == (
        0,
        f"message {number} from website, 2026-11-20 12:00Z: dropped, 1 of 2 items unused: "
        "A lead needs an address.\n",
        "",
    )

    assert baton("quarantine", "list")[1] == "Nothing is in quarantine.\n"
    assert "The body is not kept: it was dropped." in baton("quarantine", "show", str(number))[1]
    again = (1, f"message {number}: is not in quarantine\n", "")
    assert baton("quarantine", "drop", str(number)) == again
    assert baton("quarantine", "replay", str(number)) == again
    with named_database.read() as conn:
        assert [e.kind for e in journal.list_entries(conn, "message", number)] == ["dropped"]


def test_a_replay_applies_what_was_refused_and_nothing_twice(
    baton: Says, named_database: Database
) -> None:
    baton("playbook", "apply")
    number = quarantined(
        named_database, "m-1", GOOD, "", "the database refused a value of this item"
    )

    assert baton("quarantine", "replay", str(number)) == (0, f"message {number}: 2 accepted\n", "")

    assert leads(named_database) == [("website", "2")]
    assert baton("quarantine", "list")[1] == "Nothing is in quarantine.\n"
    assert "The body is not kept" in baton("quarantine", "show", str(number))[1]
    assert baton("quarantine", "replay", str(number))[0] == 1
    assert len(leads(named_database)) == 1


def test_what_still_cannot_be_used_stays_with_its_reason(
    baton: Says, named_database: Database
) -> None:
    baton("playbook", "apply")
    first = quarantined(named_database, "m-1", BAD, "refused", "refused")
    second = quarantined(named_database, "m-2", GOOD, "refused", "refused")
    third = quarantined(named_database, "m-3", b"not json", "refused")

    code, out, _ = baton("quarantine", "replay", "--all")

    assert code == 1
    assert out.splitlines() == [
        f"message {first}: 1 accepted, 1 still in quarantine: "
        "A lead needs an external_id or an e-mail address.",
        f"message {second}: 2 accepted",
        f"message {third}: 1 still in quarantine: The body is not JSON (line 1, column 1).",
    ]
    assert leads(named_database) == [("website", "3"), ("website", "1"), ("website", "2")]
    assert baton("quarantine", "list")[1].count("website") == 2


def test_a_replay_needs_a_playbook_that_works(baton: Says, named_database: Database) -> None:
    number = quarantined(named_database, "m-1", GOOD, "refused", "refused")
    with named_database.write() as conn:
        playbooks.insert_playbook(conn, sha256="0" * 64, body="people: [", holidays={}, now=NOON)

    code, _, err = baton("quarantine", "replay", str(number))

    assert code == 2
    assert err.startswith("baton: playbook version 1:1: ")
    assert err.endswith("cannot be used by this Baton; run: baton playbook apply\n")
    assert leads(named_database) == []
