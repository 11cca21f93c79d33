"""close() called twice, and once more by the with block: closing a closed pool does nothing.

expect: clean
"""

import os

from psycopg_pool import ConnectionPool

with ConnectionPool(os.environ["DSN"], open=False, min_size=1) as pool:
    pool.open()
    with pool.connection() as conn:
        print(conn.execute("select 'twice'").fetchone())
    pool.close()
    pool.close()
print(pool.closed)
