"""The office of the tests about delivery. The desk of the others is built where it is used."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.services.deliver_kit import Office
from tests.story_fixture import pytest_runtest_makereport as pytest_runtest_makereport
from tests.story_fixture import story as story


@pytest.fixture
async def office(database_url: str) -> AsyncIterator[Office]:
    office = Office(database_url)
    yield office
    await office.deliverer.stop()
    office.database.dispose()
