"""The same with spawned processes, which import the program and start from nothing.

expect: clean
"""

import multiprocessing
import os

from psycopg_pool import ConnectionPool

DSN = os.environ["DSN"]


def square(number: int) -> int:
    with ConnectionPool(DSN, open=False, min_size=1) as pool:
        with pool.connection() as conn:
            row = conn.execute("select %s::int ^ 2", (number,)).fetchone()
            return int(row[0]) if row else 0


if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(2) as workers:
        print(workers.map(square, range(6)))
    with ConnectionPool(DSN, open=False, min_size=1) as pool:
        with pool.connection() as conn:
            print(conn.execute("select 'main'").fetchone())
