"""The program closes the connection by hand inside the with block.

expect: PW105 at taken
"""

import os

from psycopg_pool import ConnectionPool

with ConnectionPool(os.environ["DSN"], min_size=1, max_size=2, open=True) as pool:
    for _ in range(2):
        with pool.connection() as conn:  # mark: taken
            print(conn.execute("select 1").fetchone())
            conn.close()
