"""Processes from a fork server, which never saw the pool that the program has open.

expect: clean
"""

import multiprocessing
import os

from psycopg_pool import ConnectionPool

DSN = os.environ["DSN"]


def square(number: int) -> int:
    with ConnectionPool(DSN, open=False, min_size=1, num_workers=1) as pool:
        with pool.connection() as conn:
            row = conn.execute("select %s::int ^ 2", (number,)).fetchone()
            return int(row[0]) if row else 0


if __name__ == "__main__":
    with ConnectionPool(DSN, open=False, min_size=1, num_workers=1) as pool:
        with multiprocessing.get_context("forkserver").Pool(1) as workers:
            print(workers.map(square, range(3)))
        with pool.connection() as conn:
            print(conn.execute("select 'main'").fetchone())
