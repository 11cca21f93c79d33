"""SIGTERM, with POOLWITNESS_SIGTERM and POOLWITNESS_CLOSE: the verdict is told and the pools are closed, then it dies.

env: POOLWITNESS_CLOSE=1
env: POOLWITNESS_SIGTERM=1
signal: SIGTERM
status: -15
expect: PW001 at made
"""

import os
import threading

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1, num_workers=1)  # mark: made
with pool.connection() as conn:
    conn.execute("select 1")
print("READY", flush=True)
threading.Event().wait(60)
