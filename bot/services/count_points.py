"""Points and boards of a challenge, made as a whole from what is stored: journal, absences, downtime, playbook version.

`gather` reads, `count` is pure, `recount` keeps what came out. Nothing is ever added up by and by: whatever is stored
can be made again, and is the same. What is not here: the rules (`bot.domain.points`, `standing`), when it is done
(`run_challenge`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from bot.domain.business_time import Calendar, NoOpenTime
from bot.domain.challenge import Board, Kind, Place, Rule, State, Terms
from bot.domain.chance import Circumstances, Verdict
from bot.domain.feats import LeadFeats, feats_of
from bot.domain.gaming import touches_in, voids_in
from bot.domain.period import midnight
from bot.domain.points import Points, count_points, reach_of
from bot.domain.standing import board_from
from bot.services.former_agreement import agreement_of
from bot.services.work import Work
from storage import awards, challenges, chances, entrants, flags, playbooks
from storage.awards import AwardRow
from storage.challenges import ChallengeRow

#: An entry is seen so long after it was written at the latest: a transaction may commit later than its instant says.
UNSEEN_FOR = timedelta(minutes=2)
#: So long before the start somebody may have kept work back for it.
STUFFED_FOR = timedelta(days=14)
#: Verdicts on a flag: what it is about counts as if nobody had wondered, or not at all.
FINE, VOID = "fine", "void"

#: Of each person and rule: chances kept, and all that were judged.
Shares = Mapping[int, Mapping[Rule, tuple[int, int]]]


@dataclass(frozen=True, slots=True)
class Gathered:
    """All that the points of a challenge are made from. `entered`: person -> team at the start."""

    challenge_id: int
    terms: Terms
    entered: Mapping[int, str]
    left: frozenset[int]
    feats: tuple[LeadFeats, ...]
    given: Circumstances
    voided: frozenset[tuple[Rule, str]]


@dataclass(frozen=True, slots=True)
class Count:
    """What came out. `before`: of the time before the start, for IMPROVED."""

    points: Points
    before: Points | None
    board: Board

    @property
    def awards(self) -> tuple[AwardRow, ...]:
        """As they are stored, in the order in which storage lists them."""
        rows = [
            AwardRow(each.person, each.rule.value, each.about, each.lead, each.at, each.points)
            for each in self.points.awards
        ]
        return tuple(sorted(rows, key=lambda row: (row.rule, row.about)))

    @property
    def shares(self) -> Shares:
        """Of each person and rule: chances kept, and all that were judged."""
        found: dict[int, dict[Rule, tuple[int, int]]] = {}
        for each in self.points.chances:
            if each.verdict not in (Verdict.KEPT, Verdict.BROKEN):
                continue
            mine = found.setdefault(each.person, {})
            kept, judged = mine.get(each.rule, (0, 0))
            mine[each.rule] = (kept + (each.verdict is Verdict.KEPT), judged + 1)
        return found

    def as_json(self) -> dict[str, Any]:
        """As `challenges.result` keeps it: ids, codes and numbers."""
        return {
            "period": self.board.period,
            "people": places_json(self.board.people),
            "teams": places_json(self.board.teams),
            "kept": self.board.kept,
            "chances": self.board.chances,
            "records": dict(self.board.records),
            "shares": {
                str(person): {rule.value: list(numbers) for rule, numbers in mine.items()}
                for person, mine in self.shares.items()
            },
        }


def gather(work: Work, row: ChallengeRow) -> Gathered:
    """Read it; a handful of statements, and only leads that somebody who takes part was offered in time."""
    conn, terms = work.conn, row.agreed
    taking_part = entrants.list_entrants(conn, row.id)
    entered = {each.person_id: each.team for each in taking_part}
    since, until = _reach(terms)
    settled = flags.list_flags(conn, row.id)
    lead_ids = chances.list_leads(conn, entered, since, until) if entered else []
    return Gathered(
        challenge_id=row.id,
        terms=terms,
        entered=entered,
        left=frozenset(each.person_id for each in taking_part if each.left_at is not None),
        feats=tuple(
            feats_of(lead_id, entries) for lead_id, entries in chances.iter_journals(conn, lead_ids)
        ),
        given=Circumstances(
            absences={
                person: tuple(away)
                for person, away in chances.list_absences(conn, entered, since, until).items()
            },
            downtimes=tuple(playbooks.list_downtimes(conn)),
            works=_working_days(work, row, entered),
            verified_only=row.verified,
            trusted=frozenset(
                touch for flag in settled if flag.verdict == FINE for touch in touches_in(flag.data)
            ),
            now=work.now,
            zone=terms.zone,
        ),
        voided=frozenset(
            void for flag in settled if flag.verdict == VOID for void in voids_in(flag.data)
        ),
    )


def _reach(terms: Terms) -> tuple[datetime, datetime]:
    """Which leads are looked at, by when they were offered: from as long before the start as is needed to see what
    somebody kept back for it, or to know their past."""
    begins_at, ends_at = reach_of(terms)
    before = reach_of(terms, before=True)[0]
    if terms.kind is not Kind.IMPROVED:
        before = max(before, begins_at - STUFFED_FOR)
    return before, ends_at


def count(
    gathered: Gathered,
    now: datetime,
    period: str,
    previous: Collection[Mapping[str, Any]] = (),
) -> Count:
    """Count it. Pure: the same input gives the same numbers."""
    terms, given = gathered.terms, gathered.given
    points = count_points(terms, gathered.feats, gathered.entered, given, voided=gathered.voided)
    before = None
    if terms.kind is Kind.IMPROVED:
        before = count_points(terms, gathered.feats, gathered.entered, given, before=True)
    board = board_from(
        terms,
        points,
        before,
        gathered.entered,
        given,
        challenge_id=gathered.challenge_id,
        period=period,
        now=now,
        left=gathered.left,
        previous=previous,
    )
    return Count(points, before, board)


def rebuild(work: Work, row: ChallengeRow, period: str = "") -> Count:
    """Made again from what is stored; nothing is written. `period`: of the board, today's when not said."""
    period = period or period_at(row, work.now)
    previous = awards.read_board_before(work.conn, row.id, period)
    return count(gather(work, row), work.now, period, previous.places if previous else ())


