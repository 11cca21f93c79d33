"""A null pool with one place, and somebody in it.

expect: PW201 at held
"""

import os

from psycopg_pool import NullConnectionPool, PoolTimeout

with NullConnectionPool(os.environ["DSN"], max_size=1, timeout=0.3, open=True) as pool:
    conn = pool.getconn(timeout=20)  # mark: held
    try:
        pool.getconn()
    except PoolTimeout as error:
        print(error)
    pool.putconn(conn)
    del conn
