"""A pool for each thread, in a threading.local: each dies with its thread.

expect: 3 x PW002 at made
"""

import os
import threading

from psycopg_pool import ConnectionPool

local = threading.local()


def get_pool() -> ConnectionPool:
    if not hasattr(local, "pool"):
        local.pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1, num_workers=1)  # mark: made
    pool: ConnectionPool = local.pool
    return pool


def work(number: int) -> None:
    for _ in range(2):
        with get_pool().connection() as conn:
            print(conn.execute("select %s::int", (number,)).fetchone())


for number in range(3):
    thread = threading.Thread(target=work, args=(number,))
    thread.start()
    thread.join()
