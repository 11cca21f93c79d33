"""An exception ends the main thread, and a thread goes on using the pool: nobody meant the program to live on.

env: POOLWITNESS_HELD_S=0.3
env: POOLWITNESS_SWEEP_S=0.1
status: 1
expect: PW004 at waits or waits_too
"""

import atexit
import os
import threading
import time

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1, num_workers=1, name="shop")
atexit.register(pool.close)


def refresh() -> None:
    for _ in range(20):
        with pool.connection() as conn:
            conn.execute("select pg_sleep(0.05)")  # mark: waits
        time.sleep(0.05)  # mark: waits_too
    print("refreshed")


threading.Thread(target=refresh, name="refresher").start()
raise RuntimeError("the main thread is over")
