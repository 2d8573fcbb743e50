"""What the environment says, checked at start: addresses, secrets, where Slack is reached.

Secrets are `SecretStr` and never appear in a fault: a bad one is named by its position. What is not
here: the playbook, anything that changes while Baton runs, the ways beside Slack (`settings_ways`).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Self
from urllib.parse import urlsplit

from pydantic import (
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import NoDecode, SettingsConfigDict

from bot.settings_ways import WaySettings

SlackMode = Literal["sandbox", "http", "socket"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_SHORTEST_TOKEN = 16
_TOKEN = re.compile(r"[\x21-\x2b\x2d-\x7e]{16,200}")  # visible ASCII without the comma
_SECRET_PREFIX = "whsec_"  # noqa: S105  # the format's prefix, no secret


class SettingsFault(Exception):
    """The environment cannot be used.

    `sentences` has one line for each fault, without any secret.
    """

    def __init__(self, sentences: list[str]) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = sentences


class Credential(NamedTuple):
    """A sender of leads:

    `name` becomes the inbox's `source`. Several with one name: a rotation under way.
    """

    name: str
    secret: SecretStr


class Settings(WaySettings):
    """The environment. Empty variables count as unset. Make one with `load_settings()`."""

    model_config = SettingsConfigDict(
        case_sensitive=False,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,  # the input may be a secret
        populate_by_name=True,
    )

    database_url: SecretStr = SecretStr("sqlite:///baton.db")  # may hold a password
    slack_bot_token: SecretStr | None = None
    slack_signing_secret: SecretStr | None = None
    slack_app_token: SecretStr | None = None
    slack_api_url: str = "https://slack.com/api/"
    playbook: Path = Field(default=Path("playbook.yaml"), validation_alias="BATON_PLAYBOOK")
    intake_secrets: Annotated[tuple[Credential, ...], NoDecode] = Field(
        default=(), validation_alias="BATON_INTAKE_SECRET"
    )
    intake_tokens: Annotated[tuple[Credential, ...], NoDecode] = Field(
        default=(), validation_alias="BATON_INTAKE_TOKEN"
    )
    #: May hold a key in its path or query: never shown whole.
    webhook_url: str = Field(default="", validation_alias="BATON_WEBHOOK_URL", repr=False)
    webhook_secret: SecretStr | None = Field(default=None, validation_alias="BATON_WEBHOOK_SECRET")
    base_url: str = Field(default="", validation_alias="BATON_BASE_URL")
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)  # 0: the system chooses

    @property
    def slack_mode(self) -> SlackMode:
        """Without a bot token the sandbox; with an app token Socket Mode; else HTTP."""
        if self.slack_bot_token is None:
            return "sandbox"
        return "socket" if self.slack_app_token is not None else "http"

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, url: SecretStr) -> SecretStr:
        scheme = url.get_secret_value().partition(":")[0].partition("+")[0]
        if scheme not in {"sqlite", "postgresql", "postgres"}:
            raise ValueError("must start with sqlite: or postgresql:")
        return url

    @field_validator("slack_bot_token", "slack_app_token")
    @classmethod
    def _slack_token(cls, token: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        prefix = "xapp-" if info.field_name == "slack_app_token" else "xoxb-"
        if token is not None and not token.get_secret_value().startswith(prefix):
            raise ValueError(f"must start with {prefix}")
        return token

    @field_validator("slack_api_url", "base_url")
    @classmethod
    def _web_address(cls, url: str, info: ValidationInfo) -> str:
        if url and not re.match(r"https?://[^/\s]+", url):
            raise ValueError("must be a web address that starts with https:// or http://")
        # The Slack client appends method names to its address; we append paths to ours.
        if info.field_name == "slack_api_url":
            return url.rstrip("/") + "/"
        return url.rstrip("/")

    @field_validator("webhook_url")
    @classmethod
    def _receiver_address(cls, url: str) -> str:
        # Kept as it is: a slash at its end means something to some receivers.
        if url and (fault := _receiver_fault(url)):
            raise ValueError(fault)
        return url

    @field_validator("webhook_secret", "alert_secret")
    @classmethod
    def _receiver_secret(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and (fault := _secret_fault(secret.get_secret_value())):
            raise ValueError(fault)
        return secret

    @field_validator("intake_secrets", mode="before")
    @classmethod
    def _secrets(cls, text: object) -> object:
        return _credentials(text, "name:whsec_…", _secret_fault)

    @field_validator("intake_tokens", mode="before")
    @classmethod
    def _tokens(cls, text: object) -> object:
        return _credentials(text, "name:token", _token_fault)

    @model_validator(mode="after")
    def _slack_is_whole(self) -> Self:
        if self.slack_bot_token is None:
            if self.slack_app_token is not None or self.slack_signing_secret is not None:
                raise ValueError("SLACK_BOT_TOKEN is missing beside the other Slack settings")
        elif self.slack_app_token is None and self.slack_signing_secret is None:
            raise ValueError(
                "SLACK_BOT_TOKEN needs SLACK_APP_TOKEN (Socket Mode) or SLACK_SIGNING_SECRET (HTTP)"
            )
        return self

    @model_validator(mode="after")
    def _receiver_is_whole(self) -> Self:
        if bool(self.webhook_url) != (self.webhook_secret is not None):
            given, missing = "BATON_WEBHOOK_URL", "BATON_WEBHOOK_SECRET"
            if self.webhook_secret is not None:
                given, missing = missing, given
            raise ValueError(f"{given} needs {missing} beside it")
        return self


def load_settings() -> Settings:
    """Read the environment. Raises `SettingsFault` with all faults at once."""
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsFault(
            [_sentence(each["loc"], each["msg"]) for each in error.errors()]
        ) from None


def secret_bytes(secret: str) -> bytes:
    """The key of a Standard Webhooks secret `whsec_<base64>`.

    ValueError when it is none of 24 to 64 bytes.
    """
    fault = _secret_fault(secret)
    if fault:
        raise ValueError(fault)
    return _decode(secret)


def _decode(secret: str) -> bytes:
    text = secret.removeprefix(_SECRET_PREFIX)
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def _secret_fault(secret: str) -> str:
    if not secret.startswith(_SECRET_PREFIX):
        return "the secret must start with whsec_"
    try:
        length = len(_decode(secret))
    except (binascii.Error, ValueError):
        return "the secret is not base64"
    return "" if 24 <= length <= 64 else f"the secret has {length} bytes, it must have 24 to 64"


def _receiver_fault(url: str) -> str:
    """What is wrong with the address of the webhook receiver, without quoting it; "" when nothing is.

    That a *name* over plain http leads into our own network can only be seen when it is looked up: at every call.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "is no web address"
    if parts.scheme not in {"https", "http"} or not host or re.search(r"[\s\x00-\x1f]", url):
        return "must be a web address that starts with https:// or http://"
    if parts.username is not None or parts.password is not None:
        return "must not hold a user name or password: the receiver knows Baton by the signature"
    if parts.fragment:
        return "must not have a part after #"
    if parts.scheme == "http" and _is_public(host):
        return "http:// is for your own network only: use https://"
    return ""


