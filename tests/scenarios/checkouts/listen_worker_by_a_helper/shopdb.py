"""Where the shop takes all its connections."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DSN"], min_size=3, kwargs={"autocommit": True}, open=True)


@contextmanager
def connection() -> Iterator[Any]:
    with pool.connection() as conn:  # mark: helper
        yield conn
