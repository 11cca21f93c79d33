"""A test suite's own patches on the same methods, made after the agent's and taken off again.

expect: clean
"""

import os
from unittest import mock

from psycopg_pool import ConnectionPool, PoolTimeout

with ConnectionPool(os.environ["DSN"], open=False, min_size=1) as pool:
    with mock.patch.object(ConnectionPool, "getconn", autospec=True, side_effect=PoolTimeout("mocked")) as getconn:
        try:
            pool.getconn(timeout=1)
        except PoolTimeout as error:
            print(error, getconn.call_count)
    with mock.patch.object(ConnectionPool, "close") as close:
        pool.close()
        print(close.call_count, pool.closed)
    with pool.connection() as conn:
        print(conn.execute("select 'real again'").fetchone())
print(pool.closed)
