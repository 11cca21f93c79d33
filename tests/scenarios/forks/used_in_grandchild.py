"""A child with a pool of its own that forks again: the grandchild takes the child's pool, and the child's line is told.

expect: PW401 at used
"""

import os
import sys

from psycopg_pool import ConnectionPool

if os.fork() == 0:
    with ConnectionPool(os.environ["DSN"], open=False, min_size=1, num_workers=1) as pool:
        pool.wait()
        grandchild = os.fork()
        if grandchild == 0:
            with pool.connection() as conn:  # mark: used
                print("grandchild", conn.execute("select 1").fetchone(), flush=True)
            os._exit(0)
        os.waitpid(grandchild, 0)
    sys.exit(0)
_, status = os.wait()
with ConnectionPool(os.environ["DSN"], open=False, min_size=1, num_workers=1) as pool:
    print("parent", status, pool.closed)
