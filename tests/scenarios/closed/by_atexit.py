"""atexit.register(pool.close), psycopg's advice, and a handler registered later that still uses the pool.

expect: clean
"""

import atexit
import os

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1)
atexit.register(pool.close)


@atexit.register
def say_goodbye() -> None:
    with pool.connection() as conn:
        print(conn.execute("select 'goodbye'").fetchone())


with pool.connection() as conn:
    print(conn.execute("select 'hello'").fetchone())
