"""A stream is left halfway and its connection put back: the pool can only throw it away.

expect: PW105 at taken
"""

import os

from psycopg_pool import ConnectionPool

with ConnectionPool(os.environ["DSN"], min_size=1, max_size=2, open=True) as pool:
    conn = pool.getconn()  # mark: taken
    rows = conn.cursor().stream("select * from generate_series(1, 1000)")
    print(next(rows))
    pool.putconn(conn)
