"""Eight threads share a pool and end; the pool is left behind.

expect: PW001 at made
expect: PW003 at made  [python>=3.13, pool>=3.2]
"""

import os
from concurrent.futures import ThreadPoolExecutor

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DSN"], open=True, min_size=3, max_size=3, num_workers=1)  # mark: made
# A worker that is still connecting when the program ends keeps the pool alive, and nothing is finalized.
pool.wait()


def square(number: int) -> int:
    with pool.connection() as conn:
        row = conn.execute("select %s::int ^ 2", (number,)).fetchone()
        return int(row[0]) if row else 0


with ThreadPoolExecutor(max_workers=8) as executor:
    print(list(executor.map(square, range(32))))
