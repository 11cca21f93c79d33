"""Somebody takes a connection out of the pool behind its back: a slot that nobody has.

env: POOLWITNESS_SWEEP_S=0.1
expect: PW107 at made
"""

import os
import time
from typing import Any

from psycopg_pool import ConnectionPool

pool: Any = ConnectionPool(os.environ["DSN"], min_size=2, open=True)  # mark: made
with pool:
    pool.wait()
    conn = pool._pool.popleft()
    print(conn.execute("select 1").fetchone())
    conn.close()
    del conn
    time.sleep(1.5)
