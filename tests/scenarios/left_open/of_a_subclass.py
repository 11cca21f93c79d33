"""A subclass with its own __init__: the line to open makes the object; it is not the call of super().

Its workers' frames hold the class, whose functions hold the program's globals, and so the pool: nothing is
finalized, and nothing holds up the exit.

expect: PW001 at made
"""

import os

from psycopg_pool import ConnectionPool


class SmallPool(ConnectionPool):
    def __init__(self, dsn: str) -> None:
        super().__init__(dsn, open=True, min_size=1, num_workers=1)
        self.label = "small"


class NamedPool(SmallPool):
    def __init__(self, dsn: str, label: str) -> None:
        super().__init__(dsn)
        self.label = label


pool = NamedPool(os.environ["DSN"], "stock")  # mark: made
with pool.connection() as conn:
    print(pool.label, conn.execute("select 1").fetchone())
