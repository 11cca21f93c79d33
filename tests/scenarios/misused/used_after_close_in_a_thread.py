"""A background thread that goes on after main has closed the pool: its exception ends the thread.

expect: PW005 at closed
"""

import os
import threading

from psycopg_pool import ConnectionPool

closed = threading.Event()


def report(pool: ConnectionPool) -> None:
    closed.wait()
    with pool.connection() as conn:
        conn.execute("select 1")


pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1, name="shop")
pool.wait()
reporter = threading.Thread(target=report, args=(pool,), name="reporter")
reporter.start()
pool.close()  # mark: closed
closed.set()
reporter.join()
print("done")
