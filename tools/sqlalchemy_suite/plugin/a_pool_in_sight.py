"""A pytest plugin that keeps a pool of psycopg open while the tests run, so that the agent is at work."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from psycopg_pool import ConnectionPool
from sqlalchemy.dialects.postgresql import provision

# An embedded server has none of them, and tests of pools need none.
getattr(provision, "_extensions", []).clear()


@pytest.fixture(scope="session", autouse=True)
def _a_pool_in_sight() -> Iterator[None]:
    with ConnectionPool(os.environ["PSYCOPG_TEST_DSN"], min_size=1, open=True) as pool:
        pool.wait()
        yield
