"""Clocks of the playbook: `within` and `steps` as values, and whether each clock's last step reaches somebody.

What is not here: running clocks (`bot.domain.sla`), who an escalation goes to in the end (there, too).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.domain.agreement import ClockKind, ClockRule, Role, StepKind, StepRule
from bot.domain.business_time import Duration, DurationKind, parse_duration
from bot.playbook.addresses import Addresses, normal
from bot.playbook.faults import Faults, Path, did_you_mean, shown
from bot.playbook.schema import ClockPart, FollowUpPart

_HOUR, _DAY = 3600, 86_400
#: Longer promises are slips of the pen; they would also leave the horizon of business time.
_LONGEST = {
    DurationKind.BUSINESS: (1000 * _HOUR, "1000h"),
    DurationKind.CLOCK: (366 * _DAY, "366 days"),
    DurationKind.WORKING_DAYS: (366, "366d"),
}
_PERCENT = re.compile(r"([0-9]{1,5})\s*%?")
_MAX_PERCENT = 1000

_TEAM_TARGETS = ("manager", "above")
_MARKETING_TARGETS = ("marketing", "marketing.above")
_MARKETING_CLOCKS = frozenset({ClockKind.ROUTE, ClockKind.REVIEW})
_R, _E = StepKind.REMIND, StepKind.ESCALATE
#: What can happen on which clock: only an offer can move on, only what nobody owns yet can go to review.
_STEPS: dict[ClockKind, frozenset[StepKind]] = {
    ClockKind.ROUTE: frozenset({_R, _E, StepKind.REVIEW}),
    ClockKind.ACCEPT: frozenset(StepKind),
    ClockKind.FIRST_TOUCH: frozenset({_R, _E}),
    ClockKind.FOLLOW_UP: frozenset({_R, _E}),
    ClockKind.DECIDE: frozenset({_R, _E}),
    ClockKind.SHELF_LIFE: frozenset({_R, _E}),
    ClockKind.REVIEW: frozenset({_R, _E}),
}
_NOBODY = Duration(DurationKind.CLOCK, _DAY, "")


@dataclass(frozen=True, slots=True)
class ClockReader:
    """Reads clocks; faults go to `faults`."""

    faults: Faults
    addresses: Addresses

    def read(self, path: Path, kind: ClockKind, part: ClockPart) -> ClockRule:
        """The clock at `path`."""
        touches = part.touches if isinstance(part, FollowUpPart) else None
        return ClockRule(
            kind, self._within(path, part), self._steps(path, kind, part), touches or 1
        )

    def _within(self, path: Path, part: ClockPart) -> Duration:
        if part.within is None:
            return _NOBODY
        place = (*path, "within")
        try:
            duration = parse_duration(part.within)
        except ValueError as error:
            self.faults.add(place, str(error))
            return _NOBODY
        most, text = _LONGEST.get(duration.kind, (duration.amount, ""))
        if duration.amount > most:
            self.faults.add(
                place, f"{shown(part.within)} is too long for a promise; {text} is the most"
            )
        return duration

    def _steps(self, path: Path, kind: ClockKind, part: ClockPart) -> tuple[StepRule, ...]:
        if part.steps is None:
            return ()
        place = (*path, "steps")
        steps: dict[int, list[StepRule]] = {}
        known = len(self.faults.found)
        for key, texts in part.steps.items():
            here = (*place, key)
            percent = self._percent(here, key)
            if percent in steps:
                self.faults.add(here, f"{percent}% stands here twice; put the steps into one list")
            made = [
                self._step((*here, index), kind, percent or 100, text)
                for index, text in enumerate(texts or [])
                if text is not None
            ]
            if not made:
                self.faults.add(here, "says nothing; write for example remind")
            steps.setdefault(percent or 100, []).extend(step for step in made if step)
        if len(self.faults.found) == known:
            self._check_last(place, kind, steps)
        return tuple(step for percent in sorted(steps) for step in steps[percent])

    def _percent(self, path: Path, key: str) -> int | None:
        found = _PERCENT.fullmatch(key.strip())
        percent = int(found[1]) if found else 0
        if not 1 <= percent <= _MAX_PERCENT:
            self.faults.add(
                path, f"{shown(key)} is not a share of the time; write 1% to {_MAX_PERCENT}%"
            )
            return None
        return percent

    def _step(self, path: Path, kind: ClockKind, percent: int, text: str) -> StepRule | None:
        words = text.split()
        allowed = _STEPS[kind]
        name = words[0].lower() if words else ""
        if name not in set(StepKind):
            self.faults.add(
                path,
                f"{shown(text)} is not a step{did_you_mean(name, allowed)}; "
                f"there are {', '.join(sorted(allowed))}",
            )
            return None
        step = StepKind(name)
        if step not in allowed:
            self.faults.add(
                path, f"`{step}` cannot happen on this clock; here go {', '.join(sorted(allowed))}"
            )
            return None
        if step is not StepKind.ESCALATE:
            if len(words) > 1:
                self.faults.add(path, f"after `{step}` stands nothing more")
            return StepRule(percent, step)
        return self._escalation(path, kind, percent, words[1:])

    def _escalation(
        self, path: Path, kind: ClockKind, percent: int, words: list[str]
    ) -> StepRule | None:
        now = len(words) == 2 and words[1].lower() == "now"
        if not words or len(words) > (2 if now else 1):
            self.faults.add(
                path, "write `escalate manager`, and `now` behind it when it must not wait"
            )
            return None
        to = words[0].lower()
        targets: tuple[str, ...] = _MARKETING_TARGETS
        if kind not in _MARKETING_CLOCKS:
            targets = (*_TEAM_TARGETS, *_MARKETING_TARGETS)
        if "@" in to:
            to = self.addresses.check(path, to, None, "")
            roles = self.addresses.roles.get(normal(to))
            if roles is not None and not roles & {Role.MANAGER, Role.MARKETING, Role.ADMIN}:
                self.faults.add(
                    path, f"{shown(to)} needs the role manager or marketing to hear of this"
                )
        elif to in _TEAM_TARGETS and to not in targets:
            self.faults.add(
                path, f"nobody in sales has the lead on this clock, so there is no `{to}`"
            )
        elif to not in targets:
            self.faults.add(
                path,
                f"{shown(words[0])} is nobody{did_you_mean(to, targets)}; "
                f"escalate to {', '.join(targets)} or an e-mail address",
            )
        return StepRule(percent, StepKind.ESCALATE, to, now)

    def _check_last(self, path: Path, kind: ClockKind, steps: dict[int, list[StepRule]]) -> None:
        if not steps:
            self.faults.add(path, "has no steps, so nobody would hear when the time is over")
            return
        last = max(steps)
        if kind is not ClockKind.FOLLOW_UP and all(s.kind is StepKind.REMIND for s in steps[last]):
            ways = "escalate, reoffer or review" if kind is ClockKind.ACCEPT else "escalate"
            self.faults.add(
                path,
                f"the last step ({last}%) only reminds and reaches nobody else; end with {ways}",
            )
        moved = [
            percent
            for percent, made in steps.items()
            if percent != last and any(s.kind in (StepKind.REOFFER, StepKind.REVIEW) for s in made)
        ]
        if moved:
            self.faults.warn(
                path, f"at {min(moved)}% the lead moves on, so what stands behind it never happens"
            )
