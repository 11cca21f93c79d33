"""weakref.finalize closes the pool of an object: for one when it dies, for the other at exit.

expect: clean
"""

import os
import weakref

from psycopg_pool import ConnectionPool


class Store:
    def __init__(self) -> None:
        self.pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1)
        weakref.finalize(self, self.pool.close)

    def ping(self) -> None:
        with self.pool.connection() as conn:
            print(conn.execute("select 'pong'").fetchone())


def once() -> None:
    Store().ping()


once()
store = Store()
store.ping()
