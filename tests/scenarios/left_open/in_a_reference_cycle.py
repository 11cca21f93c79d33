"""A pool in a reference cycle that nobody collects: the garbage collector is off, as in some forking servers.

expect: PW001 at made
expect: PW003 at made  [python>=3.13, pool>=3.2]
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


gc.disable()
main()
