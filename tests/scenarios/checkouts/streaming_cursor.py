"""A server-side cursor is read for longer than the limit: its connection is old, and at work.

env: POOLWITNESS_HELD_S=0.4
env: POOLWITNESS_SWEEP_S=0.1
expect: clean
"""

import os
import time

from psycopg_pool import ConnectionPool

with ConnectionPool(os.environ["DSN"], min_size=1, open=True) as pool:
    with pool.connection() as conn:
        rows = 0
        with conn.cursor(name="export") as cursor:
            cursor.itersize = 1
            cursor.execute("select * from generate_series(1, 100)")
            for _ in cursor:
                rows += 1
                time.sleep(0.02)
print(rows)
