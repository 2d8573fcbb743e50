"""Two processes click the same offers at once; exactly one of each pair wins, the other is told why not.

Three flavours, mixed: the same rep from two devices; the rep accepts while the manager takes; accept against "I'm
busy". What is not here: the same over HTTP (`http_clicks`).
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from chaos.books import Books, damage, misfits, open_books, step_faults, unguarded
from chaos.experiment import Experiment
from chaos.race import Hall, Put, made_leads, near_order, race
from chaos.verdict import Verdict as Verdict

#: First process's deed, second process's deed.
FLAVOURS = (("accept", "accept"), ("accept", "take"), ("accept", "pass_on"))


def click_race(url: str, *, offers: int, seed: int, flavours: int = len(FLAVOURS)) -> Verdict:
    """Race over `offers` offers, the flavours in turn."""
    verdict = Verdict(offers, seed)
    hall = Hall(url)
    try:
        hall.receive(made_leads(offers))
        puts = hall.offers()
        pairs = {put.offer: FLAVOURS[i % flavours] for i, put in enumerate(puts)}
        began = time.monotonic()
        sides = race([
            hall.task(
                "click",
                clicks=near_order([_click(put, pairs[put.offer][side]) for put in puts], seed + side),
                seed=seed + side,
                **({"pause": 0.03} if hall.database.is_sqlite else {"threads": 3}),
            )
            for side in (0, 1)
        ], limit=60 + offers)  # fmt: skip
        verdict.seconds = round(time.monotonic() - began, 1)
        books = open_books(hall.database)
        if len(puts) != offers:
            verdict.faults.append(f"only {len(puts)} of {offers} leads were offered")
        _judge(verdict, puts, pairs, sides, books)
        verdict.faults += misfits(books) + unguarded(books) + step_faults(books)
        verdict.faults += damage(hall.database)
    finally:
        hall.close()
    return verdict


def _click(put: Put, deed: str) -> list[Any]:
    return [deed, put.manager if deed == "take" else put.rep, put.offer, None]


def _judge(
    verdict: Verdict,
    puts: list[Put],
    pairs: dict[str, tuple[str, str]],
    sides: list[list[dict[str, Any]]],
    books: Books,
) -> None:
    first, second = ({answer["offer"]: answer for answer in side} for side in sides)
    state = {offer.id: offer.state for offer in books.offers}
    said: Counter[str] = Counter()
    met = 0
    for put in puts:
        pair = pairs[put.offer]
        mine, other = first[put.offer], second[put.offer]
        met += mine["from"] < other["to"] and other["from"] < mine["to"]
        for answer in (mine, other):
            said[f"{answer['deed']}: {answer['said']}"] += 1
            verdict.faults += silent(answer)
        moves = [e.data["action"] for e in books.entries(put.lead, "moved")]
        verdict.faults += [
            f"{put.offer} ({pair[0]}, {pair[1]}): {fault}"
            for fault in _faults_of(
                pair, mine["said"], other["said"], [m for m in moves if m in pair], state[put.offer]
            )
        ]
        accepts = len(books.entries(put.lead, "offer_accepted"))
        wanted = sum(move in ("accept", "take") for move in moves)
        if accepts != wanted:
            verdict.faults.append(f"lead {put.lead}: {accepts} accepts journalled, {wanted} moves")
    verdict.figures = {
        "winners": sum(
            1 for put in puts if "done" in (first[put.offer]["said"], second[put.offer]["said"])
        ),
        "at the same time": met,
        "answers": dict(sorted(said.items())),
    }


def silent(answer: dict[str, Any]) -> list[str]:
    """A click that was answered with an exception, or with a no without words."""
    if answer["said"].startswith("error"):
        return [f"{answer['offer']}: {answer['said']}: {answer['sentence']}"]
    if answer["said"] != "done" and not answer["sentence"]:
        return [f"{answer['offer']}: {answer['said']} without a sentence"]
    return []


def _faults_of(
    pair: tuple[str, str], mine: str, other: str, moves: list[str], state: str
) -> list[str]:
    """What of one pair of clicks is not as it must be. `moves`: their actions in the journal, in order."""
    if pair == ("accept", "take"):
        # A manager may take an accepted lead too: then the rep's accept came first and held until then.
        lawful = {("done", "done"): ["accept", "take"], ("moved_on", "done"): ["take"],
                  ("already_accepted", "done"): ["take"]}  # fmt: skip
        if lawful.get((mine, other)) != moves:
            return [f"said {mine} and {other}, journalled {moves}"]
        return [] if state == "reassigned" else [f"the offer is {state}"]
    if sorted((mine == "done", other == "done")) != [False, True]:
        return [f"said {mine} and {other}"]
    winner = pair[0] if mine == "done" else pair[1]
    if moves != [winner]:
        return [f"{winner} won, journalled {moves}"]
    ended = {"accept": "accepted", "pass_on": "passed"}[winner]
    return [] if state == ended else [f"{winner} won, the offer is {state}"]


EXPERIMENTS = (
    Experiment(
        "clicks",
        "two processes click the same offers",
        "one winner an offer, the loser is told who has it",
        "the transition without its condition on the status: two winners (PostgreSQL; SQLite has one writer)",
        everyday=300,
        full=10_000,
        run=lambda ground: click_race(ground.url, offers=ground.size, seed=ground.seed),
    ),
)
