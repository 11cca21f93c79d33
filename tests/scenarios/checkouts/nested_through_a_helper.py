"""Everybody takes connections by one context manager, and one of them uses it within another.

expect: PW106 at inner
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DSN"], min_size=3, open=True)


@contextmanager
def connection() -> Iterator[Any]:
    with pool.connection() as conn:
        yield conn


def note(item: int) -> None:
    with connection() as conn:  # mark: inner
        conn.execute("select %s::int", (item,))


def order(item: int) -> None:
    with connection() as conn:
        conn.execute("select %s::int", (item,))
        note(item)


def several() -> None:
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(connection())


with pool:
    note(0)
    several()
    for item in range(3):
        order(item)
print("ordered")
