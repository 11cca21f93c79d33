"""A program that fails before it reaches its own clean-up.

status: 1
expect: PW001 at made
expect: PW003 at made  [python>=3.13, pool>=3.2]
"""

import os

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1, num_workers=1)  # mark: made


def share(total: int, people: int) -> int:
    with pool.connection() as conn:
        conn.execute("select 1")
    return total // people


print(share(10, 2))
print(share(10, 0))
pool.close()
