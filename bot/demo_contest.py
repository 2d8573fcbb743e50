"""How the played people take part in challenges: they join the board or stay private, answer flags, settle them.

What is not here: leads (`demo_reps`), the rules of a challenge (`bot.domain`).
"""

from __future__ import annotations

from bot.demo_habits import HOUR, MINUTE
from bot.demo_reps import Act, Play, habit_of, later
from bot.domain.challenge import State
from bot.services.count_points import FINE, VOID
from bot.services.join_board import JOINED, PRIVATE, join_board
from bot.services.watch_gaming import answer_flag, manager_of, settle_flag
from bot.services.work import Member, Work
from storage import challenges, entrants, flags
from storage.entrants import EntrantRow
from storage.flags import FlagRow


class Contest:
    """Looks every hour at what people were asked. `told`: what somebody has in mind an answer to."""

    def __init__(self, play: Play) -> None:
        self._play = play
        self._told: set[tuple[str, int, int]] = set()

    def look(self, work: Work) -> None:
        """Whoever was asked something since the last time has an answer in mind."""
        for row in challenges.list_challenges(work.conn, (State.RUNNING.value,)):
            for entrant in entrants.list_entrants(work.conn, row.id):
                self._asked(work, entrant)
        judged = (State.RUNNING.value, State.FINISHED.value)
        for row in challenges.list_challenges(work.conn, judged):
            for flag in flags.list_flags(work.conn, row.id):
                self._flagged(work, flag)

    def _asked(self, work: Work, entrant: EntrantRow) -> None:
        who = work.roster.by_id.get(entrant.person_id)
        if who is None or entrant.asked_at is None or entrant.choice:
            return
        if not self._is_new("asked", entrant.challenge_id, who.id):
            return
        habit, dice = habit_of(who), self._play.dice(who)
        if dice.random() < habit.silent:
            return
        choice = JOINED if dice.random() < habit.joins else PRIVATE
        challenge_id = entrant.challenge_id
        self._plan(
            work, who, 5 * MINUTE, 3 * HOUR,
            lambda w, by: join_board(w, by, challenge_id, choice),
        )  # fmt: skip

    def _flagged(self, work: Work, flag: FlagRow) -> None:
        if flag.settled_at is not None:
            return
        who = work.roster.by_id.get(flag.person_id)
        if who is None:
            return
        was_told = flag.told_person_at is not None and self._is_new("told", flag.id, who.id)
        if was_told and self._play.dice(who).random() < 0.6:
            self._plan(work, who, HOUR, 4 * HOUR, lambda w, by: answer_flag(w, by, flag.id))
        manager = manager_of(work, flag)
        if flag.told_manager_at is None or manager is None:
            return
        if self._is_new("settles", flag.id, manager.id):
            verdict = VOID if habit_of(who).bursts else FINE
            self._plan(
                work, manager, 2 * HOUR, 5 * HOUR,
                lambda w, by: settle_flag(w, by, flag.id, verdict),
            )  # fmt: skip

    def _plan(self, work: Work, who: Member, least: int, most: int, act: Act) -> None:
        seconds = self._play.dice(who).randint(least, most)
        self._play.plan(who, later(work, who, seconds), act)

    def _is_new(self, what: str, about: int, who: int) -> bool:
        key = (what, about, who)
        new = key not in self._told
        self._told.add(key)
        return new
