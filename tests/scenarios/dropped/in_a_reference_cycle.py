"""A pool in a reference cycle that the garbage collector finds while the program runs.

expect: PW002 at made
"""

import gc
import os

from psycopg_pool import ConnectionPool


class Service:
    def __init__(self) -> None:
        self.pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1, num_workers=1)  # mark: made
        self.handlers = {"ping": self.ping}

    def ping(self) -> None:
        with self.pool.connection() as conn:
            print(conn.execute("select 'pong'").fetchone())


def main() -> None:
    Service().handlers["ping"]()


main()
print("collected:", gc.collect() > 0)
