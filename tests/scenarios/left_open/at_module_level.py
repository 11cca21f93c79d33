"""A pool made at module level and never closed: the textbook case.

expect: PW001 at made
expect: PW003 at made  [python>=3.13, pool>=3.2]
"""

import os

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1, num_workers=1)  # mark: made


def count_to(limit: int) -> int:
    with pool.connection() as conn:
        return len(conn.execute("select generate_series(1, %s)", (limit,)).fetchall())


print(count_to(3))
