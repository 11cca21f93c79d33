"""A pool checks its connections as they are taken, and finds some that the server has ended.

only: pool>=3.2
expect: clean
"""

import os

from psycopg_pool import ConnectionPool

dsn = os.environ["DSN"]
check = ConnectionPool.check_connection
with ConnectionPool(dsn, min_size=2, name="shop", check=check, open=True) as pool:
    with ConnectionPool(dsn, min_size=1, name="admin", open=True) as admin:
        pool.wait()
        for _ in range(3):
            with pool.connection() as conn:
                pid = conn.info.backend_pid
            with admin.connection() as conn:
                conn.execute("select pg_terminate_backend(%s)", (pid,))
            with pool.connection() as conn:
                print(conn.execute("select 1").fetchone())
