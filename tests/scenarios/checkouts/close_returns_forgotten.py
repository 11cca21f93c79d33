"""The pool's close() would return the connection, and nobody calls it.

only: pool>=3.3
expect: PW101 at taken
"""

import os

from psycopg_pool import ConnectionPool


def count(pool: ConnectionPool) -> None:
    conn = pool.getconn()  # mark: taken
    print(conn.execute("select 1").fetchone())


with ConnectionPool(os.environ["DSN"], min_size=1, max_size=2, close_returns=True, open=True) as pool:
    count(pool)
