"""A pool that is made before the fork and opened after it, in the child and in the parent: each has its own.

expect: clean
"""

import os
import sys

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DSN"], open=False, min_size=1, num_workers=1)


def work(who: str) -> None:
    with pool, pool.connection() as conn:
        print(who, conn.execute("select 1").fetchone(), flush=True)


child = os.fork()
if child == 0:
    work("child")
    sys.exit(0)
_, status = os.waitpid(child, 0)
work("parent")
