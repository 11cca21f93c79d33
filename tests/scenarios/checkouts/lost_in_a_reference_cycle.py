"""A connection in a reference cycle is lost when the garbage collector comes by, not before.

expect: PW101 at taken
"""

import gc
import os
from typing import Any

from psycopg_pool import ConnectionPool


class Session:
    def __init__(self, pool: ConnectionPool) -> None:
        self.conn = pool.getconn()  # mark: taken
        self.handlers: list[Any] = [self.close]

    def close(self) -> None:
        self.conn.close()


with ConnectionPool(os.environ["DSN"], min_size=1, max_size=2, open=True) as pool:
    session = Session(pool)
    print(session.conn.execute("select 1").fetchone())
    del session
    gc.collect()
    with pool.connection() as conn:
        print(conn.execute("select 2").fetchone())
