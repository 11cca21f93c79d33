"""A connection sits in a module's global when the program ends.

expect: PW102 at taken
"""

import os

from psycopg_pool import ConnectionPool

with ConnectionPool(os.environ["DSN"], min_size=1, max_size=2, open=True) as pool:
    conn = pool.getconn()  # mark: taken
    print(conn.execute("select 1").fetchone())
