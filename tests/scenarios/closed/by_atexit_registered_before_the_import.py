"""A clean-up list whose atexit handler is older than the import of psycopg_pool, and so runs after all
others.

expect: clean
"""

import atexit
import os
from collections.abc import Callable

cleanups: list[Callable[[], None]] = []


@atexit.register
def clean_up() -> None:
    for cleanup in reversed(cleanups):
        cleanup()
    print("cleaned up")


def main() -> None:
    from psycopg_pool import ConnectionPool

    pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1)
    cleanups.append(pool.close)
    with pool.connection() as conn:
        print(conn.execute("select 'hello'").fetchone())


main()