def _is_public(host: str) -> bool:
    try:
        return ip_address(host).is_global
    except ValueError:
        return False


def _token_fault(token: str) -> str:
    return "" if _TOKEN.fullmatch(token) else "the token must be 16 to 200 visible ASCII characters"


def _credentials(text: object, shape: str, fault_of: Callable[[str], str]) -> object:
    """`name:secret,name2:secret2` as credentials; values that are no text (from tests, wiring)
    stay as they are."""
    if not isinstance(text, str):
        return text
    found: list[Credential] = []
    faults: list[str] = []
    for position, entry in enumerate(text.split(","), start=1):
        name, colon, secret = entry.strip().partition(":")
        if not colon or not _NAME.fullmatch(name):
            faults.append(f"entry {position} is not {shape}")
        elif fault := fault_of(secret):
            faults.append(f"entry {position}{_named(name)}: {fault}")
        else:
            found.append(Credential(name, SecretStr(secret)))
    if faults:
        raise ValueError("; ".join(faults))
    return tuple(found)


def _named(name: str) -> str:
    """The name beside its position, unless it may be the secret: the two are easily swapped."""
    secret = len(name) >= _SHORTEST_TOKEN or name.startswith((_SECRET_PREFIX, "xox", "xapp"))
    return "" if secret else f" ({name})"


def _sentence(location: tuple[int | str, ...], message: str) -> str:
    message = message.removeprefix("Value error, ")
    return f"{str(location[0]).upper()}: {message}" if location else message
