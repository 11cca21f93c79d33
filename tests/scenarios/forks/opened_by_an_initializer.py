"""A pool in each worker process, opened by the initializer and closed at the worker's end, beside the parent's own.

expect: clean
"""

import multiprocessing
import multiprocessing.util
import os

from psycopg_pool import ConnectionPool

DSN = os.environ["DSN"]
pool: ConnectionPool


def start() -> None:
    global pool
    pool = ConnectionPool(DSN, open=True, min_size=1, num_workers=1)
    multiprocessing.util.Finalize(pool, pool.close, exitpriority=10)


def square(number: int) -> int:
    with pool.connection() as conn:
        row = conn.execute("select %s::int ^ 2", (number,)).fetchone()
        return int(row[0]) if row else 0


if __name__ == "__main__":
    with ConnectionPool(DSN, open=False, min_size=1, num_workers=1) as parents:
        parents.wait()
        workers = multiprocessing.get_context("fork").Pool(2, initializer=start)
        print(workers.map(square, range(4)))
        workers.close()
        workers.join()
        with parents.connection() as conn:
            print(conn.execute("select 'main'").fetchone())
