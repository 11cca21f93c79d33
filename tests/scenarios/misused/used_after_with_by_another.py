"""The connection is asked for one line too late, outside the with block that made the pool.

expect: PW005 at made
"""

import os

from psycopg_pool import ConnectionPool, PoolClosed

with ConnectionPool(os.environ["DSN"], open=False, min_size=1) as pool:  # mark: made
    pool.wait()

try:
    with pool.connection() as conn:
        conn.execute("select 1")
except PoolClosed as error:
    print(type(error).__name__)
