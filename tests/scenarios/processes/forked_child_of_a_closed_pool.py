"""A pool that is closed before the fork, and a child that ends by os._exit.

expect: clean
"""

import os

from psycopg_pool import ConnectionPool

with ConnectionPool(os.environ["DSN"], open=False, min_size=1) as pool:
    with pool.connection() as conn:
        print(conn.execute("select 'before'").fetchone(), flush=True)

child = os.fork()
if child == 0:
    os._exit(6)
_, status = os.waitpid(child, 0)
print("after", os.WEXITSTATUS(status))
