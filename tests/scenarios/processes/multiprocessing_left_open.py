"""A process that multiprocessing forks leaves its pool open: it runs no atexit callback of its parent's, and tells all
the same.

expect: PW001 at made
"""

import multiprocessing
import os
from typing import Any

from psycopg_pool import ConnectionPool

kept: "list[ConnectionPool[Any]]" = []


def work() -> None:
    kept.append(ConnectionPool(os.environ["DSN"], open=True, min_size=0, max_size=1, num_workers=1))  # mark: made
    with kept[0].connection() as conn:
        print(conn.execute("select 'child'").fetchone(), flush=True)


if __name__ == "__main__":
    with ConnectionPool(os.environ["DSN"], open=True, min_size=0, max_size=1) as pool:
        pool.wait()
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join()
    print(process.exitcode)
