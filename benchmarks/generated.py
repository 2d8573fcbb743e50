"""Leads that look like a company's, the same ones for the same seed: names, companies, addresses, numbers.

What is not here: what is measured on them (`search`).
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from bot.domain.lead import LeadFacts

_FIRST = (
    "Anna Jana Petra Eva Maria Julia Laura Sarah Lena Katrin Sofia Elena Chloé Zoë Agnès Inés Lucía Martina "
    "Giulia Francesca Ingrid Astrid Søren Bjørn Jürgen Jörg Günther Hans Peter Thomas Michael Stefan Andreas "
    "Christian Markus Daniel Tobias Lukas Jan Pavel Petr Tomáš Jiří Łukasz Paweł Piotr Marek José Luis Carlos "
    "Miguel Juan François René Pierre Jean Luc Marco Luca Giovanni John James Robert William David Richard Emma "
    "Olivia Amelia Priya Rahul Ananya Wei Li Yuki Hiroshi Omar Fatima Ahmed Leila"
).split()
_LAST = (
    "Müller Schmidt Schneider Fischer Weber Meyer Wagner Becker Schulz Hoffmann Schäfer Koch Bauer Richter Klein "
    "Wolf Schröder Neumann Schwarz Zimmermann Braun Krüger Hofmann Hartmann Lange Schmitt Werner Krause Weiß Groß "
    "Novák Svoboda Dvořák Černý Procházka Kučera Horák Kowalski Nowak Wiśniewski Wójcik Kamiński García Martínez "
    "López Sánchez Pérez Gómez Fernández Rossi Russo Ferrari Esposito Bianchi Martin Bernard Dubois Thomas Robert "
    "Petit Durand Leroy Smith Jones Taylor Brown Williams Wilson Johnson Davies Patel Singh Kumar Chen Wang Zhang "
    "Tanaka Suzuki Haddad Rahman Hansen Olsen Andersen Lindqvist Johansson"
).split()
_HEADS = (
    "Globex Initech Umbra Vandelay Hooli Pied Stark Wayne Acme Soylent Cyber Nord Süd West Ost Alpen Rhein Donau "
    "Baltic Iber Gallia Nova Terra Aqua Ferro Electro Medi Bio Geo Opti Logi Agri Auto Aero Solar Hydro Micro Macro "
    "Inter Trans Euro Omni Poly Meta Quant Vector Delta Sigma Orion Vega Atlas Titan"
).split()
_TAILS = "tech data soft werk bau med lab net sys com line port gen plan form trade food care link hub".split()
_KINDS = "GmbH GmbH GmbH AG Ltd Inc SARL S.r.l. s.r.o. Group Solutions Systems Consulting".split()
_CODES = ("43", "49", "41", "420", "48", "44", "33", "39", "34", "1")


def make_leads(count: int, seed: int = 7) -> Iterator[LeadFacts]:
    """`count` leads: about one company to three of them; common names are common."""
    dice = random.Random(seed)
    companies = [_company(dice) for _ in range(max(1, count // 3))]
    for n in range(count):
        first, last = dice.choice(_FIRST), _skewed(dice, _LAST)
        if dice.random() < 0.25:
            last = f"{last}-{dice.choice(_LAST)}"
        company = dice.choice(companies)
        domain = "".join(c for c in company.lower().split()[0] if c.isascii() and c.isalnum())
        name = "".join(c for c in f"{first}.{last}".lower() if c.isascii())
        yield LeadFacts(
            source=dice.choice(("web", "webinar", "fair")),
            external_id=f"{dice.choice('KLM')}{n:06d}-{dice.randrange(16**4):04x}",
            email=f"{name}{n}@{domain}.example",
            first_name=first,
            last_name=last,
            company=company,
            phone=_phone(dice),
        )


def _company(dice: random.Random) -> str:
    middle = dice.choice(_TAILS)
    number = f" {dice.randrange(10, 99)}" if dice.random() < 0.3 else ""
    return f"{dice.choice(_HEADS)}{middle}{dice.choice(_TAILS)}{number} {dice.choice(_KINDS)}"


def _skewed(dice: random.Random, words: list[str]) -> str:
    """The first ones far more often, as with real names."""
    return words[min(int(dice.expovariate(1 / 18)), len(words) - 1)]


def _phone(dice: random.Random) -> str:
    code, area, number = (
        dice.choice(_CODES),
        str(dice.randrange(10, 999)),
        f"{dice.randrange(10**6, 10**8)}",
    )
    return dice.choice(
        (
            f"+{code} {area} {number}",
            f"00{code}{area}{number}",
            f"+{code} ({area}) {number[:3]}-{number[3:]}",
            f"+{code} (0){area}/{number}",
        )
    )
