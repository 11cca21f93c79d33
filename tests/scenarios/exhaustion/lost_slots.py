"""Every slot has been lost, one request at a time: nobody holds a connection, and there is none.

expect: 2 x PW101 at taken
expect: PW201 at asked
"""

import os

from psycopg_pool import ConnectionPool, PoolTimeout


def count(pool: ConnectionPool, number: int) -> None:
    conn = pool.getconn(timeout=20)  # mark: taken
    print(conn.execute("select %s::int", (number,)).fetchone())


with ConnectionPool(os.environ["DSN"], min_size=2, timeout=0.3, open=True) as pool:
    count(pool, 1)
    count(pool, 2)
    try:
        with pool.connection() as conn:  # mark: asked
            print(conn.execute("select 3").fetchone())
    except PoolTimeout as error:
        print(error)
