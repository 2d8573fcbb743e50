"""From the playbook's shape to an `Agreement`: texts become durations, conditions, rules and lists.

Every part is made even where another is at fault, so that all faults show at once; the caller throws the result
away when there are any. What is not here: how parts fit together (`checks`), reports and challenges
(`programme`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from bot.domain.agreement import (
    Agreement,
    ClockKind,
    ClockRule,
    Condition,
    Lapses,
    RecycleReason,
    RejectReason,
    RoutingRule,
    ScoreRule,
    SlaRule,
)
from bot.domain.business_time import parse_days
from bot.playbook.addresses import Addresses, normal
from bot.playbook.calendars import TimeReader
from bot.playbook.clocks import ClockReader
from bot.playbook.conditions import ConditionFault, compile_condition
from bot.playbook.faults import Faults, Path, shown
from bot.playbook.people import read_crew
from bot.playbook.schema import (
    ClockPart,
    LapsesPart,
    PlaybookPart,
    RecyclePart,
    RejectPart,
    SlaPart,
)

_CODE = re.compile(r"[a-z][a-z0-9_]{0,39}")
_FOLLOW_UPS = ("reroute", "review")
#: Slack's menus hold 100 options; a list that long is not read anyway.
_MOST_REASONS = 50


@dataclass(frozen=True, slots=True)
class Compiler:
    """Makes the agreement; faults go to `faults`."""

    faults: Faults
    addresses: Addresses
    today: date

    def compile(self, part: PlaybookPart) -> Agreement:
        """The agreement that `part` describes, with stopgaps where it is faulty."""
        crew = read_crew(part, self.addresses, TimeReader(self.faults, self.today))
        definition, signers, reasons = part.definition, part.agreement, part.reasons
        reject = self._reject_reasons("reject", reasons.reject if reasons else None)
        turn_back = self._reject_reasons("turn_back", reasons.turn_back if reasons else None)
        mql = definition.mql if definition else None
        return Agreement(
            company=(part.company.name if part.company else None) or "",
            timezone=crew.calendar.zone.key,
            signer_sales=normal(signers.sales if signers else None),
            signer_marketing=normal(signers.marketing if signers else None),
            mql=self._when(("definition", "mql"), mql),
            fast_lane=self._when(
                ("definition", "fast_lane"), definition.fast_lane if definition else None
            ),
            scoring=self._scoring(part),
            people=crew.people,
            teams=crew.teams,
            marketing=crew.marketing,
            routing=self._routing(part),
            slas=self._slas(part),
            marketing_slas=self._marketing_slas(part),
            lapses=self._lapses(part.lapses),
            reject_reasons=reject,
            turn_back_reasons=turn_back or reject,
            recycle_reasons=self._recycle_reasons(reasons.recycle if reasons else None),
            calendar=crew.calendar,
            source_definition=mql or "",
            review_every=self._days(
                ("agreement", "review_every"), signers.review_every if signers else None
            ),
        )

    def _when(
        self, path: Path, source: str | None, without: frozenset[str] = frozenset()
    ) -> Condition | None:
        if source is None:
            return None
        try:
            return compile_condition(source, without=without)
        except ConditionFault as fault:
            self.faults.add(path, str(fault))
            return None

    def _days(self, path: Path, text: str | None) -> timedelta | None:
        if text is None:
            return None
        try:
            return timedelta(days=parse_days(text).amount)
        except ValueError as error:
            self.faults.add(path, str(error))
            return None

    def _scoring(self, part: PlaybookPart) -> tuple[ScoreRule, ...]:
        rules: list[ScoreRule] = []
        for index, rule in enumerate(part.scoring or []):
            if rule is None:
                continue
            when = self._when(("scoring", index, "when"), rule.when, frozenset({"score"}))
            if when is not None and rule.when is not None:
                rules.append(ScoreRule(when, rule.points or 0, rule.because or "", rule.when))
        return tuple(rules)

    def _routing(self, part: PlaybookPart) -> tuple[RoutingRule, ...]:
        rules: list[RoutingRule] = []
        for index, rule in enumerate(part.routing or []):
            if rule is None:
                continue
            to = (rule.to or "").strip()
            rules.append(
                RoutingRule(
                    name=rule.name or "",
                    when=self._when(("routing", index, "when"), rule.when),
                    to=normal(to) if "@" in to else to,
                    prefer=tuple(word for word in rule.prefer or [] if word),
                    overflow=(rule.overflow or "").strip(),
                    source_when=rule.when or "",
                )
            )
        return tuple(rules)

    def _slas(self, part: PlaybookPart) -> tuple[SlaRule, ...]:
        rules: list[SlaRule] = []
        for index, sla in enumerate(part.slas or []):
            if sla is None:
                continue
            path: Path = ("slas", index)
            when = self._when((*path, "when"), sla.when)
            rules.append(SlaRule(sla.name or "", when, self._clocks(path, sla), sla.when or ""))
        return tuple(rules)

    def _clocks(self, path: Path, sla: SlaPart) -> Mapping[ClockKind, ClockRule]:
        parts: dict[ClockKind, ClockPart | None] = {
            ClockKind.ACCEPT: sla.accept,
            ClockKind.FIRST_TOUCH: sla.first_touch,
            ClockKind.FOLLOW_UP: sla.follow_up,
            ClockKind.DECIDE: sla.decide,
            ClockKind.SHELF_LIFE: sla.shelf_life,
        }
        return self._read_clocks(path, parts)

    def _marketing_slas(self, part: PlaybookPart) -> Mapping[ClockKind, ClockRule]:
        slas = part.marketing_slas
        if slas is None:
            return {}
        parts = {ClockKind.ROUTE: slas.route, ClockKind.REVIEW: slas.review}
        return self._read_clocks(("marketing_slas",), parts)

    def _read_clocks(
        self, path: Path, parts: Mapping[ClockKind, ClockPart | None]
    ) -> Mapping[ClockKind, ClockRule]:
        reader = ClockReader(self.faults, self.addresses)
        return {
            kind: reader.read((*path, kind.value), kind, clock)
            for kind, clock in parts.items()
            if clock is not None
        }

    def _lapses(self, part: LapsesPart | None) -> Lapses:
        usual = Lapses()
        if part is None:
            return usual
        lapses = Lapses(
            part.manager_hears_at or usual.manager_hears_at,
            part.above_hears_at or max(usual.above_hears_at, part.manager_hears_at or 0),
            part.then or usual.then,
        )
        if lapses.then != "review":
            self.faults.add(("lapses", "then"), f"{shown(lapses.then)} is unknown; write review")
        if lapses.above_hears_at < lapses.manager_hears_at:
            self.faults.add(
                ("lapses", "above_hears_at"), "those above hear no sooner than the manager"
            )
        return lapses

    def _reject_reasons(
        self, kind: str, parts: Mapping[str, RejectPart | None] | None
    ) -> tuple[RejectReason, ...]:
        reasons: list[RejectReason] = []
        for code, part in (parts or {}).items():
            path: Path = ("reasons", kind, code)
            self._check_code(path, code)
            if part is None or part.then is None:
                continue
            if part.then not in _FOLLOW_UPS:
                self.faults.add(
                    path,
                    f"{shown(part.then)} is unknown; write reroute (to another team) or review (to marketing)",
                )
            reasons.append(RejectReason(code, part.then, self._note(path, code, part.note)))
        self._check_number(("reasons", kind), parts)
        return tuple(reasons)

    def _recycle_reasons(
        self, parts: Mapping[str, RecyclePart | None] | None
    ) -> tuple[RecycleReason, ...]:
        reasons: list[RecycleReason] = []
        for code, part in (parts or {}).items():
            path: Path = ("reasons", "recycle", code)
            self._check_code(path, code)
            if part is None or part.wake is None:
                continue
            wake = self._days(path, part.wake) or timedelta(days=1)
            reasons.append(RecycleReason(code, wake, self._note(path, code, part.note)))
        self._check_number(("reasons", "recycle"), parts)
        return tuple(reasons)

    def _check_code(self, path: Path, code: str) -> None:
        if not _CODE.fullmatch(code):
            self.faults.add(path, f"{shown(code)}: write small letters and _, such as not_our_kind")

    def _check_number(self, path: Path, parts: Mapping[str, object] | None) -> None:
        if parts is not None and not parts:
            self.faults.add(path, "has no reasons; there must be one to choose")
        if parts and len(parts) > _MOST_REASONS:
            self.faults.add(path, f"has {len(parts)} reasons; {_MOST_REASONS} are the most")

    def _note(self, path: Path, code: str, note: str | None) -> bool:
        """Whether a note must be written: "other" says nothing without one."""
        if note not in (None, "required", "optional"):
            self.faults.add(path, f"note is {shown(note)}; write required or optional")
        if code == "other" and note == "optional":
            self.faults.add(path, "`other` says nothing without a note; write note: required")
        return note == "required" or code == "other"
