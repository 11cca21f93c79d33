"""The query fails, putconn() is never reached, and the traceback that kept the connection alive is dropped.

expect: PW101 at taken
"""

import os

import psycopg
from psycopg_pool import ConnectionPool


def rename(pool: ConnectionPool, name: str) -> None:
    conn = pool.getconn()  # mark: taken
    conn.execute("update no_such_table set name = %s", (name,))
    conn.commit()
    pool.putconn(conn)


with ConnectionPool(os.environ["DSN"], min_size=1, max_size=2, open=True) as pool:
    try:
        rename(pool, "shop")
    except psycopg.Error as error:
        print(type(error).__name__)
