"""The clock moves only where it should; log lines tell ids and keep the rest to themselves."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

import pytest
from freezegun import freeze_time

from bot.clock import Clock
from bot.logs import configure_logging, get_logger, redact
from tests.quiet import plain_logs

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


class TestClock:
    def test_business_time_runs_ahead_by_the_offset(self) -> None:
        clock = Clock(lambda: NOON)
        clock.set_offset(timedelta(hours=5))

        assert (clock.real(), clock.business()) == (NOON, NOON + timedelta(hours=5))
        assert clock.offset == timedelta(hours=5)

    def test_it_speaks_utc_whatever_its_source_does(self) -> None:
        clock = Clock(lambda: NOON.astimezone(timezone(timedelta(hours=2))))

        assert clock.real().utcoffset() == timedelta()

    def test_a_frozen_day_is_seen(self) -> None:
        clock = Clock()
        with freeze_time(NOON):
            assert clock.real() == NOON


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    stream = io.StringIO()
    configure_logging("DEBUG", stream)
    yield stream
    root.setLevel(level)
    root.handlers[:] = handlers
    plain_logs()


@dataclass
class Person:
    name: str


class TestLogs:
    def test_a_line_is_json_with_ids(self, lines: io.StringIO) -> None:
        get_logger("baton").info("lead offered", lead_id=7, due=NOON)

        line = json.loads(lines.getvalue())
        assert (line["event"], line["lead_id"], line["level"]) == ("lead offered", 7, "info")
        assert line["due"] == NOON.isoformat()

    @pytest.mark.parametrize(
        "secret",
        [
            "xoxb-12-ab-CD",
            "xoxe.xoxp-1-Mi0",
            "xapp-1-A0-9f",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "Bearer abc.def",
            "postgresql://baton:s3cr3t@db/baton",
            "jo.doe@nordwind.example",
            "jürgen@müller.example",
        ],
    )
    def test_secrets_and_addresses_never_reach_it(self, secret: str, lines: io.StringIO) -> None:
        get_logger("baton").info(f"a {secret}", nested={"deep": [secret]})
        logging.getLogger("some.library").warning("it said %s", secret)
        try:
            raise ValueError(secret)
        except ValueError:
            get_logger("baton").exception("failed")

        core = secret.rpartition(" ")[2].partition("@")[0].rpartition(":")[2]
        assert core not in lines.getvalue()
        assert len([json.loads(line) for line in lines.getvalue().splitlines()]) == 3

    def test_a_traceback_has_no_local_values(self, lines: io.StringIO) -> None:
        canary = Person("Canary Bird")
        try:
            raise RuntimeError("broken")
        except RuntimeError:
            get_logger("baton").exception("failed", person=canary)

        assert "broken" in lines.getvalue()
        assert canary.name not in lines.getvalue()

    def test_what_a_line_adds_beside_its_words_is_there(self, lines: io.StringIO) -> None:
        more = {"lead": 41, "failure": "invalid_auth", "body": "a library's own"}
        logging.getLogger("bot.somewhere").warning("a timer failed", extra=more)

        said = json.loads(lines.getvalue())
        assert (said["lead"], said["failure"]) == (41, "invalid_auth")
        assert "body" not in said

    def test_bolt_is_quiet_about_bodies(self, lines: io.StringIO) -> None:
        logging.getLogger("slack_bolt.AsyncApp").info("invalid request: a whole body")

        assert lines.getvalue() == ""

    def test_configuring_twice_does_not_say_it_twice(self, lines: io.StringIO) -> None:
        configure_logging("DEBUG", lines)
        get_logger("baton").info("once")

        assert len(lines.getvalue().splitlines()) == 1

    def test_ordinary_text_is_left_alone(self) -> None:
        text = "lead 7 offered to person 3 at 12:00, see https://baton.example/lead/7"

        assert redact(text) == text
