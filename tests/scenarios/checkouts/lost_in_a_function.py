"""A function takes a connection, reads one row and forgets to put it back.

expect: 2 x PW101 at taken
"""

import os

from psycopg_pool import ConnectionPool


def count(pool: ConnectionPool, limit: int) -> int:
    conn = pool.getconn()  # mark: taken
    row = conn.execute("select count(*) from generate_series(1, %s::int)", (limit,)).fetchone()
    return int(row[0]) if row else 0


with ConnectionPool(os.environ["DSN"], min_size=1, max_size=4, open=True) as pool:
    print(count(pool, 3), count(pool, 5))
