"""A child that has a pool of its own, and after a while takes the parent's by mistake.

expect: PW401 at used
"""

import os
import sys

from psycopg_pool import ConnectionPool

DSN = os.environ["DSN"]
parents = ConnectionPool(DSN, open=True, min_size=1, num_workers=1, name="parents")
parents.wait()

child = os.fork()
if child == 0:
    with ConnectionPool(DSN, open=False, min_size=1, num_workers=1, name="childs") as own:
        for _ in range(3):
            with own.connection() as conn:
                conn.execute("select 1")
        with parents.connection() as conn:  # mark: used
            print("child", conn.execute("select 1").fetchone(), flush=True)
    sys.exit(0)
_, status = os.waitpid(child, 0)
print("parent", status)
parents.close()
