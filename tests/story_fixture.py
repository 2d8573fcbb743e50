"""The fixture `story`, for the folders whose tests tell one. What is not here: the story itself (`tests.story`)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Generator

import pytest
import pytest_asyncio

from tests.story import Story
from tests.story_house import story_of

_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember a failure: what is left over after one says nothing."""
    report = yield
    if report.failed:
        item.stash[_FAILED] = True
    return report


@pytest_asyncio.fixture
async def story(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[Story]:
    """A running Baton with its workspace; at the end every message must have been expected."""
    name = re.sub(r"[^\w.-]+", "_", request.node.name)
    async with story_of(database_url, name=name) as told:
        yield told
        if not request.node.stash.get(_FAILED, False):
            await told.expect_nothing_else()
