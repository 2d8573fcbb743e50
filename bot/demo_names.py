"""People and companies who do not exist, for a month of made-up history. What is not here: what they do."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

#: In whatever script somebody writes their name; one of them tries to ring everybody.
_NAMES: Final = (
    ("Jana", "Novak"), ("Luc", "Perrin"), ("Aiko", "Tanaka"), ("Marta", "Ruiz"), ("Oliver", "Kent"),
    ("Mei", "Lin"), ("Nora", "Ek"), ("Raj", "Mehta"), ("Elsa", "Brandt"), ("Pablo", "Diez"),
    ("Grace", "Kim"), ("Hugo", "Blanc"), ("Omar", "Haddad"), ("Susan", "Field"), ("Ines", "Roux"),
    ("Kenji", "Mori"), ("Clara", "Weiss"), ("Diego", "Vega"), ("Ruth", "Adler"), ("Emma", "Wood"),
    ("فاطمة", "الزهراء"), ("محمد", "العلي"), ("花子", "佐藤"), ("健", "山田"), ("Søren", "Ågård"),
    ("Łucja", "Żak"), ("Robert <!channel>", "Tables"), ("Anna-Lena", "van der Meer"), ("Đức", "Trần"),
    ("Siobhán", "O'Neill"),
)  # fmt: skip
_COMPANIES: Final = (
    "Globex", "Initech", "Umbrella", "Stark", "Hooli", "Wonka", "Vandelay", "Cyberdyne", "Gringotts",
    "Aperture", "Oscorp", "Dunder", "Nakatomi", "Weyland", "Virtucon", "Zorg", "Monarch", "Bluth",
    "Octan", "Rekall", "Tyrell", "Soylent", "Massive Dynamic", "Pied Piper", "Lumon", "Kaito",
)  # fmt: skip
_TRADES: Final = (
    "Logistics", "Foods", "Robotics", "Energy", "Textiles", "Media", "Clinics", "Tools", "Travel",
    "Glass",
)  # fmt: skip
_WISHES: Final = (
    "Please call me before noon, we decide this week.",
    "We need to replace our dialler before the summer.",
    "Which plan covers 40 people?",
    "How do you count business hours?",
    "Can somebody show it to my team?",
    "Our contract ends in June, what would it cost?",
)


@dataclass(frozen=True, slots=True)
class MadeUp:
    """A person at a company. `email`: theirs alone."""

    first_name: str
    last_name: str
    company: str
    email: str
    phone: str


def person_of(number: int, dice: random.Random) -> MadeUp:
    """Lead `number` of the month as a person."""
    first, last = dice.choice(_NAMES)
    company = f"{dice.choice(_COMPANIES)} {dice.choice(_TRADES)}"
    domain = "".join(c for c in company.lower() if c.isalpha())
    letters = "".join(
        c for c in f"{first}.{last}".lower() if c.isascii() and (c.isalpha() or c == ".")
    )
    email = f"{letters.strip('.') or 'mail'}.{number}@{domain}.example"
    return MadeUp(first, last, company, email, f"+49 30 5550 {number:04}")


def wish_of(dice: random.Random) -> str:
    """What somebody says who asks to be called."""
    return dice.choice(_WISHES)
