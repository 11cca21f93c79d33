"""A generator that streams rows and is never read to its end, so that it still has a connection at exit.

expect: PW001 at made
expect: PW102 at taken
expect: PW003 at made  [python>=3.13, pool>=3.2]
"""

import os
from collections.abc import Iterator
from typing import Any

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1, num_workers=1)  # mark: made


def stream(limit: int) -> Iterator[Any]:
    with pool.connection() as conn:  # mark: taken
        yield from conn.execute("select generate_series(1, %s)", (limit,))


numbers = stream(1000)
print(next(numbers), next(numbers))
