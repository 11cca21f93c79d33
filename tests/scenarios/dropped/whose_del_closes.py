"""A subclass that closes itself in __del__ and is dropped: it was closed, by its last breath.

expect: clean
"""

import os

from psycopg_pool import ConnectionPool


class TidyPool(ConnectionPool):
    def __del__(self) -> None:
        self.close()


def main() -> None:
    pool = TidyPool(os.environ["DSN"], open=True, min_size=1, num_workers=1)
    with pool.connection() as conn:
        print(conn.execute("select 'tidy'").fetchone())


main()
