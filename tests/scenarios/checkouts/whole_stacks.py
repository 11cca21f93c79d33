"""At the level trace a lost connection is found just the same, from deeper inside the program than the 48 frames that are kept.

env: POOLWITNESS_LEVEL=trace
expect: PW101 at taken
"""

import os

from psycopg_pool import ConnectionPool


def deep(pool: ConnectionPool, depth: int) -> None:
    if depth:
        deep(pool, depth - 1)
        return
    print(pool.getconn().execute("select 1").fetchone())  # mark: taken


with ConnectionPool(os.environ["DSN"], min_size=1, max_size=2, open=True) as pool:
    deep(pool, 60)
