"""A handler registered before the pool is made runs after the one that closes it.

expect: clean
"""

import atexit
import os

from psycopg_pool import ConnectionPool


@atexit.register
def last_words() -> None:
    print("closed:", pool.closed)


pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1)
atexit.register(pool.close)
with pool.connection() as conn:
    print(conn.execute("select 'hello'").fetchone())
