"""A row is inserted and the connection put back without a commit: the row is gone.

expect: PW104 at returned
"""

import os

from psycopg_pool import ConnectionPool


def order(pool: ConnectionPool, item: int) -> None:
    conn = pool.getconn()
    try:
        conn.execute("create temporary table if not exists orders (item int)")
        conn.execute("insert into orders values (%s)", (item,))
    finally:
        pool.putconn(conn)  # mark: returned


with ConnectionPool(os.environ["DSN"], min_size=1, max_size=2, open=True) as pool:
    order(pool, 1)
    order(pool, 2)
