"""A year of 100,000 leads with some 500,000 entries of the journal, made up: for what reads much of it.

The same rows go into every database they are for. What is not here: what is measured on them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from storage import people
from storage.copying import copy_rows, insert_plain
from storage.database import Database
from storage.models import Clocks, Journal, Leads, Offers, Touches
from storage.rows import blank_of, table_of

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
DAYS = 365
_TABLES = {m.__tablename__: table_of(m) for m in (Leads, Offers, Clocks, Touches, Journal)}
_BLANK = blank_of(_TABLES["leads"])
_PAGE = 2_000
_REPS = 60
_GONE = ("lapsed", "rejected", "recycled")
Rows = dict[str, list[dict[str, Any]]]


def fill(databases: Sequence[Database], leads: int) -> int:
    """How many entries of the journal there are."""
    for database in databases:
        with database.write() as conn:
            for n in range(_REPS):
                people.ensure_person(conn, f"rep{n}@acme.example", f"Rep {n}")
            ids = [person.id for person in people.list_people(conn)]
    entries = 0
    for rows in _Year(leads, ids).pages():
        entries += len(rows["journal"])
        for database in databases:
            with database.write() as conn:
                put = copy_rows if conn.dialect.name == "postgresql" else insert_plain
                for name, table in _TABLES.items():
                    if rows[name]:
                        put(conn, table, rows[name])
    for database in databases:
        if not database.is_sqlite:  # as autovacuum leaves it, and not while something is measured
            with database.engine.connect() as plain:
                plain.execution_options(isolation_level="AUTOCOMMIT").execute(
                    text("VACUUM ANALYZE")
                )
    return entries


@dataclass
class _Year:
    """Leads come evenly; some three of five are taken by the first rep, most are called, few become customers."""

    leads: int
    reps: list[int]
    rows: Rows = field(default_factory=lambda: {name: [] for name in _TABLES})
    rng: random.Random = field(default_factory=lambda: random.Random(7))
    seq: int = 0
    offers: int = 0

    def pages(self) -> Iterator[Rows]:
        step = timedelta(days=DAYS) / self.leads
        for lead in range(1, self.leads + 1):
            jitter = timedelta(microseconds=self.rng.randrange(1_000_000))
            self._live(lead, NOW - timedelta(days=DAYS) + step * (lead - 1) + jitter)
            if lead % _PAGE == 0 or lead == self.leads:
                yield self.rows
                self.rows = {name: [] for name in _TABLES}

    def _after(self, at: datetime, hours: float) -> datetime | None:
        """So long after it on average; None: that is still to come."""
        then = at + timedelta(seconds=int(self.rng.expovariate(1 / (3600 * hours))))
        return then if then < NOW else None

    def _note(self, lead: int, at: datetime, entry: str, /, **data: Any) -> None:
        self.seq += 1
        self.rows["journal"].append(
            {
                "subject_kind": "lead", "subject_id": lead, "seq": self.seq, "at": at,
                "actor_kind": "system", "actor_id": None, "kind": entry, "data": data,
            }
        )  # fmt: skip

    def _clock(
        self, lead: int, kind: str, held: dict[str, Any] | None, start: datetime, hours: float,
        end: datetime | None, lapsed: bool = False, timed: bool = True,
    ) -> None:  # fmt: skip
        due = start + timedelta(hours=hours)
        late = (end or NOW) > due
        reached = "" if end is None else "lapsed" if lapsed else "late" if late else "met"
        self.rows["clocks"].append(
            {
                "lead_id": lead, "offer_id": held["id"] if held else None, "round": 1, "kind": kind,
                "person_id": held["rep_id"] if held else None, "team": held["team"] if held else "",
                "within": f"{hours}h", "goal": 1, "steps": [], "started_at": start, "due_at": due,
                "breached_at": due if late else None, "ended_at": end, "outcome": reached,
                "taken_seconds": None if end is None else int((end - start).total_seconds()),
                "wall_seconds": None if end is None or not timed else int((end - start).total_seconds()),
                "generation": 1, "excused": self.rng.random() < 0.01, "playbook_version": 1,
            }
        )  # fmt: skip

    def _live(self, lead: int, at: datetime) -> None:
        rng = self.rng
        self.seq, status, held = 0, "review", None
        team = f"team{rng.randrange(3)}"
        source = f"source{min(int(rng.expovariate(0.5)), 7)}"
        facts: dict[str, Any] = {"accepted_at": None, "touched_at": None, "touches": 0}
        self._note(lead, at, "arrived", status="received", round=1, source=source)
        self._clock(lead, "route", None, at, 0.1, at + timedelta(seconds=1))
        offered = at + timedelta(seconds=2)
        first, many = offered, rng.choices((1, 2, 3), (60, 30, 10))[0]
        for n in range(1, many + 1):
            held, answered = (
                self._offer(lead, n, team, source, at, offered),
                self._after(offered, 1.4),
            )
            gone = n < many or rng.random() > 0.85
            state = rng.choice(_GONE) if gone else "accepted"
            self._clock(lead, "accept", held, offered, 4, answered, state == "lapsed", not gone)
            if answered is None:
                status = "offered"
                break
            if not gone:
                held |= {
                    "state": "accepted",
                    "accepted_at": answered,
                    "accepted_seconds": int((answered - first).total_seconds()),
                }
                status, facts = self._work(lead, held, answered)
                break
            held |= {"state": state, "ended_at": answered, "reason": "no_fit"}
            self._note(lead, answered, "offer_ended", offer=held["id"], state=state)
            if state == "lapsed":
                about = {"clock": 1, "kind": "accept", "step": "100", "to": "1"}
                self._note(lead, answered, "escalated", **about, about=held["rep_id"])
            offered = answered
        while self.seq < 5:
            self._note(lead, min(at + timedelta(hours=self.seq), NOW), "reminded", clock=1, to=1)
        has = status in ("offered", "accepted", "working", "qualified") and held is not None
        if (touched := facts["touched_at"]) is not None:
            spent = {"touched_at": touched, "touched_seconds": int((touched - at).total_seconds())}
            for made in self.rows["offers"][-n:]:
                made |= spent
        self.rows["leads"].append(
            _BLANK
            | {
                "id": lead, "status": status, "kind": "live", "journal_seq": self.seq,
                "current_offer_id": held["id"] if has and held else None,
                "owner_id": held["rep_id"] if has and held else None, "team": team,
                "playbook_version": 1, "sla_name": "standard", "score": 50, "reasons": ["a webinar"],
                "source": source, "external_id": f"k{lead}", "first_name": "Jana",
                "last_name": f"Novak {lead}", "company": f"Company {lead}", "title": "VP Operations",
                "phone": "+43 1 555 0100", "country": "AT", "language": "de", "score_reasons": [],
                "message": "We need to replace our dialler before March.", "extra": {"plan": "team"},
                "email": f"p{lead}@company.example", "search_text": f"jana novak {lead} company",
                "arrived_at": at, "occurred_at": at, "status_at": at, "first_offered_at": first,
            }
            | facts
        )  # fmt: skip

    def _offer(
        self, lead: int, n: int, team: str, source: str, arrived: datetime, at: datetime
    ) -> dict[str, Any]:
        self.offers += 1
        made: dict[str, Any] = {
            "id": f"o{self.offers:012d}", "lead_id": lead, "round": 1, "n": n,
            "rep_id": self.rng.choice(self.reps), "team": team, "rule": "rest",
            "why": "longest waiting, and a few words more", "trace": [{"rule": "rest", "why": "busy"}],
            "playbook_version": 1, "state": "open", "offered_at": at, "show_at": at,
            "delivered_at": at + timedelta(seconds=1), "accepted_at": None, "ended_at": None,
            "reason": "", "source": source, "systems_seconds": int((at - arrived).total_seconds()) + 1,
            "accepted_seconds": None, "touched_at": None, "touched_seconds": None,
        }  # fmt: skip
        self.rows["offers"].append(made)
        told = {name: made[name] for name in ("rule", "why", "trace", "team", "n", "round")}
        self._note(lead, at, "offered", offer=made["id"], rep=made["rep_id"], **told)
        return made

    def _work(
        self, lead: int, held: dict[str, Any], accepted: datetime
    ) -> tuple[str, dict[str, Any]]:
        """What became of it, and what the lead says of it."""
        offer: dict[str, Any] = {"offer": held["id"], "rep": held["rep_id"], "round": 1}
        self._note(lead, accepted, "moved", action="accept", to="accepted", **offer)
        self._note(lead, accepted, "offer_accepted", offer=held["id"])
        touched = self._after(accepted, 5) if self.rng.random() < 0.8 else None
        self._clock(lead, "first_touch", held, held["offered_at"], 8, touched)
        facts = {
            "accepted_at": accepted,
            "touched_at": touched,
            "touches": int(touched is not None),
        }
        qualified = None
        if touched is not None:
            self.rows["touches"].append(
                {
                    "lead_id": lead, "round": 1, "offer_id": held["id"], "person_id": held["rep_id"],
                    "kind": "call", "outcome": "reached", "at": touched,
                    "state": self.rng.choice(("verified", "self_reported")),
                }
            )  # fmt: skip
            qualified = self._after(touched, 240) if self.rng.random() < 0.4 else None
        slept = self._after(accepted, 480) if qualified is None else None
        self._clock(lead, "decide", held, accepted, 504, qualified or slept)
        if qualified is None:
            if slept is None:
                return ("working" if touched else "accepted"), facts
            held |= {"state": "recycled", "ended_at": slept, "reason": "no_budget"}
            return "nurturing", facts
        self._note(
            lead,
            qualified,
            "moved",
            action="qualify",
            to="qualified",
            took=int((qualified - accepted).total_seconds()),
            **offer,
        )
        won = self._after(qualified, 120) if self.rng.random() < 0.4 else None
        if won is None:
            return "qualified", facts
        self._note(
            lead,
            won,
            "moved",
            action="close",
            to="won",
            took=int((won - qualified).total_seconds()),
            **offer,
        )
        held |= {"state": "done", "ended_at": won}
        return "won", facts
