"""What makes people join in, as the playbook says it: when reports go, which challenges there are.

The terms of a challenge are judged by the same rules as those from Slack (`bot.domain.challenge_faults`); their faults
are told at the lines of the keys. No day that passes makes a file faulty: it is read again at every start, so a
challenge that is over is a warning. What is not here: whose figures may be shown (`people`), what comes of it
(services).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from bot.domain.agreement import Agreement, ReportTimes, Team
from bot.domain.challenge import Kind, Rule, Terms
from bot.domain.challenge_faults import faults_of
from bot.domain.people_figures import FEWEST, may_board_name
from bot.playbook.faults import Faults, Path, did_you_mean, shown
from bot.playbook.schema import ChallengePart, PlaybookPart, PointsPart, ReportsPart, WeighPart
from bot.playbook.words import OFF, ON, WordReader

_WEEKLY, _DIGEST, _POST = "mon 09:00", "08:30", "mon-fri 16:00"

#: Each is compared with all before it; nobody runs so many.
_MOST = 100
#: What a team has whose own lines are at fault.
_ENOUGH, _A_CHANNEL = 2, "C0000000"

#: Where in the file a field of `Terms` stands.
_KEYS: Mapping[str, Path] = {
    "begins": ("from",),
    "ends": ("to",),
    "counting": ("count",),
    "hand_raiser": ("weigh", "hand_raiser"),
    "high_score": ("weigh", "score", "at_least"),
    "high_score_times": ("weigh", "score", "times"),
    "post_days": ("post",),
    "post_at": ("post",),
    **{f"points_{rule.value}": ("points", rule.value) for rule in Rule},
}


def with_programme(
    agreement: Agreement, part: PlaybookPart, faults: Faults, today: date
) -> Agreement:
    """The agreement with its reports and challenges. Read last: of a team at fault nothing follows."""
    words = WordReader(faults)
    reader = ProgrammeReader(faults, words, agreement.teams, agreement.timezone, today)
    return replace(
        agreement,
        reports=reader.reports(part.reports),
        challenges=reader.challenges(part.challenges or ()),
    )


@dataclass(frozen=True, slots=True)
class ProgrammeReader:
    """Reads `reports` and `challenges`; faults go to `faults`. `zone`: the company's. `today`: what is over is over."""

    faults: Faults
    words: WordReader
    teams: Mapping[str, Team]
    zone: str
    today: date

    # ------------------------------------------------------------------ reports

    def reports(self, part: ReportsPart | None) -> ReportTimes:
        """When reports go. What is not said is as usual."""
        usual = ReportTimes()
        if part is None:
            return usual
        days, at = self._weekly(("reports", "weekly"), part.weekly, usual)
        return ReportTimes(
            channel=self.words.channel(("reports", "channel"), part.channel),
            weekly_day=days,
            weekly_at=at,
            digest_at=self._digest(("reports", "digest"), part.digest, usual),
            monthly=self.words.switch(("reports", "monthly"), part.monthly, usual.monthly),
        )

    def _weekly(self, path: Path, text: str | None, usual: ReportTimes) -> tuple[int | None, int]:
        word = (text or "").strip().lower()
        if text is None or word in ON:
            return usual.weekly_day, usual.weekly_at
        if word in OFF:
            return None, usual.weekly_at
        days, at = self.words.moment(path, text, _WEEKLY)
        if days is None and at is not None:
            self.faults.add(path, f"{shown(text)} says no day; write `{_WEEKLY}`")
        if days is not None and len(days) > 1:
            self.faults.add(
                path, f"{shown(text)} is more than one day; the week's report goes once a week"
            )
        return (days or (usual.weekly_day,))[0], usual.weekly_at if at is None else at

    def _digest(self, path: Path, text: str | None, usual: ReportTimes) -> int | None:
        word = (text or "").strip().lower()
        if text is None or word in ON:
            return usual.digest_at
        if word in OFF:
            return None
        days, at = self.words.moment(path, text, _DIGEST)
        if days is not None:
            self.faults.add(
                path,
                f"{shown(text)} names days; write the time alone (`{_DIGEST}`): it goes on every "
                "working day of the manager",
            )
        return usual.digest_at if at is None else at

    # ------------------------------------------------------------------ challenges

    def challenges(self, parts: Sequence[ChallengePart | None]) -> tuple[Terms, ...]:
        """All challenges of the file, those included that are over."""
        if len(parts) > _MOST:
            self.faults.add(
                ("challenges",),
                f"there are {len(parts):,}; {_MOST} are the most: take out old ones",
            )
            return ()
        found: list[Terms] = []
        sound: list[Terms] = []
        names: set[str] = set()
        for index, part in enumerate(parts):
            if part is None:
                continue
            path: Path = ("challenges", index)
            terms, whole = self._terms(path, part)
            if terms.name and terms.name.casefold() in names:
                self.faults.add(
                    (*path, "name"), f"a second challenge is called {shown(terms.name)}"
                )
            names.add(terms.name.casefold())
            found.append(terms)
            whole = whole and not self.faults.told((*path, "trial"))  # one may overlap
            if whole and self._is_over(terms.begins, terms.ends):
                ended = terms.ends.isoformat()
                self.faults.warn(path, f"was over on {ended}: it is not held again")
                continue
            self._judge(path, part, terms, sound if whole else [])
            self._warn_of_boards(path, terms)
            if whole:
                sound.append(terms)
        return tuple(found)

    def _terms(self, path: Path, part: ChallengePart) -> tuple[Terms, bool]:
        """The terms, with stopgaps; and whether the days are those of the file."""
        begins = self.words.day((*path, "from"), part.from_)
        ends = self.words.day((*path, "to"), part.to)
        weigh, post = part.weigh or WeighPart(), part.post
        score = weigh.score
        usual = Terms("", self.today, self.today, self.zone, (), {})
        days, at = (
            self.words.moment((*path, "post"), post, _POST) if post is not None else (None, None)
        )
        terms = replace(
            usual,
            name=" ".join((part.name or "").split()),
            begins=begins or ends or self.today,
            ends=ends or begins or self.today,
            teams=self._teams((*path, "teams"), part.teams, self._is_over(begins, ends)),
            points=_points(part.points),
            kind=self.words.word((*path, "kind"), part.kind, usual.kind),
            counting=self.words.word((*path, "count"), part.count, usual.counting),
            minimum=usual.minimum if part.minimum is None else part.minimum,
            hand_raiser=weigh.hand_raiser or usual.hand_raiser,
            high_score=(score.at_least or 0) if score else 0,
            high_score_times=(score.times or 1) if score else 1,
            most_a_day=part.most_a_day or 0,
            prizes=tuple(
                filter(None, (" ".join((text or "").split()) for text in part.prizes or []))
            ),
            channel=self.words.channel((*path, "channel"), part.channel),
            post_days=usual.post_days if days is None else days,
            post_at=usual.post_at if at is None else at,
            trial=self.words.switch((*path, "trial"), part.trial, usual.trial),
        )
        return terms, begins is not None and ends is not None

    def _is_over(self, begins: date | None, ends: date | None) -> bool:
        """Whether it is past. Nothing comes of it any more, so what its teams have become since is no fault."""
        return begins is not None and ends is not None and begins <= ends < self.today

    def _judge(self, path: Path, part: ChallengePart, terms: Terms, others: list[Terms]) -> None:
        """What the domain says against it, at the keys it is about; what was told of a key is not told again."""
        quiet = {_key_of(key) for key in part.required if part.said(key) is None}
        if not terms.teams and (part.teams is None or any(part.teams)):
            # None of them is known, and that was told: nothing follows from the stopgap.
            terms, others = replace(terms, teams=tuple(self.teams)[:1]), []
            quiet |= {("teams",), ("channel",)}
        if self.faults.told((*path, "kind")):
            quiet.add(("teams",))  # how many it takes depends on the kind
        found = faults_of(
            terms,
            teams={name: self._size(team) for name, team in self.teams.items()},
            zones=(self.zone,),
            others=others,
            today=min(terms.begins, self.today),
            channels={name: team.channel or _A_CHANNEL for name, team in self.teams.items()},
        )
        keys = {_key_of(fault.field) for fault in found} - quiet
        new = {key for key in keys if not self.faults.told((*path, *key))}
        for fault in found:
            if (key := _key_of(fault.field)) in new:
                self.faults.add((*path, *key), _as_message(fault.sentence))

    def _size(self, team: Team) -> int:
        """How many reps a team has; enough, when those are at fault themselves."""
        size = len(team.members)
        return max(size, _ENOUGH) if self.faults.told(("teams", team.name)) else size

    def _warn_of_boards(self, path: Path, terms: Terms) -> None:
        """A race whose board can name nobody is not what somebody meant."""
        known = [self.teams[name] for name in terms.teams if name in self.teams]
        if terms.kind is Kind.TEAMS or not known or any(_may_name(team) for team in known):
            return
        self.faults.warn(
            path,
            f"its board can name nobody: {' and '.join(team.name for team in known)} "
            f"{'have' if len(known) > 1 else 'has'} fewer than {FEWEST} reps or `people_figures: self`; "
            + ("write `kind: teams`, or " if len(known) > 1 else "write ")
            + "`people_figures: named` for the team",
        )

    def _teams(self, path: Path, names: Iterable[str | None] | None, over: bool) -> tuple[str, ...]:
        found: list[str] = []
        for index, name in enumerate(names or ()):
            word = (name or "").strip()
            if not word:
                continue
            if word in found:
                self.faults.add((*path, index), f"{shown(word)} stands here twice")
            elif word in self.teams or over:
                found.append(word)
            elif self.teams and not self.faults.told(("teams", word)):
                self.faults.add(
                    (*path, index),
                    f"there is no team {shown(word)}{did_you_mean(word, self.teams)}; "
                    f"there are {', '.join(self.teams)}",
                )
        return tuple(found)


def _points(part: PointsPart | None) -> dict[Rule, int]:
    """What each rule gives; a rule with 0 is none."""
    worth = {rule: part.said(rule.value) if part else None for rule in Rule}
    return {rule: points for rule, points in worth.items() if isinstance(points, int) and points}


def _may_name(team: Team) -> bool:
    """Whether a board may name those of this team who joined it."""
    return may_board_name(team.people_figures, len(team.members), "joined")


def _key_of(field: str) -> Path:
    return _KEYS.get(field, (field,))


def _as_message(sentence: str) -> str:
    """A sentence as the other faults are told: behind the place, without a full stop."""
    text = sentence.strip().removesuffix(".")
    return f"{text[:1].lower()}{text[1:]}" if text[1:2].islower() or text[1:2] == " " else text