def recount(work: Work, row: ChallengeRow, period: str = "") -> tuple[Gathered, Count]:
    """Work the points of a locked challenge out anew, and keep them; it costs little when they are as before."""
    period = period or period_at(row, work.now)
    previous = awards.read_board_before(work.conn, row.id, period)
    gathered = gather(work, row)
    counted = count(gathered, work.now, period, previous.places if previous else ())
    awards.replace_awards(work.conn, row.id, counted.awards)
    challenges.save_challenge(
        work.conn, row.id, counted_at=work.now, result={**row.result, **counted.as_json()}
    )
    return gathered, counted


def is_fresh(work: Work, row: ChallengeRow) -> bool:
    """Whether what is stored is what a recount would give: on the same day, and nothing was written since."""
    if row.state in (State.FINISHED, State.CANCELLED):
        return True
    if row.counted_at is None or period_at(row, row.counted_at) != period_at(row, work.now):
        return False
    since = row.counted_at - UNSEEN_FOR
    if any(until >= since for _, until in playbooks.list_downtimes(work.conn)):
        return False
    people = [each.person_id for each in entrants.list_entrants(work.conn, row.id)]
    return not chances.has_news(work.conn, people, since)


def board_of(work: Work, challenge_id: int, period: str = "") -> Board:
    """How a challenge stands, or stood on that day (`period`); made anew when what is stored is old. Only reads.

    LookupError: there is no such challenge.
    """
    return standing_of(work, challenge_id, period)[0]


