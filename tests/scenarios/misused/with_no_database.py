"""Nothing listens where the pool connects to: wait() gives up and closes the pool itself.

expect: PW202 at made
expect: PW201 at waited
"""

from psycopg_pool import ConnectionPool, PoolTimeout

pool = ConnectionPool("host=127.0.0.1 port=1 dbname=shop", open=False, min_size=1, num_workers=1)  # mark: made
try:
    pool.open(wait=True, timeout=0.3)  # mark: waited
except PoolTimeout as error:
    print(type(error).__name__, error)
print(pool.closed)
