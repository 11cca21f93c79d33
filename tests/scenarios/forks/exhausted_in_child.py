"""A child that asks the parent's empty pool and waits in vain: nobody in the child could ever bring a connection.

expect: PW401 at asked
"""

import os

from psycopg_pool import ConnectionPool, PoolTimeout

pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1, max_size=1, num_workers=1)
conn = pool.getconn()

child = os.fork()
if child == 0:
    try:
        pool.getconn(timeout=0.5)  # mark: asked
    except PoolTimeout as error:
        print("child:", type(error).__name__, flush=True)
    os._exit(0)
_, status = os.waitpid(child, 0)
pool.putconn(conn)
print("parent", status)
pool.close()
