"""SIGTERM under its default action: the process dies of it, and no exit hook is reached.

signal: SIGTERM
status: -15
expect: no verdict
"""

import os
import threading

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1, num_workers=1)
with pool.connection() as conn:
    conn.execute("select 1")
print("READY", flush=True)
threading.Event().wait(60)
