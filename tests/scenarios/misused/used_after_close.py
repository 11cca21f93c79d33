"""A retry loop around a pool that somebody closed: four exceptions, one fault, one line to open.

expect: PW005 at closed
"""

import os

from psycopg_pool import ConnectionPool, PoolClosed

pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1)


def reset_state() -> None:
    pool.close()  # mark: closed


def ping() -> str:
    for attempt in range(4):
        try:
            with pool.connection() as conn:
                row = conn.execute("select 'pong'").fetchone()
                return str(row[0]) if row else ""
        except PoolClosed as error:
            print(attempt, error)
    return "gave up"


print(ping())
reset_state()
print(ping())
