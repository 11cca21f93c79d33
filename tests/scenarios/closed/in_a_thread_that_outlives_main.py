"""A thread that waits for the main thread to end, and then closes the pool: before any verdict can be taken.

expect: clean
"""

import os
import threading

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1)


def housekeeping() -> None:
    threading.main_thread().join()
    with pool.connection() as conn:
        print(conn.execute("select 'main has ended'").fetchone())
    pool.close()


threading.Thread(target=housekeeping).start()
print("main ends")
