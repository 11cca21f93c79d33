"""close() of a connection returns it to its pool, where the pool was made so.

only: pool>=3.3
expect: clean
"""

import os

from psycopg_pool import ConnectionPool

with ConnectionPool(os.environ["DSN"], min_size=1, close_returns=True, open=True) as pool:
    for number in range(4):
        conn = pool.getconn()
        print(conn.execute("select %s::int", (number,)).fetchone())
        conn.commit()
        conn.close()
    with pool.connection() as conn:
        print(conn.execute("select 'and so'").fetchone())
