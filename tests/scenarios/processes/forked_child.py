"""A child that is forked while a pool is open, does not touch it and ends: the pool is the parent's to
answer for.

expect: PW001 at made
expect: PW003 at made  [python>=3.13, pool>=3.2]
"""

import os
import sys

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1, num_workers=1)  # mark: made
with pool.connection() as conn:
    conn.execute("select 1")

child = os.fork()
if child == 0:
    print("child", flush=True)
    sys.exit(0)
_, status = os.waitpid(child, 0)
with pool.connection() as conn:
    print("parent", status, conn.execute("select 1").fetchone())
