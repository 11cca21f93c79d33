"""At the level exit checkouts are not watched: a lost connection is not told.

env: POOLWITNESS_LEVEL=exit
expect: clean
"""

import os

from psycopg_pool import ConnectionPool

with ConnectionPool(os.environ["DSN"], min_size=1, max_size=2, open=True) as pool:
    print(pool.getconn().execute("select 1").fetchone())
