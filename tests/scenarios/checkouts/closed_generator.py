"""A generator that streams rows is left halfway and dropped: closing it returns the connection.

expect: clean
"""

import os
from collections.abc import Iterator

from psycopg_pool import ConnectionPool

with ConnectionPool(os.environ["DSN"], min_size=1, open=True) as pool:

    def numbers() -> Iterator[int]:
        with pool.connection() as conn:
            for row in conn.execute("select * from generate_series(1, 100)"):
                yield row[0]

    for number in numbers():
        if number == 3:
            break
    with pool.connection() as conn:
        print(number, conn.execute("select 1").fetchone())
