"""Eight threads open the same pool at the same time, which psycopg_pool allows since 3.3.1: it is opened once.

only: pool>=3.3.1
expect: clean
"""

import os
import threading

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DSN"], open=False, min_size=1)
together = threading.Barrier(8)


def start() -> None:
    together.wait()
    pool.open()


threads = [threading.Thread(target=start) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()

with pool.connection() as conn:
    print(conn.execute("select 'opened once'").fetchone())
pool.close()
