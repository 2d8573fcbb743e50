"""The figures of `baton audit`, counted again by hand: plain Python over the export, nothing of Baton in it.

Each export has a reader here that says what its map says, written anew. Run for the real export:
`python tests/audit_by_hand.py education leads_education.csv`.
"""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple


class Told(NamedTuple):
    """What one row says of its lead's past."""

    key: str
    team: str
    where_from: str
    touches: int
    self_reported: int
    routed: int
    rejected: bool


Counts = dict[str, Counter[str]]


def count(leads: Iterator[Told]) -> Counts:
    """By cut ("all", "team x", "source y"): how many leads, and of them each figure. A key counts once."""
    counts: Counts = {}
    seen = set()
    for lead in leads:
        if lead.key in seen:
            continue
        seen.add(lead.key)
        untouched = lead.touches == 0 and lead.self_reported == 0
        figures = ["leads"]
        if untouched:
            figures.append("never_touched")
        if lead.self_reported > 0 and lead.touches == 0:
            figures.append("self_reported")
        if lead.rejected and untouched:
            figures.append("rejected")
        if lead.routed > 1:
            figures.append("rerouted")
        for cut in ("all", f"team {lead.team or 'no team'}", f"source {lead.where_from}"):
            counts.setdefault(cut, Counter()).update(figures)
    return counts


def old_crm(path: Path) -> Iterator[Told]:
    """samples/leads.csv."""
    teams = {"ann": "emea", "ben": "emea", "cleo": "emea", "dana": "emea",
             "evan": "americas", "fay": "americas", "hana": "apac", "ivy": "apac"}  # fmt: skip
    with path.open(encoding="utf-8-sig", newline="") as handle:
        header, *rows = csv.reader(handle, delimiter=";")
    for cells in rows:
        row = dict(zip(header, cells, strict=False))
        if len(cells) != len(header) or not (row["Contact ID"] or row["E-mail"]):
            continue  # cannot be used
        calls = int(row["Calls logged"] or 0)
        campaign = "webinar" if row["Campaign"].startswith("Webinar") else row["Campaign"]
        yield Told(
            key=row["Contact ID"] or row["E-mail"].lower(),
            team=teams.get(row["Owner"].split(".")[0], ""),
            where_from=f"old crm · {campaign}" if campaign else "old crm",
            touches=calls,
            self_reported=int(calls == 0 and row["Interested"] == "Yes"),
            routed=int(row["Owner"] != ""),
            rejected=row["Stage"] == "Rejected",
        )


def education(path: Path) -> Iterator[Told]:
    """The export of the online education company."""
    by_people = {"Had a Phone Conversation", "Approached upfront", "Unreachable"}
    at_first_glance = {"Already a student", "Diploma holder (Not Eligible)", "University not recognized",
                       "Recognition issue (DEC approval)", "number not provided"}  # fmt: skip
    partners = {
        "Closed by Horizzon": "Horizzon",
        "in touch with EINS": "EINS",
        "Lost to EINS": "EINS",
    }
    names = {"google": "Google", "bing": "Bing", "blog": "Blog", "Press_Release": "Press release"}
    with path.open(encoding="utf-8-sig", newline="") as handle:
        for row in csv.DictReader(handle):
            tag = "" if row["Tags"] in ("Select", "unknown") else row["Tags"].strip()
            came = row["Lead Source"].strip()
            came = "" if came in ("Select", "unknown", "testone") else names.get(came, came)
            yield Told(
                key=row["Prospect ID"],
                team=partners.get(tag, ""),
                where_from=f"education · {came}" if came else "education",
                touches=int(bool(by_people & {row["Last Activity"], row["Last Notable Activity"]})),
                self_reported=int(tag != "" and tag not in at_first_glance),
                routed=0 if not tag else 2 if tag in partners else 1,
                rejected=tag in at_first_glance,
            )


READERS: dict[str, Callable[[Path], Iterator[Told]]] = {"old crm": old_crm, "education": education}


if __name__ == "__main__":
    for cut, figures in sorted(count(READERS[sys.argv[1]](Path(sys.argv[2]))).items()):
        sys.stdout.write(f"{cut}: {dict(figures)}\n")
