"""An exception that leaves the with block closes the pool on its way and ends the program.

status: 1
expect: clean
"""

import os

from psycopg_pool import ConnectionPool

with ConnectionPool(os.environ["DSN"], open=False, min_size=1) as pool:
    with pool.connection() as conn:
        print(conn.execute("select 'so far, so good'").fetchone())
        raise LookupError("no such customer")
