"""A generator that streams rows is read halfway and kept: its with block waits inside it.

expect: PW102 at taken
"""

import os
from collections.abc import Iterator

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DSN"], min_size=1, open=True)


def numbers() -> Iterator[int]:
    with pool.connection() as conn:  # mark: taken
        for row in conn.execute("select * from generate_series(1, 100)"):
            yield row[0]


stream = numbers()
print(next(stream), next(stream))
pool.close()
