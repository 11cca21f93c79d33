"""A shared pool in somebody's with block, which closes it for everybody else.

expect: PW005 at closed
"""

import os

from psycopg_pool import ConnectionPool, PoolClosed

shared = ConnectionPool(os.environ["DSN"], open=False, min_size=1)
shared.open()


def count() -> int:
    with shared as pool:  # mark: closed
        with pool.connection() as conn:
            row = conn.execute("select count(*) from generate_series(1, 5)").fetchone()
            return int(row[0]) if row else 0


print(count())
try:
    conn = shared.getconn()
except PoolClosed as error:
    print(error)
