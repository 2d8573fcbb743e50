"""The post office of the tests about the outbox."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from storage.database import Database
from tests.storage.deliveries_kit import Post


@pytest.fixture
def post(database_url: str) -> Iterator[Post]:
    database = Database(database_url)
    yield Post(database)
    database.dispose()
