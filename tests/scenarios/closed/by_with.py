"""The pool as a context manager, as the manual advises.

expect: clean
"""

import os

from psycopg_pool import ConnectionPool

with ConnectionPool(os.environ["DSN"], open=False, min_size=1) as pool:
    with pool.connection() as conn:
        print(conn.execute("select 'well kept'").fetchone())
