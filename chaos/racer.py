"""One process of a race: gets its task, says that it is ready, starts when told to, and gives back what it found.

It uses the product's services with a database and a runtime of its own, as a second
`baton web` or `baton worker` would. What is not here: the start signal and the verdict (`race`).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.clock import Clock
from bot.domain.lead import LeadFacts
from bot.domain.refusal import Refusal
from bot.services import answer_offer, manage_lead
from bot.services.answer_offer import Answer
from bot.services.apply_playbook import apply_playbook
from bot.services.fire_timers import fire_due
from bot.services.receive_leads import Incoming, Message, receive_leads
from bot.services.runtime import Runtime
from bot.services.work import Member, Work
from chaos.playbooks import agreement_of
from handlers.desk import sentence_of
from storage.database import Database

DEEDS: dict[str, Callable[[Work, Member | None, str], Answer]] = {
    "accept": answer_offer.accept,
    "pass_on": answer_offer.pass_on,
    "take": manage_lead.take,
}


class Racer:
    """A runtime whose business time runs from `now` since the start signal, or stands still (`still`)."""

    def __init__(self, task: Mapping[str, Any]) -> None:
        self.task = task
        self._base = datetime.fromisoformat(task["now"])
        self._started: float | None = None
        agreement = agreement_of(task["playbook"])
        self.runtime = Runtime(Database(task["url"]), Clock(self._time), agreement)
        self.runtime.read_now(lambda work: len(work.roster.by_id))  # connected before the start

    def _time(self) -> datetime:
        if self._started is None or self.task.get("still", True):
            return self._base
        return self._base + timedelta(seconds=time.monotonic() - self._started)

    def start(self) -> None:
        self._started = time.monotonic()

    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - (self._started or 0.0)

    def click(self) -> list[dict[str, Any]]:
        """Use each button of `clicks` ([deed, who, offer, seconds after the start]); what each was answered."""
        clicks = self.task["clicks"]
        pause = self.task.get("pause", 0.0)
        rng = random.Random(self.task.get("seed", 0))

        def one(click: list[Any]) -> dict[str, Any]:
            found = self._click(click)
            # SQLite's lock is not fair: without a breath one process would have it until all is done.
            time.sleep(rng.uniform(0, pause))
            return found

        with ThreadPoolExecutor(self.task.get("threads", 1)) as pool:
            return list(pool.map(one, clicks))

    def _click(self, click: list[Any]) -> dict[str, Any]:
        deed, who, offer_id, at = click
        if at is not None and at > self.elapsed():
            time.sleep(at - self.elapsed())

        def act(work: Work) -> dict[str, Any]:
            actor = work.roster.by_email.get(who)
            answer = DEEDS[deed](work, actor, offer_id)
            if isinstance(answer, Refusal):
                return {"said": answer.code, "sentence": sentence_of(answer, work, actor)}
            return {"said": "done", "sentence": ""}

        began = time.monotonic()
        try:
            found = self.runtime.write_now(act)
        except Exception as error:  # reported, so that the race counts it
            found = {"said": f"error {type(error).__name__}", "sentence": str(error)[:200]}
        return {"offer": offer_id, "deed": deed, "from": began, "to": time.monotonic(), **found}

    def tick(self) -> dict[str, Any]:
        """Fire what is due, over and over for `seconds`, or until nothing was due `idle` times in a row."""
        fired, idle, errors = 0, 0, 0
        while self.elapsed() < self.task["seconds"] and idle < self.task.get("idle", 10**9):
            try:
                some = self.runtime.write_now(lambda work: fire_due(work, self.task["batch"]))
            except Exception:  # a lost race for locks; the ticker logs it and ticks again
                errors += 1
                continue
            fired += some
            idle = 0 if some else idle + 1
            # Lets the others in, as the ticker does.
            time.sleep(max(0.002, random.uniform(0, self.task.get("pause", 0.0))))
        return {"fired": fired, "errors": errors}

    def begin(self) -> int:
        """Put the playbook in force as a process does that starts and finds none; the version it works under."""
        body = self.task["playbook"]
        applied = self.runtime.write_now(lambda work: apply_playbook(work, body, "the same text"))
        return applied.version

    def receive(self) -> list[list[dict[str, Any]]]:
        """Take each message of `messages` ({id, leads}); again when the database could not, as a sender does."""
        return [self._receive(message) for message in self.task["messages"]]

    def _receive(self, sent: Mapping[str, Any]) -> list[dict[str, Any]]:
        items = tuple(
            Incoming(index, facts_of(lead, self._time()))
            for index, lead in enumerate(sent["leads"])
        )
        message = Message("race", sent["id"], sent["sha256"], b"{}", items)
        for attempt in range(1, 6):
            try:
                received = self.runtime.write_now(lambda work: receive_leads(work, message))
            except Exception as error:
                if attempt == 5:
                    return [{"status": f"error {type(error).__name__}"}]
                time.sleep(random.uniform(0.05, 0.2))
            else:
                if received.conflict:
                    return [{"status": "conflict"}]
                return [{**result, "tries": attempt} for result in received.results]
        raise AssertionError("unreachable")


def facts_of(lead: Mapping[str, Any], now: datetime) -> LeadFacts:
    """The lead of a task as the intake would have parsed it."""
    return replace(LeadFacts(**lead), occurred_at=now.astimezone(UTC))


def run_task(task: Mapping[str, Any], wait_for_the_signal: Callable[[], None]) -> Any:
    """Race; what it found."""
    racer = Racer(task)
    job: Callable[[], Any] = {
        "click": racer.click,
        "tick": racer.tick,
        "receive": racer.receive,
        "begin": racer.begin,
    }[task["job"]]
    try:
        wait_for_the_signal()
        racer.start()
        return job()
    finally:
        racer.runtime.close()
