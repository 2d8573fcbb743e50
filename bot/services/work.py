"""What every use case has in hand: the open transaction, the two times, the agreement, and who is who.

What is not here: any decision.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from sqlalchemy import Connection

from bot.domain.agreement import Agreement, Person, Role
from bot.domain.business_time import Calendar
from bot.domain.retention import Retention
from bot.domain.routing import Candidate
from bot.services.lead_rows import HeldRows, LeadRows, StoredRows
from bot.services.meter import NO_METER, Meter
from bot.services.spot_erased import Erased
from storage import people
from storage.journal import LeadEntry
from storage.outbox import Post

#: An absence without an end counts as this long: clocks need an end, and it is asked again every time.
_OPEN_END = timedelta(days=60)


@dataclass(frozen=True, slots=True)
class Member:
    """A person as Baton knows them: the stored row, the playbook's entry (None for leavers), absences."""

    row: people.PersonRow
    person: Person | None
    absences: tuple[tuple[datetime, datetime], ...] = ()
    away_without_end: bool = False  # said no end: `absences` then holds an assumed one

    @property
    def id(self) -> int:
        """Our key."""
        return self.row.id

    @property
    def email(self) -> str:
        """The address in the playbook."""
        return self.row.email

    @property
    def name(self) -> str:
        """The name to show."""
        return self.person.name if self.person else self.row.name

    @property
    def roles(self) -> frozenset[Role]:
        """Nothing for leavers and deactivated people."""
        return self.person.roles if self.person and self.active else frozenset()

    @property
    def active(self) -> bool:
        """In the playbook and not deactivated in Slack."""
        return self.person is not None and self.row.in_playbook and not self.row.deactivated

    @property
    def reachable(self) -> bool:
        """Active, and Slack gave us a conversation with them."""
        return self.active and bool(self.row.slack_channel_id)

    def absent_at(self, at: datetime) -> bool:
        """Whether the person said they are away at `at`."""
        return any(start <= at < end for start, end in self.absences)

    @property
    def calendar(self) -> Calendar:
        """The person's hours, absences included."""
        base = self.person.calendar if self.person else Calendar.around_the_clock()
        return base.with_absences(self.absences) if self.absences else base

    @property
    def zone(self) -> str:
        """IANA name of the person's zone."""
        return str(self.calendar.zone)


class Roster:
    """Everybody, by id, address and Slack user."""

    def __init__(self, members: list[Member]) -> None:
        self.by_id = {m.id: m for m in members}
        self.by_email = {m.email: m for m in members}
        self.by_slack = {m.row.slack_user_id: m for m in members if m.row.slack_user_id}

    def note_offer(self, person_id: int, at: datetime) -> None:
        """Somebody was just offered a lead: they wait from now on. Spares reading everybody again."""
        member = self.by_id[person_id]
        fresh = replace(member, row=replace(member.row, last_offered_at=at))
        self.by_id[person_id] = self.by_email[member.email] = fresh
        if member.row.slack_user_id:
            self.by_slack[member.row.slack_user_id] = fresh

    def name_of(self, person_id: int | None) -> str:
        """The name of a person, "Baton" for the system."""
        member = self.by_id.get(person_id) if person_id is not None else None
        return member.name if member else "Baton"


def load_roster(conn: Connection, agreement: Agreement, now: datetime) -> Roster:
    """Read people and absences. Small tables: read per transaction, so that no process is ever stale.

    Most of the time nothing has changed since the last transaction: then who they are need not be worked out again.
    """
    global _known
    rows, absences = people.list_people(conn), people.list_absences(conn, now)
    if _known is not None and _known.is_of(agreement, rows, absences):
        return Roster(_known.members)
    members = _members_of(agreement, rows, absences, now)
    if not any(
        member.away_without_end for member in members
    ):  # else the end moves on with every minute
        _known = _Known(agreement, rows, absences, members)
    return Roster(members)


@dataclass(frozen=True, slots=True)
class _Known:
    """Everybody as they were worked out last, and from what."""

    agreement: Agreement
    rows: list[people.PersonRow]
    absences: list[people.AbsenceRow]
    members: list[Member]

    def is_of(
        self,
        agreement: Agreement,
        rows: list[people.PersonRow],
        absences: list[people.AbsenceRow],
    ) -> bool:
        """Whether they would be worked out from the same."""
        return self.agreement is agreement and self.rows == rows and self.absences == absences


_known: _Known | None = None


def _members_of(
    agreement: Agreement,
    rows: list[people.PersonRow],
    absences: list[people.AbsenceRow],
    now: datetime,
) -> list[Member]:
    away: dict[int, list[tuple[datetime, datetime]]] = {}
    endless: set[int] = set()
    for absence in absences:
        if absence.until_at is None:
            endless.add(absence.person_id)
        away.setdefault(absence.person_id, []).append(
            (absence.from_at, absence.until_at or now + _OPEN_END)
        )
    return [
        Member(
            row,
            agreement.people.get(row.email) if row.in_playbook else None,
            tuple(away.get(row.id, ())),
            row.id in endless,
        )
        for row in rows
    ]


@dataclass(slots=True)
class Gathered:
    """What a batch of leads is to be written at its end, with a few statements for all of them (`fire_timers`)."""

    entries: list[LeadEntry] = field(default_factory=list)
    posts: list[Post] = field(default_factory=list)
    #: Leads whose cards, and people whose lists and Home tabs, are to be brought up to date.
    redrawn: set[int] = field(default_factory=set)
    concerned: set[int] = field(default_factory=set)
    #: Clocks that ended, whose timers are to be disarmed, and timers of those that began.
    ended: set[int] = field(default_factory=set)
    armed: list[dict[str, Any]] = field(default_factory=list)
    #: Cards that need not be posted any more, by the reason.
    held_back: dict[str, list[str]] = field(default_factory=dict)
    #: When somebody was last offered a lead, and how many each holds once that was read.
    turns: dict[int, datetime] = field(default_factory=dict)
    open_counts: dict[int, int] | None = None
    #: How routing saw everybody the last time.
    candidates: dict[int, tuple[Member, Candidate]] = field(default_factory=dict)
    #: Leads that are changed in memory, with their offers and clocks.
    held: dict[int, HeldRows] = field(default_factory=dict)


@dataclass
class Work:
    """One transaction's worth of context. `now` is business time, `real` real time; both aware UTC."""

    conn: Connection
    now: datetime
    real: datetime
    agreement: Agreement
    #: Set by whatever adds outbox rows or timers: the runtime then wakes delivery and the tick.
    wake: bool = field(default=False)
    #: A webhook receiver is configured: changes of leads are told to it (`tell_crm`).
    tells_crm: bool = field(default=False)
    #: How long what is kept.
    retention: Retention = field(default_factory=Retention)
    #: Knows again whoever was erased.
    erased: Erased = field(default_factory=Erased, repr=False)

    #: Set while many leads are worked on together: then what nobody reads back is written at the end.
    gathered: Gathered | None = field(default=None, repr=False)

    meter: Meter = field(default=NO_METER, repr=False)

    @cached_property
    def roster(self) -> Roster:
        """Everybody, read once per transaction."""
        return load_roster(self.conn, self.agreement, self.now)

    def rows(self, lead_id: int) -> LeadRows:
        """The rows of a locked lead: in memory when its batch holds them, else in the database."""
        held = self.gathered.held.get(lead_id) if self.gathered is not None else None
        return held if held is not None else StoredRows(self.conn)

    def forget_roster(self) -> None:
        """Read people again: an absence or a Slack id changed within this transaction."""
        self.__dict__.pop("roster", None)
