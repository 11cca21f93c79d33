"""A preloaded application that goes on with its pool, and a child that leaves that alone and has one of its own.

expect: clean
"""

import os
import sys

from psycopg_pool import ConnectionPool

DSN = os.environ["DSN"]
parents = ConnectionPool(DSN, open=True, min_size=1, num_workers=1)
with parents.connection() as conn:
    conn.execute("select 1")

child = os.fork()
if child == 0:
    with ConnectionPool(DSN, open=False, min_size=1, num_workers=1) as own:
        for _ in range(3):
            with own.connection() as conn:
                conn.execute("select 1")
    sys.exit(0)
_, status = os.waitpid(child, 0)
with parents.connection() as conn:
    print(status, conn.execute("select 1").fetchone())
parents.close()
