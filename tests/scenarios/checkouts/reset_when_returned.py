"""A pool resets its connections in a worker when they come back.

expect: clean
"""

import os
import threading
from typing import Any

from psycopg_pool import ConnectionPool


def reset(conn: Any) -> None:
    conn.execute("discard all" if conn.autocommit else "select 1")
    conn.rollback()


with ConnectionPool(os.environ["DSN"], min_size=2, reset=reset, open=True) as pool:

    def work() -> None:
        for _ in range(50):
            with pool.connection() as conn:
                conn.execute("select 1")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print("done")
