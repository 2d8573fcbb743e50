"""The environment: defaults, faults in plain words, and secrets that never show."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from bot.settings import Settings, SettingsFault, load_settings, secret_bytes

KEY = b"k" * 32
SECRET = "whsec_" + base64.b64encode(KEY).decode()
OTHER = "whsec_" + base64.b64encode(b"o" * 24).decode()


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Settings.model_fields.values():
        if isinstance(field.validation_alias, str):
            monkeypatch.delenv(field.validation_alias, raising=False)
    for name in ("DATABASE_URL", "HOST", "PORT", "SLACK_API_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("BOT_TOKEN", "SIGNING_SECRET", "APP_TOKEN"):
        monkeypatch.delenv(f"SLACK_{name}", raising=False)


def settings(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Settings:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return load_settings()


def faults(monkeypatch: pytest.MonkeyPatch, **environment: str) -> list[str]:
    with pytest.raises(SettingsFault) as caught:
        settings(monkeypatch, **environment)
    return caught.value.sentences


def test_an_empty_environment_is_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    found = settings(monkeypatch, SLACK_BOT_TOKEN="", DATABASE_URL="")

    assert found.slack_mode == "sandbox"
    assert found.database_url.get_secret_value() == "sqlite:///baton.db"
    assert found.slack_api_url == "https://slack.com/api/"
    assert found.playbook == Path("playbook.yaml")
    assert (found.host, found.port) == ("127.0.0.1", 8080)
    assert found.intake_secrets == found.intake_tokens == ()


@pytest.mark.parametrize(
    ("environment", "mode"),
    [
        ({"SLACK_SIGNING_SECRET": "s"}, "http"),
        ({"SLACK_APP_TOKEN": "xapp-1"}, "socket"),
        ({"SLACK_APP_TOKEN": "xapp-1", "SLACK_SIGNING_SECRET": "s"}, "socket"),
    ],
)
def test_how_slack_is_reached(
    environment: dict[str, str], mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings(monkeypatch, SLACK_BOT_TOKEN="xoxb-1", **environment).slack_mode == mode


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"SLACK_BOT_TOKEN": "xoxb-1"}, "SLACK_BOT_TOKEN needs SLACK_APP_TOKEN (Socket Mode)"),
        ({"SLACK_APP_TOKEN": "xapp-1"}, "SLACK_BOT_TOKEN is missing"),
        ({"SLACK_BOT_TOKEN": "xoxp-1"}, "SLACK_BOT_TOKEN: must start with xoxb-"),
        ({"SLACK_APP_TOKEN": "xoxb-1"}, "SLACK_APP_TOKEN: must start with xapp-"),
        ({"DATABASE_URL": "mysql://x"}, "DATABASE_URL: must start with sqlite: or postgresql:"),
        ({"PORT": "http"}, "PORT: Input should be a valid integer"),
        ({"BATON_BASE_URL": "acme.example"}, "BATON_BASE_URL: must be a web address"),
    ],
)
def test_faults_name_the_variable(
    environment: dict[str, str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (fault,) = faults(monkeypatch, **environment)

    assert fault.startswith(sentence)


def test_senders_keys_several_with_one_name_while_rotating(monkeypatch: pytest.MonkeyPatch) -> None:
    found = settings(
        monkeypatch,
        BATON_INTAKE_SECRET=f"website:{SECRET}, website:{OTHER}",
        BATON_INTAKE_TOKEN="form:a-token-of-the-web-form",
    )

    assert [each.name for each in found.intake_secrets] == ["website", "website"]
    assert secret_bytes(found.intake_secrets[0].secret.get_secret_value()) == KEY
    ((name, token),) = found.intake_tokens
    assert (name, token.get_secret_value()) == ("form", "a-token-of-the-web-form")


CANARY = "canary-canary"


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("BATON_INTAKE_SECRET", CANARY, "entry 1 is not name:whsec_…"),
        ("BATON_INTAKE_SECRET", f"{SECRET}", "entry 1 is not name:whsec_…"),
        (
            "BATON_INTAKE_SECRET",
            f"a:{SECRET},b:{CANARY}",
            "entry 2 (b): the secret must start with",
        ),
        ("BATON_INTAKE_SECRET", f"a:whsec_{CANARY}!", "entry 1 (a): the secret is not base64"),
        ("BATON_INTAKE_SECRET", "a:whsec_Y2FuYXJ5", "entry 1 (a): the secret has 6 bytes"),
        ("BATON_INTAKE_SECRET", f"a:{SECRET},", "entry 2 is not name:whsec_…"),
        ("BATON_INTAKE_TOKEN", f"a:{CANARY}", "entry 1 (a): the token must be 16 to 200"),
        ("BATON_INTAKE_TOKEN", f"{CANARY}{CANARY}", "entry 1 is not name:token"),
        ("BATON_INTAKE_TOKEN", f"{CANARY}{CANARY}:site", "entry 1: the token must be 16 to 200"),
        ("BATON_INTAKE_SECRET", f"whsec_{CANARY}:site", "entry 1: the secret must start with"),
    ],
)
def test_a_bad_secret_is_named_by_position_and_never_shown(
    variable: str, value: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (fault,) = faults(monkeypatch, **{variable: value})

    assert fault.startswith(f"{variable}: {sentence}")
    assert CANARY not in fault
    assert SECRET not in fault


def test_all_faults_come_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(faults(monkeypatch, PORT="x", BATON_INTAKE_TOKEN="y", SLACK_BOT_TOKEN="z")) == 3


def test_settings_can_be_printed_without_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    found = settings(
        monkeypatch,
        DATABASE_URL=f"postgresql://baton:{CANARY}@db/baton",
        SLACK_BOT_TOKEN=f"xoxb-{CANARY}",
        SLACK_SIGNING_SECRET=CANARY,
        BATON_INTAKE_TOKEN=f"form:{CANARY}{CANARY}",
        BATON_WEBHOOK_URL=f"https://crm.example/{CANARY}",
        BATON_WEBHOOK_SECRET=OTHER,
    )
    shown = f"{found!r} {found}"

    assert CANARY not in shown
    assert OTHER not in f"{shown} {found.model_dump_json()}"


def test_addresses_end_as_they_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    found = settings(
        monkeypatch, SLACK_API_URL="http://127.0.0.1:9/api", BATON_BASE_URL="https://b.example/"
    )

    assert found.slack_api_url == "http://127.0.0.1:9/api/"
    assert found.base_url == "https://b.example"
