"""An audit function takes a second connection while its caller has one.

expect: PW106 at inner
"""

import os

from psycopg_pool import ConnectionPool


def note(pool: ConnectionPool, item: int) -> None:
    with pool.connection() as conn:  # mark: inner
        conn.execute("select %s::int", (item,))


def order(pool: ConnectionPool, item: int) -> None:
    with pool.connection() as conn:
        conn.execute("select %s::int", (item,))
        note(pool, item)


with ConnectionPool(os.environ["DSN"], min_size=2, open=True) as pool:
    for item in range(3):
        order(pool, item)
print("ordered")
