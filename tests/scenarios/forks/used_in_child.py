"""A pool at module level, and a child that asks it for a connection as the parent does: the sockets are the parent's.

expect: PW401 at used
"""

import os

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1, num_workers=1)
pool.wait()

child = os.fork()
if child == 0:
    for number in range(3):
        with pool.connection() as conn:  # mark: used
            print("child", conn.execute("select %s::int", (number,)).fetchone(), flush=True)
    os._exit(0)
_, status = os.waitpid(child, 0)
with pool.connection() as conn:
    print("parent", status, conn.execute("select 3").fetchone())
pool.close()
