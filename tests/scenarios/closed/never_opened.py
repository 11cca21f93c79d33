"""A pool that was made closed and never needed: there is nothing to close.

expect: clean
"""

import os

from psycopg_pool import AsyncConnectionPool, ConnectionPool, NullConnectionPool

pool = ConnectionPool(os.environ["DSN"], open=False)
async_pool = AsyncConnectionPool(os.environ["DSN"], open=False)
null_pool = NullConnectionPool(os.environ["DSN"], open=False)
print(pool.closed, async_pool.closed, null_pool.closed)
