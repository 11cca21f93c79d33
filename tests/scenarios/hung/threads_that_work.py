"""The main thread is over and its threads go on using the pool: the program lives in them.

env: POOLWITNESS_HELD_S=0.6
env: POOLWITNESS_SWEEP_S=0.1
expect: clean
"""

import atexit
import os
import threading
import time

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1, num_workers=1, name="shop")
atexit.register(pool.close)


def serve() -> None:
    for _ in range(15):
        with pool.connection() as conn:
            conn.execute("select 1")
        time.sleep(0.1)
    print("served")


threading.Thread(target=serve, name="server").start()
print("main is over")
