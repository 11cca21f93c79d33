"""A child that waits for the parent's pool to be full: the thread that would fill it stayed in the parent.

expect: PW401 at waited
"""

import os

from psycopg_pool import ConnectionPool, PoolTimeout

pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1, num_workers=1)
conn = pool.getconn()

child = os.fork()
if child == 0:
    try:
        pool.wait(timeout=0.5)  # mark: waited
    except PoolTimeout:
        print("child: never full", flush=True)
    os._exit(0)
_, status = os.waitpid(child, 0)
pool.putconn(conn)
print("parent", status)
pool.close()
