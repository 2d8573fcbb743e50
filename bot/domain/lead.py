"""A lead as the rules see it: facts, score, and how two pieces of news about a person are told apart.

What is not here: the row (`storage.leads`), the wire format (`handlers`), the status table (`funnel`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

#: Mailboxes that stand for a desk and not for a person: they never join two leads into one.
ROLE_MAILBOXES: frozenset[str] = frozenset(
    {
        "info", "sales", "contact", "office", "admin", "hello", "mail", "support", "service", "team",
        "marketing", "billing", "accounts", "jobs", "hr", "press", "enquiries", "inquiries", "kontakt",
        "post", "noreply", "no-reply", "webmaster", "postmaster", "help", "reception", "buero", "vertrieb",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class LeadFacts:
    """What is known about a lead: the names playbook conditions can use, each with a typed default.

    Text is stripped, without control characters, capped by intake; absent text is "", absent numbers 0.
    """

    source: str
    external_id: str
    email: str = ""
    first_name: str = ""
    last_name: str = ""
    title: str = ""
    company: str = ""
    phone: str = ""
    country: str = ""  # ISO 3166-1 alpha-2, upper case, when it looks like one
    language: str = ""  # ISO 639-1, lower case
    employees: int = 0
    industry: str = ""
    message: str = ""
    source_score: int = 0
    score_reasons: tuple[str, ...] = ()
    campaign: str = ""
    visits: int = 0
    account_owner: str = ""  # e-mail of the rep who owns the account
    url: str = ""
    occurred_at: datetime | None = None  # aware UTC; when it happened at the sender
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """First and last name, or "" when neither is known."""
        return f"{self.first_name} {self.last_name}".strip()

    @property
    def email_domain(self) -> str:
        """The part after the @ in lower case, or ""."""
        return self.email.rpartition("@")[2].lower() if "@" in self.email else ""


@dataclass(frozen=True, slots=True)
class Score:
    """Points and the reasons shown on the card, best first."""

    points: int
    reasons: tuple[str, ...] = ()


def is_personal_mailbox(email: str) -> bool:
    """Whether `email` names one person: only then does it join two keys into one lead."""
    local, at, domain = email.strip().lower().partition("@")
    return bool(at and local and "." in domain) and local.split("+")[0] not in ROLE_MAILBOXES


def display_name(facts: LeadFacts) -> str:
    """The best short name of a lead: person, else the e-mail's local part, else the key."""
    if facts.name:
        return facts.name
    if facts.email:
        return facts.email.partition("@")[0]
    return f"{facts.source} {facts.external_id}"


def initials(facts: LeadFacts) -> str:
    """ "J. N." for channels, where personal data must not stand; "Lead" when no name is known."""
    letters = [part[0].upper() for part in (facts.first_name, facts.last_name) if part]
    return " ".join(f"{letter}." for letter in letters) or "Lead"
