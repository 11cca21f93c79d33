"""Many more threads than connections, and a timeout that lets all of them be served.

expect: clean
"""

import os
import threading

from psycopg_pool import ConnectionPool

with ConnectionPool(os.environ["DSN"], min_size=2, timeout=60, open=True) as pool:

    def order() -> None:
        for _ in range(10):
            with pool.connection() as conn:
                conn.execute("select pg_sleep(0.002)")

    threads = [threading.Thread(target=order) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print("all served")
