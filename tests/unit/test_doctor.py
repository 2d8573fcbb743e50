"""How the doctor speaks, and what it makes of a Slack that is slow, busy, or full of surprises."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest

from bot.commands import doctor
from bot.demo_home import demo_home
from bot.domain.agreement import Agreement, ReportTimes
from bot.domain.challenge import Rule, Terms
from bot.gateways.slack import SlackBusy, SlackInDoubt
from bot.gateways.slack_look import Room, SlackLook, Somebody
from bot.playbook.loading import load_playbook
from bot.services import examine_members
from bot.services.examine_doors import examine_intake
from bot.services.examine_findings import Finding, Level, fault, ok, told, warn
from bot.services.examine_members import examine_channels, examine_people
from bot.settings import load_settings
from tests.unit.playbook_kit import SMALL, TODAY

SCOPES = frozenset({"users:read", "users:read.email", "im:write", "channels:read"})


@pytest.fixture(scope="module")
def agreement() -> Agreement:
    found = load_playbook(SMALL, today=TODAY).agreement
    assert found is not None
    return found


class Slack(SlackLook):
    """Answers by address and by channel; whatever else is a member in good standing."""

    def __init__(self, strange: Mapping[str, Somebody | Room | Exception] | None = None) -> None:
        self.strange = dict(strange or {})
        self.asked = 0

    async def find_somebody(self, email: str) -> Somebody:
        self.asked += 1
        found = self.strange.get(email, Somebody(f"U{email}", False, False, False))
        if isinstance(found, Exception):
            raise found
        assert isinstance(found, Somebody)
        return found

    async def look_at_channel(self, channel: str) -> Room:
        found = self.strange.get(channel, Room(channel, "room", archived=False, member=True))
        if isinstance(found, Exception):
            raise found
        assert isinstance(found, Room)
        return found

    async def open_dm(self, user: str) -> str:
        return f"D{user}"


async def people(slack: Slack, agreement: Agreement) -> list[Finding]:
    return await examine_people(slack, agreement, {}, SCOPES)


async def test_one_person_under_two_addresses_a_bot_and_a_guest(agreement: Agreement) -> None:
    same = Somebody("U1", deleted=False, is_bot=False, guest=False)
    slack = Slack(
        {
            "ann@acme.example": same,
            "ben@acme.example": same,
            "eve@acme.example": Somebody("U2", deleted=False, is_bot=True, guest=False),
            "carl@acme.example": Somebody("U3", deleted=False, is_bot=False, guest=True),
        }
    )
    lines = [f.line for f in await people(slack, agreement)]
    assert len(lines) == 3
    assert "carl@acme.example is a guest" in lines[0]
    assert "eve@acme.example is a bot" in lines[1]
    assert "ann@acme.example and ben@acme.example are one and the same person" in lines[2]


async def test_a_busy_or_silent_slack_is_told_not_blamed_on_people(
    agreement: Agreement, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = await people(Slack({"ann@acme.example": SlackInDoubt("no answer")}), agreement)
    assert [f.level for f in found] == [Level.NOTE]
    assert "too busy to be asked about ann@acme.example" in found[0].line

    monkeypatch.setattr(examine_members, "SECONDS", 0.05)
    everybody = {email: SlackBusy(30) for email in agreement.people}
    async with asyncio.timeout(5):
        found = await people(Slack(everybody), agreement)
    assert "ann@acme.example, ben@acme.example, carl@acme.example and 4 more" in found[0].line


async def test_without_the_scope_nobody_is_asked(agreement: Agreement) -> None:
    slack = Slack()
    found = await examine_people(slack, agreement, {}, SCOPES - {"users:read.email"})
    rooms = await examine_channels(slack, agreement, SCOPES - {"channels:read"})
    assert [f.level for f in (*found, *rooms)] == [Level.SKIP, Level.SKIP]
    assert slack.asked == 0


async def test_the_channels_of_reports_and_challenges_are_looked_at(agreement: Agreement) -> None:
    spring = Terms("Spring", TODAY, TODAY, "UTC", ("emea",), {Rule.ACCEPT: 1}, channel="C0BOARD1")
    posting = replace(
        agreement, reports=ReportTimes(channel="C0BOTH001"), challenges=(spring, spring)
    )
    away = {c: Room(c, "room", archived=False, member=False) for c in ("C0BOTH001", "C0BOARD1")}
    found = await examine_channels(Slack(away), posting, SCOPES)
    assert [(f.level, f.what) for f in found] == [
        (Level.WARN, "Baton is not in the reports' channel #room (C0BOTH001)."),
        (Level.WARN, "Baton is not in the channel of the challenge Spring #room (C0BOARD1)."),
    ]


def test_in_a_terminal_it_fits_80_columns_and_only_there_it_has_colours(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    findings = [
        ok("database", "fine"),
        warn("intake", "The secret can be guessed. " * 5, "Make one."),
        fault("people", "\x1b[31mred\x07 " + "word " * 40, "Do something about it."),
    ]
    assert doctor._tell(findings, as_json=False) == 1
    piped = capsys.readouterr().out
    assert "\x1b" not in piped
    assert [line.split()[0] for line in piped.splitlines()[:3]] == ["fault", "warn", "ok"]

    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    doctor._tell(findings, as_json=False)
    shown = capsys.readouterr().out
    for code in doctor._COLOURS.values():
        shown = shown.replace(f"\x1b[{code}m", "")
    shown = shown.replace("\x1b[0m", "")
    assert "\x1b" not in shown, "what others wrote does not steer the terminal"
    assert max(len(line) for line in shown.splitlines()) <= 80
    assert doctor._tell(findings[:2], as_json=True) == 0


def test_no_secret_of_another_program_gets_through() -> None:
    said = told("FATAL: postgresql://baton:hunter2@db xoxb-1-abc \x1b[2J whsec_abc" + "x" * 300)
    assert not {"hunter2", "xoxb", "\x1b"} & set(said.split())
    assert "hunter2" not in said
    assert "abc" not in said
    assert len(said) <= 160


@pytest.mark.parametrize(
    ("token", "weak"),
    [
        ("changeme-changeme-changeme", True),
        ("aaaaaaaaaaaaaaaaaaaaaaaa", True),
        ("9f86d081884c7d659a2feaa0c55ad015", False),
    ],
)
def test_a_token_that_can_be_guessed(
    monkeypatch: pytest.MonkeyPatch, token: str, weak: bool
) -> None:
    monkeypatch.setenv("BATON_INTAKE_TOKEN", f"website:{token}")
    levels = [f.level for f in examine_intake(load_settings())]
    assert levels == ([Level.WARN] if weak else [Level.OK])


def test_the_demo_is_looked_for_where_it_was_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATON_DEMO_HOME", "/somewhere/else")
    assert str(demo_home()) == "/somewhere/else"
    monkeypatch.setenv("BATON_DEMO_HOME", "")
    assert str(demo_home()) == "var/demo"
