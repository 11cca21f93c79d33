"""A child that becomes another program while the parent's pool is open, which has a pool of its own.

expect: clean
"""

import os
import sys

from psycopg_pool import ConnectionPool

PROGRAM = """
import os
from psycopg_pool import ConnectionPool

with ConnectionPool(os.environ["DSN"], open=False, min_size=1, num_workers=1) as pool:
    with pool.connection() as conn:
        print("other", conn.execute("select 1").fetchone())
"""

with ConnectionPool(os.environ["DSN"], open=False, min_size=1, num_workers=1) as pool:
    with pool.connection() as conn:
        conn.execute("select 1")
    child = os.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-c", PROGRAM])
    _, status = os.waitpid(child, 0)
    with pool.connection() as conn:
        print("parent", status, conn.execute("select 1").fetchone())
