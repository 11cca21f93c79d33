"""A fork while a connection is out, and a child that gives the parent's connection back to its copy of the pool.

expect: PW401 at taken
"""

import os

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1, num_workers=1)
with pool.connection() as conn:  # mark: taken
    child = os.fork()
if child == 0:
    os._exit(0)
_, status = os.waitpid(child, 0)
with pool.connection() as conn:
    print("parent", status, conn.execute("select 1").fetchone())
pool.close()
