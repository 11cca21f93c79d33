"""At the level exit checkouts are not watched, but who closes a pool is.

env: POOLWITNESS_LEVEL=exit
expect: PW401 at closed
"""

import os

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1, num_workers=1)
with pool.connection() as conn:
    conn.execute("select 1")

child = os.fork()
if child == 0:
    pool.close()  # mark: closed
    os._exit(0)
_, status = os.waitpid(child, 0)
print("parent", status)
pool.close()
