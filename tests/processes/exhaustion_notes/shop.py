"""All connections of a shop are taken by one helper; a report keeps one, a function loses one, and a page asks for two."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DSN"], min_size=3, timeout=0.5, name="shop", open=True)
reading, served = threading.Event(), threading.Event()


@contextmanager
def connection() -> Iterator[Any]:
    with pool.connection() as conn:
        yield conn


def slow_report() -> None:
    with connection() as conn:
        conn.execute("select 'a long list'")
        reading.set()
        served.wait()


def leak() -> None:
    pool.getconn().execute("select 'forgotten'")


def page() -> None:
    with connection():
        with connection() as another:
            another.execute("select 'never reached'")


with pool:
    report = threading.Thread(target=slow_report, name="report")
    report.start()
    reading.wait()
    leak()
    try:
        page()
    finally:
        served.set()
        report.join()
