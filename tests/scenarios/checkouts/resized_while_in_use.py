"""A pool is made larger and smaller while threads take and return its connections.

expect: clean
"""

import os
import threading

from psycopg_pool import ConnectionPool

with ConnectionPool(os.environ["DSN"], min_size=1, max_size=2, open=True) as pool:

    def work() -> None:
        for _ in range(60):
            with pool.connection() as conn:
                conn.execute("select pg_sleep(0.001)")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for size in (4, 1, 6, 2):
        pool.resize(1, size)
        work()
    for thread in threads:
        thread.join()
print("done")
