"""Each test of the whole app gets a story of its own, and fails when Baton said something that it did not expect."""

from __future__ import annotations

from tests.story_fixture import pytest_runtest_makereport as pytest_runtest_makereport
from tests.story_fixture import story as story
