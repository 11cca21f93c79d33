"""Pools entered on an ExitStack that is closed.

expect: clean
"""

import os
from contextlib import ExitStack

from psycopg_pool import ConnectionPool

with ExitStack() as stack:
    pools = [
        stack.enter_context(ConnectionPool(os.environ["DSN"], open=False, min_size=1, num_workers=1)) for _ in range(3)
    ]
    for pool in pools:
        with pool.connection() as conn:
            print(conn.execute("select 1").fetchone())