def standing_of(work: Work, challenge_id: int, period: str = "") -> tuple[Board, Shares]:
    """The same, and what the points of each person are made of; nothing is said of that for a former day's board."""
    row = challenges.read_challenge(work.conn, challenge_id)
    if row is None:
        raise LookupError(f"no challenge {challenge_id}")
    stored = awards.read_board(work.conn, challenge_id, period) if period else None
    if stored is not None and _is_shown_as_it_stood(row, period):
        # Shares are kept of the newest board only: beside another one's places they would be a wrong figure.
        newest = row.result.get("period") == period
        return _board(row, period, stored.places), _shares(row) if newest else {}
    if row.started_at is None:
        return Board(row.id, row.agreed, period, _days_left(row, work.now), (), ()), {}
    if row.result and is_fresh(work, row):
        return _from_result(row, work.now), _shares(row)
    made = rebuild(work, row, period)
    return made.board, made.shares


def _is_shown_as_it_stood(row: ChallengeRow, period: str) -> bool:
    """The last day's board, once the challenge is over, shows its result."""
    if row.state == State.FINISHED:
        return bool(period != row.result.get("period"))
    return row.state == State.RUNNING


def _shares(row: ChallengeRow) -> Shares:
    return {
        int(person): {Rule(rule): (kept, judged) for rule, (kept, judged) in mine.items()}
        for person, mine in row.result.get("shares", {}).items()
    }


def period_at(row: ChallengeRow, at: datetime) -> str:
    """The day whose board that instant belongs to: the last one's, once the challenge is over."""
    terms = row.agreed
    day = at.astimezone(ZoneInfo(terms.zone)).date()
    return min(max(day, terms.begins), terms.ends).isoformat()


def places_json(places: Collection[Place]) -> list[dict[str, Any]]:
    """Places as they are kept. Under the names that `bot.domain.standing` reads again."""
    found = []
    for place in places:
        kept = asdict(place)
        kept["person"] = kept.pop("person_id")
        found.append(kept)
    return found


def places_of(kept: Collection[Mapping[str, Any]]) -> tuple[Place, ...]:
    """The reverse of `places_json`."""
    return tuple(
        Place(person_id=each["person"], **{n: v for n, v in each.items() if n != "person"})
        for each in kept
    )


def _board(row: ChallengeRow, period: str, kept: Collection[Mapping[str, Any]]) -> Board:
    """The board of a day, as it stood."""
    teams = places_of([each for each in kept if each["person"] is None])
    terms = row.agreed
    return Board(
        row.id,
        terms,
        period,
        (terms.ends - date.fromisoformat(period)).days,
        places_of([each for each in kept if each["person"] is not None]),
        teams,
        kept=sum(team.kept for team in teams),
        chances=sum(team.chances for team in teams),
        records=row.result.get("records", {}),
    )


def _from_result(row: ChallengeRow, now: datetime) -> Board:
    found = row.result
    return Board(
        row.id,
        row.agreed,
        found.get("period", ""),
        _days_left(row, now),
        places_of(found.get("people", ())),
        places_of(found.get("teams", ())),
        kept=found.get("kept", 0),
        chances=found.get("chances", 0),
        records=found.get("records", {}),
    )


def _days_left(row: ChallengeRow, now: datetime) -> int:
    terms = row.agreed
    return max(0, (terms.ends - now.astimezone(ZoneInfo(terms.zone)).date()).days)


def _working_days(
    work: Work, row: ChallengeRow, entered: Mapping[int, str]
) -> Callable[[int, date], bool]:
    """Whether a day is a working day of somebody's, by the playbook under which the challenge began. Absences aside."""
    agreement = agreement_of(work, row.playbook_version)
    known: dict[tuple[int, date], bool] = {}

    def calendar_of(person_id: int) -> Calendar:
        member = work.roster.by_id.get(person_id)
        person = agreement.people.get(member.email) if member is not None else None
        team = agreement.teams.get(entered.get(person_id, ""))
        found = person.calendar if person else team.calendar if team else agreement.calendar
        return replace(found, absences=()) if found.absences else found

    def works(person_id: int, day: date) -> bool:
        key = (person_id, day)
        if key not in known:
            known[key] = _has_open_time(calendar_of(person_id), day)
        return known[key]

    return works


def _has_open_time(calendar: Calendar, day: date) -> bool:
    zone = str(calendar.zone)
    try:
        return calendar.next_open(midnight(day, zone)) < midnight(day + timedelta(days=1), zone)
    except NoOpenTime:
        return False
