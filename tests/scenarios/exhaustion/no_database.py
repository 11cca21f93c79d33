"""No server: a request times out although nobody holds a connection, and the reason is told with it.

expect: PW202 at made
expect: PW201 at asked
"""

import logging

from psycopg_pool import ConnectionPool, PoolTimeout

logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)  # it repeats itself
pool = ConnectionPool("host=127.0.0.1 port=1", min_size=1, num_workers=1, timeout=0.5, open=True)  # mark: made
try:
    with pool.connection() as conn:  # mark: asked
        print(conn.execute("select 1").fetchone())
except PoolTimeout as error:
    print(error)
pool.close()
