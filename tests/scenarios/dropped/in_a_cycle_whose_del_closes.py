"""The same in a reference cycle: the collector clears weak references before it calls __del__, which then
closes.

expect: clean
"""

from __future__ import annotations

import gc
import os

from psycopg_pool import ConnectionPool


class TidyPool(ConnectionPool):
    myself: TidyPool | None = None

    def __del__(self) -> None:
        self.close()


def main() -> None:
    pool = TidyPool(os.environ["DSN"], open=True, min_size=1, num_workers=1)
    pool.myself = pool
    with pool.connection() as conn:
        print(conn.execute("select 'tidy'").fetchone())


main()
gc.collect()
print("collected")
