"""What the environment says of the ways beside Slack: alerts, the heartbeat, metrics, erasing and backups.

What is not here: Slack, the database, who sends leads (`settings`, which these belong to).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode

_ADDRESS = re.compile(r"[^@\s,<>]+@[^@\s,<>]+")
_SHORTEST_KEY = 32
_SHORTEST_TOKEN = 16


class WaySettings(BaseSettings):
    """Fields of `Settings`. All may be unset: Baton works without, and says what then is missing."""

    #: `smtp://user:password@host:587` (STARTTLS) or `smtps://…:465`.
    smtp_url: SecretStr | None = Field(default=None, validation_alias="BATON_SMTP_URL")
    alert_from: str = Field(default="", validation_alias="BATON_ALERT_FROM")
    #: Who hears of trouble when Slack cannot tell it; empty: the playbook's admins.
    alert_to: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), validation_alias="BATON_ALERT_TO"
    )
    #: May hold a key in its path or query: never shown whole.
    alert_url: str = Field(default="", validation_alias="BATON_ALERT_URL", repr=False)
    alert_secret: SecretStr | None = Field(default=None, validation_alias="BATON_ALERT_SECRET")
    #: Asked for after each audit that found all well; whoever listens there misses it when Baton hangs.
    heartbeat_url: str = Field(default="", validation_alias="BATON_HEARTBEAT_URL", repr=False)
    #: Without it `/metrics` answers on loopback only.
    metrics_token: SecretStr | None = Field(default=None, validation_alias="BATON_METRICS_TOKEN")
    #: Makes the hashes by which an erased person is known again. Keep it as long as the backups.
    erasure_key: SecretStr | None = Field(default=None, validation_alias="BATON_ERASURE_KEY")
    #: How many days what is kept: see docs/privacy.md.
    keep_leads: int = Field(default=180, ge=1, validation_alias="BATON_KEEP_LEADS_DAYS")
    keep_bodies: int = Field(default=30, ge=3, validation_alias="BATON_KEEP_BODIES_DAYS")
    keep_sent: int = Field(default=90, ge=7, validation_alias="BATON_KEEP_SENT_DAYS")
    keep_journal: int = Field(default=730, ge=30, validation_alias="BATON_KEEP_JOURNAL_DAYS")
    keep_figures: int = Field(default=365, ge=30, validation_alias="BATON_KEEP_FIGURES_DAYS")
    #: A folder: where the nightly backup goes, when it is set.
    backups: Path | None = Field(default=None, validation_alias="BATON_BACKUPS")

    @property
    def keep_days(self) -> tuple[int, int, int, int, int]:
        """Of leads, bodies, messages sent, journals, figures: as `Retention.of_days` takes them."""
        return (
            self.keep_leads,
            self.keep_bodies,
            self.keep_sent,
            self.keep_journal,
            self.keep_figures,
        )

    @field_validator("smtp_url")
    @classmethod
    def _mail_server(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            try:
                parts = urlsplit(url.get_secret_value())
                usable = parts.scheme in {"smtp", "smtps"} and bool(parts.hostname)
                _ = parts.port
            except ValueError:
                usable = False
            if not usable:
                raise ValueError("must be smtp://user:password@host:port, or smtps://")
        return url

    @field_validator("alert_from")
    @classmethod
    def _one_address(cls, address: str) -> str:
        if address and not _ADDRESS.fullmatch(address):
            raise ValueError("must be one e-mail address")
        return address

    @field_validator("alert_to", mode="before")
    @classmethod
    def _addresses(cls, text: object) -> object:
        if not isinstance(text, str):
            return text
        found = tuple(part.strip() for part in text.split(",") if part.strip())
        if not all(_ADDRESS.fullmatch(each) for each in found):
            raise ValueError("must be e-mail addresses with commas between them")
        return found

    @field_validator("heartbeat_url", "alert_url")
    @classmethod
    def _reachable(cls, url: str) -> str:
        if url and not re.fullmatch(r"https?://[^/\s@]+(/\S*)?", url):
            raise ValueError("must be a web address that starts with https:// or http://")
        return url

    @field_validator("erasure_key")
    @classmethod
    def _long_enough(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and len(key.get_secret_value()) < _SHORTEST_KEY:
            raise ValueError(
                f"must have at least {_SHORTEST_KEY} characters; make one: openssl rand -hex 32"
            )
        return key

    @field_validator("metrics_token")
    @classmethod
    def _not_guessable(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and len(token.get_secret_value()) < _SHORTEST_TOKEN:
            raise ValueError(f"must have at least {_SHORTEST_TOKEN} characters")
        return token

    @model_validator(mode="after")
    def _alerts_are_whole(self) -> Self:
        if self.smtp_url is not None and not self.alert_from:
            raise ValueError("BATON_SMTP_URL needs BATON_ALERT_FROM beside it")
        if bool(self.alert_url) != (self.alert_secret is not None):
            raise ValueError("BATON_ALERT_URL and BATON_ALERT_SECRET (whsec_…) belong together")
        return self
