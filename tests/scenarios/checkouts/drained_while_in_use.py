"""A pool is drained while threads have its connections.

only: pool>=3.3
expect: clean
"""

import os
import threading

from psycopg_pool import ConnectionPool

with ConnectionPool(os.environ["DSN"], min_size=2, max_size=4, open=True) as pool:

    def work() -> None:
        for _ in range(60):
            with pool.connection() as conn:
                conn.execute("select pg_sleep(0.001)")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    with pool.connection() as conn:
        conn.execute("select 1")
        pool.drain()
    work()
    pool.drain()
    for thread in threads:
        thread.join()
print("done")
