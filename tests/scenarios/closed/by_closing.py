"""contextlib.closing around a pool that was opened before.

expect: clean
"""

import os
from contextlib import closing

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DSN"], open=False, min_size=1)
pool.open()
with closing(pool):
    with pool.connection() as conn:
        print(conn.execute("select 'closing'").fetchone())
