"""`baton doctor` against broken installations: the first line names the cause, the exit code says that there is one.

Each installation is a sound one with one thing broken. The doctor runs as a command in this process.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from starlette.responses import PlainTextResponse

from bot.gateways.webhook_out import key_of
from storage.revisions import HEAD
from tests.handlers.doctor_kit import GOOD_SECRET, Examine, Installation
from tests.handlers.doctor_kit import examined as examined
from tests.handlers.doctor_kit import port as port
from tests.handlers.doctor_kit import sound as sound
from tests.handlers.doctor_kit import sound_database as sound_database

ANN = "ann@acme.example"


def test_a_sound_installation_is_told_to_be_one(sound: Installation, examined: Examine) -> None:
    sound.tells()
    code, lines = examined(sound)
    assert (code, lines[-1]) == (0, "All is well.")
    assert {line.split()[0] for line in lines if line} <= {"ok", "note", "All"}, lines
    for part in (
        f"at revision {HEAD}",
        "version 1 is in force",
        "all 8 of app.yaml",
        "all 7 of the playbook are in Slack",
        "Baton is in all 3 of the playbook",
        "Slack opens lines for SLACK_APP_TOKEN",
        "website may send leads",
        "Baton ticked",
        "Baton answers at",
    ):
        assert any(part in line for line in lines), (part, lines)


def unset(*names: str) -> Callable[[Installation], None]:
    def do(at: Installation) -> None:
        for name in names:
            at.env[name] = ""

    return do


def put(**values: str) -> Callable[[Installation], None]:
    return lambda at: at.env.update(values)


def _no_tables(at: Installation) -> None:
    at.file.unlink()
    sqlite3.connect(at.file).close()
    at.sql("PRAGMA user_version = 1")


def _read_only(at: Installation) -> None:
    at.env["DATABASE_URL"] = f"sqlite:///file:{at.file}?mode=ro&uri=true"


def _from_the_future(at: Installation) -> None:
    at.sql("UPDATE alembic_version SET version_num = '9999'")
    at.sql("UPDATE admitted SET oldest = '9999'")


def _never_applied(at: Installation) -> None:
    at.sql("DELETE FROM playbooks")


def _lacks_scope(*scopes: str) -> Callable[[Installation], None]:
    def do(at: Installation) -> None:
        config = at.sandbox.config
        config.scopes = frozenset(config.scopes - set(scopes))

    return do


def _deactivated(at: Installation) -> None:
    person = at.sandbox.workspace.person_by_email(ANN)
    assert person is not None
    at.sandbox.workspace.people[person.user_id] = replace(person, deactivated=True)


def _messages_tab_off(at: Installation) -> None:
    at.forget(ANN)
    at.slack_says("conversations.open", "messages_tab_disabled")


def _parked(at: Installation) -> None:
    at.sql(
        "INSERT INTO timers (subject_kind, subject_id, step, generation, due_at, state, attempts) "
        "VALUES ('lead', 7, 'wake', 1, '2026-01-01 00:00:00', 'parked', 5)"
    )


def _receiver_gone(at: Installation) -> None:
    at.tells()
    at.receiver = PlainTextResponse("gone", 410)


def _receiver_disabled(at: Installation) -> None:
    at.tells()
    at.sql(
        "INSERT INTO receivers (url_sha256, failures, last_failure, disabled_at) VALUES (?, 9, ?, ?)",
        key_of(at.env["BATON_WEBHOOK_URL"]),
        "http_410",
        "2026-11-20 10:00:00",
    )


def _quarantined(at: Installation) -> None:
    at.sql(
        "INSERT INTO inbox (source, msg_id, sha256, raw, state, results, received_at, door) "
        "VALUES ('website', 'm1', 'x', x'00', 'quarantined', '[]', '2026-11-20 10:00:00', 'leads')"
    )


#: What is broken, and what the first line must say: level, topic, a part of the cause, a part of the cure.
CASES: dict[str, tuple[Callable[[Installation], object], str]] = {
    "no database file": (
        lambda at: at.file.unlink(),
        "fault database There is no database file .* Run: baton migrate",
    ),
    "no folder for it": (
        put(DATABASE_URL="sqlite:////no/such/folder/baton.db"),
        "fault database The folder .*/no/such/folder/baton.db does not exist",
    ),
    "no database at all": (
        put(DATABASE_URL="postgresql://baton:hunter2@127.0.0.1:1/baton"),
        "fault database PostgreSQL at 127.0.0.1:1/baton cannot be used: .*refused.* Start the server",
    ),
    "another kind of file": (
        lambda at: at.file.write_bytes(b"no database" * 100),
        "fault database .*baton.db cannot be opened: file is not a database",
    ),
    "no tables": (_no_tables, "fault tables .* has no tables of Baton.* baton migrate"),
    "older tables": (
        lambda at: at.sql("UPDATE alembic_version SET version_num = '0001'"),
        "fault tables The tables are at revision 0001.* baton migrate",
    ),
    "newer tables": (
        _from_the_future,
        "fault tables .*9999.* a newer Baton was here",
    ),
    "read-only": (_read_only, "fault database .* cannot be written by user"),
    "no playbook": (
        put(BATON_PLAYBOOK="nowhere.yaml"),
        "fault playbook nowhere.yaml cannot be read: No such file",
    ),
    "faulty playbook": (
        lambda at: at.playbook("to: owner}", "to: nobody}"),
        r"fault playbook .*playbook.yaml:\d+.*nobody.* baton check",
    ),
    "a channel's name in place of its id": (
        lambda at: at.playbook("channel: C0REVIEW", "channel: lead-review"),
        r"fault playbook .*playbook.yaml:\d+.*channel",
    ),
    "playbook never applied": (
        _never_applied,
        "fault playbook No playbook is in force yet.* baton playbook apply",
    ),
    "another playbook in force": (
        lambda at: at.playbook("points: 15", "points: 20"),
        "warn playbook .* is not what is in force.* baton playbook apply",
    ),
    "bot token alone": (
        unset("SLACK_APP_TOKEN"),
        r"fault settings SLACK_BOT_TOKEN needs SLACK_APP_TOKEN .* connections:write",
    ),
    "app token pasted as bot token": (
        put(SLACK_BOT_TOKEN="xapp-1-not-a-real-token"),
        "fault settings SLACK_BOT_TOKEN: must start with xoxb-; it holds an app-level token",
    ),
    "bad webhook secret of a sender": (
        put(BATON_INTAKE_SECRET="website:whsec_abc"),
        r"fault settings BATON_INTAKE_SECRET: entry 1 \(website\).*openssl rand",
    ),
    "receiver without its secret": (
        put(BATON_WEBHOOK_URL="https://crm.acme.example/k3y"),
        "fault settings BATON_WEBHOOK_URL needs BATON_WEBHOOK_SECRET",
    ),
    "revoked token": (
        lambda at: at.slack_says("*", "token_revoked"),
        r"fault Slack SLACK_BOT_TOKEN: the token was revoked \(token_revoked\).* Install the app",
    ),
    "a token of nobody": (
        put(SLACK_BOT_TOKEN="xoxb-sandbox-of-another-not-a-real-token"),
        r"fault Slack SLACK_BOT_TOKEN: Slack does not know this token \(invalid_auth\)",
    ),
    "Slack out of reach": (
        put(SLACK_API_URL="http://127.0.0.1:1/api/"),
        "fault Slack 127.0.0.1:1 cannot be reached.* Check the network",
    ),
    "something else than Slack": (
        lambda at: at.sandbox.workspace.faults.add("*", "http_500", count=None),
        "fault Slack .* gave no answer that can be read",
    ),
    "missing scopes": (
        _lacks_scope("users:read.email", "im:write"),
        "fault scopes The bot token lacks im:write, users:read.email.* app.yaml",
    ),
    "no leave to look at channels": (
        _lacks_scope("channels:read"),
        "warn scopes The bot token lacks channels:read: the doctor cannot look",
    ),
    "clock ten minutes off": (
        lambda at: setattr(at.sandbox.workspace.faults, "date_skew", 600.0),
        "fault clock This machine's clock is 10 min behind Slack's.* NTP",
    ),
    "app token of nobody": (
        put(SLACK_APP_TOKEN="xapp-sandbox-another-not-a-real-token"),
        r"fault Socket Mode SLACK_APP_TOKEN: Slack does not know this token \(invalid_auth\)",
    ),
    "app token without connections:write": (
        lambda at: at.slack_says("apps.connections.open", "missing_scope"),
        "fault Socket Mode SLACK_APP_TOKEN lacks the scope connections:write",
    ),
    "somebody who is not in Slack": (
        lambda at: at.nobody(ANN),
        f"fault people {ANN} is not in Slack under this address .*users_not_found",
    ),
    "somebody deactivated": (_deactivated, f"fault people {ANN} is deactivated in Slack"),
    "messages tab off": (
        _messages_tab_off,
        f"fault people Baton cannot write to {ANN}: the app's Messages tab is off",
    ),
    "bot not in marketing's channel": (
        lambda at: at.channel_is("C0REVIEW", members=()),
        r"fault channels Baton is not in marketing's channel #lead-review \(C0REVIEW\).* /invite @Baton",
    ),
    "marketing's channel archived": (
        lambda at: at.channel_is("C0REVIEW", archived=True),
        r"fault channels Marketing's channel #lead-review \(C0REVIEW\) is archived",
    ),
    "no such channel": (
        lambda at: at.sandbox.workspace.channels.pop("C0REVIEW"),
        "fault channels Marketing's channel C0REVIEW does not exist, or is private",
    ),
    "bot not in a team's channel": (
        lambda at: at.channel_is("C0EMEA01", members=()),
        "warn channels Baton is not in the channel of emea",
    ),
    "nobody may send leads": (
        unset("BATON_INTAKE_SECRET"),
        "fault intake Nobody may send leads.* BATON_INTAKE_SECRET",
    ),
    "a secret out of the documentation": (
        put(BATON_INTAKE_SECRET="website:whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        "warn intake The secret of “website” .* can be guessed",
    ),
    "one secret for two": (
        put(BATON_INTAKE_SECRET=f"website:{GOOD_SECRET},fair:{GOOD_SECRET}"),
        "warn intake fair and website have one and the same secret",
    ),
    "no second way": (
        unset("BATON_SMTP_URL"),
        "warn second way While Slack is down nobody hears of a breach.* BATON_SMTP_URL",
    ),
    "webhook receiver gone": (
        _receiver_gone,
        r"fault webhook .*answered 410 \(gone\).* baton webhook test",
    ),
    "webhook receiver not there": (
        lambda at: at.tells("http://127.0.0.1:1/k3y"),
        "fault webhook http://127.0.0.1:1 refuses connections",
    ),
    "webhook receiver switched off": (
        _receiver_disabled,
        r"fault webhook Baton has stopped sending to .* \(http_410\).* baton webhook enable",
    ),
    "no Baton running": (
        lambda at: at.stopped(timedelta(hours=3)),
        "fault running No Baton is running: the last one ticked 3 h ago.* baton run",
    ),
    "Baton just stopped": (
        lambda at: at.stopped(timedelta(seconds=4)),
        "fault running No Baton is running: the last one ticked 4 s ago",
    ),
    "Baton hangs": (
        lambda at: at.ticked(timedelta(minutes=5)),
        "fault running A Baton holds the database but has not ticked for 5 min",
    ),
    "timers parked": (_parked, "fault timers 1 timer failed again and again.*wake"),
    "something in quarantine": (_quarantined, "warn quarantine 1 message lies .* quarantine list"),
    "Baton itself complains": (
        lambda at: at.health.update(status="failing", faults=["No tick has ended for 30 seconds."]),
        "fault listener Baton at .* says: No tick has ended",
    ),
    "another program on the port": (
        lambda at: at.health.pop("status"),
        "fault listener Another program listens at 127.0.0.1:",
    ),
}


@pytest.mark.parametrize("what", CASES)
def test_the_first_line_names_the_cause(sound: Installation, examined: Examine, what: str) -> None:
    break_it, pattern = CASES[what]
    break_it(sound)
    code, lines = examined(sound)
    level = pattern.partition(" ")[0]
    assert code == (1 if level == "fault" else 0), lines
    assert re.match(pattern, " ".join(lines[0].split())), lines
    assert " → " in lines[0], "what to do"


# --- what depends on a broken thing, and the test lead ----------------------------------------------------


def test_what_depends_on_a_broken_thing_is_skipped_not_reported(
    sound: Installation, examined: Examine
) -> None:
    sound.slack_says("*", "account_inactive")
    sound.env["DATABASE_URL"] = "sqlite:////no/such/folder/baton.db"
    sound.env["BATON_INTAKE_SECRET"] = ""
    code, lines = examined(sound, "--json")
    told = json.loads("\n".join(lines))
    found = [(f["level"], f["topic"]) for f in told["findings"]]
    assert code == 1
    assert found[:3] == [("fault", "database"), ("fault", "Slack"), ("fault", "intake")]
    assert told["faults"] == 3, "nothing that follows from them"
    for topic in ("playbook", "scopes", "people", "channels", "running"):
        assert ("skip", topic) in found


def test_looking_makes_no_database_file(sound: Installation, examined: Examine) -> None:
    sound.file.unlink()
    examined(sound)
    assert not sound.file.exists()


def test_of_several_faults_the_cause_comes_first(sound: Installation, examined: Examine) -> None:
    sound.stopped(timedelta(hours=3))
    sound.slack_says("*", "token_revoked")
    sound.env["BATON_INTAKE_SECRET"] = ""
    sound.playbook("to: owner}", "to: nobody}")
    _, lines = examined(sound)
    faults = [line.split()[1] for line in lines if line.startswith("fault")]
    assert faults == ["playbook", "Slack", "intake", "running"]
    assert "Begin with the first line" in lines[-1]


def test_a_test_lead_says_why_it_does_not_come(sound: Installation, examined: Examine) -> None:
    code, lines = examined(sound, "--test-lead", "nobody@acme.example")
    assert (code, "is not in the playbook" in lines[0]) == (1, True)

    sound.stopped(timedelta(hours=3))
    code, lines = examined(sound, "--test-lead", ANN)
    assert "No Baton is running" in lines[0], "the cause first"
    assert "The [TEST] card for Ann waits: no Baton is running" in lines[1]
    with sqlite3.connect(sound.file) as conn:
        rows = conn.execute("SELECT kind, status FROM leads").fetchall()
    conn.close()
    assert rows == [("test", "offered")]


def test_a_delivered_test_lead_is_told_with_its_seconds(
    sound: Installation, examined: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def baton_delivers(_: float) -> None:
        sound.sql("UPDATE outbox SET state = 'sent' WHERE template = 'lead_card'")

    monkeypatch.setattr("bot.commands.doctor.time.sleep", baton_delivers)
    code, lines = examined(sound, "--test-lead", ANN)
    assert code == 0
    assert re.search(r"test lead +\[TEST\] card delivered to Ann in \d+\.\d s", "\n".join(lines))

    def slack_refuses(_: float) -> None:
        sound.sql("UPDATE outbox SET state = 'dead', reason = 'channel_not_found'")

    monkeypatch.setattr("bot.commands.doctor.time.sleep", slack_refuses)
    code, lines = examined(sound, "--test-lead", ANN)
    assert code == 1
    assert "Slack did not take the [TEST] card for Ann: channel_not_found" in lines[0]
