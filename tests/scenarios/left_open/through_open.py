"""A pool made closed, opened later by open(), never closed: the line that made it is the one to open.

expect: PW001 at made
expect: PW003 at made  [python>=3.13, pool>=3.2]
"""

import os

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DSN"], open=False, min_size=1, num_workers=1)  # mark: made


def start() -> None:
    pool.open(wait=True)


start()
with pool.connection() as conn:
    print(conn.execute("select 'open at last'").fetchone())
