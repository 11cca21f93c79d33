"""SIGTERM in the middle of a query: a connection that is at work is no fault.

env: POOLWITNESS_SIGTERM=1
signal: SIGTERM
status: -15
expect: PW001 at made
"""

import os

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1, num_workers=1)  # mark: made
with pool.connection() as conn:
    conn.execute("select 1")
    print("READY", flush=True)
    conn.execute("select pg_sleep(60)")
