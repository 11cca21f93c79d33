"""A pool that was never opened is asked for a connection: PoolClosed, but nobody closed anything.

expect: clean
"""

import os

from psycopg_pool import ConnectionPool, PoolClosed

pool = ConnectionPool(os.environ["DSN"], open=False, min_size=1, name="shop")
try:
    with pool.connection() as conn:
        conn.execute("select 1")
except PoolClosed as error:
    print(error)
