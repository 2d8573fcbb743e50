"""Two processes are sent the same leads at once: under the same message ids, the same keys, the same mailboxes.

What is not here: HTTP and signatures (`kill_demo` goes through them).
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from chaos.books import damage, misfits, open_books, step_faults, unguarded
from chaos.experiment import Experiment
from chaos.race import Hall, digest, made_leads, near_order, race
from chaos.verdict import Verdict

#: Leads in one message.
BATCH = 10


def intake_race(url: str, *, leads: int, seed: int) -> Verdict:
    """A third is the same message sent twice, a third the same keys in other messages and another order, a third
    the same mailboxes under another system's keys."""
    verdict = Verdict(leads, seed)
    hall = Hall(url)
    try:
        made = made_leads(leads)
        third = leads // 3
        sent, keyed, mailed = made[:third], made[third : 2 * third], made[2 * third :]
        keyed_anew = near_order(keyed, seed, window=BATCH)
        mailed_anew = [
            {**lead, "source": "other"} for lead in near_order(mailed, seed + 1, window=BATCH)
        ]
        others = [*sent, *keyed_anew, *mailed_anew]
        began = time.monotonic()
        sides = race([
            hall.task("receive", messages=[
                *_messages("same", sent), *_messages(name, second), *_messages(f"{name} system", third_),
            ])
            for name, second, third_ in (
                ("first", keyed, mailed), ("second", keyed_anew, mailed_anew)
            )
        ], limit=120 + leads)  # fmt: skip
        verdict.seconds = round(time.monotonic() - began, 1)
        books = open_books(hall.database)
        answers = [answer for side in sides for message in side for answer in message]
        for lead, answer in zip([*made, *others], answers, strict=True):
            known = books.keys.get((lead["source"], lead["external_id"]))
            if known is None or answer.get("lead") != known:
                verdict.faults.append(
                    f"{lead['external_id']}: answered {answer}, stored as {known}"
                )
        said = Counter(str(answer["status"]) for answer in answers)
        arrivals = sum(len(books.entries(lead.id, "arrived")) for lead in books.leads)
        verdict.figures = {
            "leads": len(books.leads), "offers": len(books.offers), "arrivals": arrivals,
            "answers": dict(sorted(said.items())),
            "sent again by the sender": sum(a.get("tries", 1) > 1 for a in answers),
        }  # fmt: skip
        if not len(books.leads) == len(books.offers) == arrivals == said["accepted"] == leads:
            verdict.faults.append(f"{leads} leads became {verdict.figures}")
        verdict.faults += misfits(books) + unguarded(books) + step_faults(books)
        verdict.faults += damage(hall.database)
    finally:
        hall.close()
    return verdict


def _messages(name: str, leads: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "id": f"{name}-{start}",
            "sha256": digest(f"{name}-{start}"),
            "leads": leads[start : start + BATCH],
        }
        for start in range(0, len(leads), BATCH)
    ]


EXPERIMENTS = (
    Experiment(
        "intake",
        "two processes are sent the same leads",
        "each becomes one lead, and every answer names it",
        "intake without its unique keys: leads twice (PostgreSQL; SQLite has one writer)",
        everyday=300,
        full=10_000,
        run=lambda ground: intake_race(ground.url, leads=ground.size, seed=ground.seed),
    ),
)
