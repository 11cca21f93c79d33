"""A child that checks the connections of its copy of the pool: each check is a query on the parent's socket.

expect: PW401 at checked
"""

import os

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1, num_workers=1)
pool.wait()

child = os.fork()
if child == 0:
    pool.check()  # mark: checked
    os._exit(0)
_, status = os.waitpid(child, 0)
with pool.connection() as conn:
    print("parent", status, conn.execute("select 1").fetchone())
pool.close()
