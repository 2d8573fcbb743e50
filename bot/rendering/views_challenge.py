"""What services fill in for challenges: the board, one's own place, the end, notes, the list and the form.

Plain frozen values; see `views`. A view holds only what its reader may see: a name that may not be shown is not in
it. What is not here: who may see what (`bot.domain.board_name`, services), wording.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from bot.domain.challenge import Counting, Kind, Rule, State
from bot.rendering.views import Reader


@dataclass(frozen=True, slots=True)
class Contest:
    """What a challenge is, for whoever reads about it. `teams`: their names."""

    id: int
    name: str
    kind: Kind
    counting: Counting
    begins: date
    ends: date
    teams: tuple[str, ...]
    prizes: tuple[str, ...] = ()
    trial: bool = False


@dataclass(frozen=True, slots=True)
class BoardLine:
    """A person or a team with a place. `up`: places gained since the board before."""

    rank: int
    name: str
    score: int
    kept: int = 0
    chances: int = 0
    up: int = 0


@dataclass(frozen=True, slots=True)
class RuleShare:
    """Of one rule: how often kept, of how many chances, and the points of each."""

    rule: Rule
    kept: int
    chances: int
    points: int


@dataclass(frozen=True, slots=True)
class BoardView:
    """The post in the channel. `people`: only those who may be named here, best first; `private`: how many others
    have a place; `best`: a phrase about the figure in the headline ("best day so far"), or "". `kept` of `chances`:
    answers in time, or (`answered` False) all that counts; `rules`: what all kept of each rule."""

    contest: Contest
    reader: Reader
    teams: tuple[BoardLine, ...]
    people: tuple[BoardLine, ...]
    kept: int
    chances: int
    days_left: int
    answered: bool = True
    rules: tuple[RuleShare, ...] = ()
    private: int = 0
    best: str = ""


@dataclass(frozen=True, slots=True)
class Records:
    """What there is to be proud of. `leads`: on which something was done in time; `streak`: the longest row of
    working days with every chance kept, by those who may be named and so many others."""

    leads: int = 0
    touched: int = 0
    qualified: int = 0
    best_day: date | None = None
    best_kept: int = 0
    best_chances: int = 0
    streak: int = 0
    streak_names: tuple[str, ...] = ()
    streak_others: int = 0


@dataclass(frozen=True, slots=True)
class EndView:
    """The last post. `winners`: of the first places, those who may be named, teams when teams compete; `unnamed`:
    how many winners stay private."""

    contest: Contest
    reader: Reader
    winners: tuple[BoardLine, ...]
    unnamed: int
    teams: tuple[BoardLine, ...]
    people: tuple[BoardLine, ...]
    kept: int
    chances: int
    answered: bool = True
    rules: tuple[RuleShare, ...] = ()
    records: Records = Records()


@dataclass(frozen=True, slots=True)
class OwnPlace:
    """What a participant sees of themselves. `rank` None: too few chances yet (`missing` to go), or no score.

    `of`: how many have a place. `to_next`: score that is missing to the place before; None: not said. `choice`: of
    the board, "" not said; `named` True: the board shows the name now; `named_unless`: see `StartNote`.
    """

    contest: Contest
    reader: Reader
    rank: int | None
    of: int
    score: int
    points: int
    most: int
    kept: int
    chances: int
    missing: int = 0
    shares: tuple[RuleShare, ...] = ()
    streak: int = 0
    up: int = 0
    to_next: int | None = None
    days_left: int = 0
    choice: str = ""
    named: bool = False
    may_be_named: bool = (
        True  # False: the team's agreement, or a small team, keeps names off boards
    )
    named_unless: bool = False
    left: bool = False


@dataclass(frozen=True, slots=True)
class TeamPeople:
    """A manager's look at one team. `people` None: its agreement, or its size, allows totals only."""

    team: str
    people: tuple[BoardLine, ...] | None
    unplaced: int = 0


@dataclass(frozen=True, slots=True)
class BoardAnswer:
    """`/leaderboard`: of one challenge, the reader's own place, what their role shows, and the teams."""

    contest: Contest
    reader: Reader
    teams: tuple[BoardLine, ...]
    days_left: int
    own: OwnPlace | None = None
    managed: tuple[TeamPeople, ...] = ()


@dataclass(frozen=True, slots=True)
class NextUp:
    """`/leaderboard` when nothing runs: what comes next, or ended last. Either may be None."""

    reader: Reader
    upcoming: Contest | None = None
    last: Contest | None = None
    may_make: bool = False


@dataclass(frozen=True, slots=True)
class StartNote:
    """The message at the start. `choice`: "" not said, joined, private; `may_be_named`: see `OwnPlace`; `points`: what
    gives how many."""

    contest: Contest
    reader: Reader
    state: State
    choice: str = ""
    may_be_named: bool = True
    named_unless: bool = False  # the team agreed that boards name everybody who does not say no
    points: Mapping[Rule, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FlagNote:
    """Something that looks odd, to the person it is about, or to their manager (`person` set). `what`: the kind;
    `count` (`of` so many): how often; `at`: since when; `verdict`: "" open, fine, void."""

    id: int
    contest: Contest
    reader: Reader
    what: str
    count: int
    of: int = 0
    at: datetime | None = None
    leads: tuple[str, ...] = ()
    points: int = 0
    person: str = ""
    answered: bool = False
    verdict: str = ""
    settled_by: str = ""


@dataclass(frozen=True, slots=True)
class ChallengeRow:
    """One line of `/baton challenge list`."""

    contest: Contest
    state: State
    from_playbook: bool = False
    may_start: bool = False
    may_cancel: bool = False


@dataclass(frozen=True, slots=True)
class ChallengeList:
    """`/baton challenge list`, newest first. `total` >= len(rows)."""

    reader: Reader
    rows: tuple[ChallengeRow, ...]
    total: int = 0
    may_make: bool = False


@dataclass(frozen=True, slots=True)
class ChannelChoice:
    """A channel that a board can go to. `id` "": the team's own."""

    id: str
    label: str


@dataclass(frozen=True, slots=True)
class ChallengeForm:
    """The form with its presets."""

    teams: tuple[str, ...]
    chosen: tuple[str, ...]
    begins: date
    ends: date
    points: dict[Rule, int]
    channels: tuple[ChannelChoice, ...]
    channel: str = ""
    kind: Kind = Kind.RACE
    counting: Counting = Counting.RATE
    minimum: int = 5
    post_at: int = 16 * 60
    post_days: tuple[int, ...] = (0, 1, 2, 3, 4)
    hand_raisers_double: bool = True
    more: tuple[str, ...] = field(default=())  # what else to say above the fields
