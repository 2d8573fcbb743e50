"""Public holidays by region, frozen to plain dates.

Dates are taken once, when a playbook is loaded: the library's objects change while they are read and are not
safe in threads, and an upgrade of it must not move what was decided before.
What is not here: half days (they are `closures` in the playbook), company holidays (closures too).
"""

from __future__ import annotations

from datetime import date

import holidays

from bot.playbook.faults import did_you_mean

#: From the year before today's to three after it: clocks that run now, and wake dates ahead.
YEARS_BACK, YEARS_AHEAD = 1, 3


class UnknownRegion(Exception):
    """A region that has no holidays here; the text says which are known."""


def holiday_dates(region: str, today: date) -> frozenset[date]:
    """The holidays of `region` (`DE`, `DE-BY`, `US-CA`) in the years around `today`. Raises UnknownRegion."""
    country, _, subdivision = region.strip().upper().partition("-")
    countries = holidays.list_supported_countries(include_aliases=False)
    if country not in countries:
        raise UnknownRegion(
            f"`{country or region}` is not a country code that has holidays"
            f"{did_you_mean(country, countries)}; write for example `DE`, `DE-BY` or `US-CA`"
        )
    known = countries[country]
    if subdivision and subdivision not in known:
        parts = ", ".join(known[:20]) or "none"
        raise UnknownRegion(f"`{country}` has no part `{subdivision}`; its parts are {parts}")
    years = range(today.year - YEARS_BACK, today.year + YEARS_AHEAD + 1)
    return frozenset(holidays.country_holidays(country, subdiv=subdivision or None, years=years))
