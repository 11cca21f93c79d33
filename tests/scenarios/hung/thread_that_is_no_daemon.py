"""A thread that is no daemon waits on: the pool's atexit callback has to wait for it, and so would a verdict.

env: POOLWITNESS_HELD_S=0.3
env: POOLWITNESS_SWEEP_S=0.1
expect: PW004 at waits
"""

import atexit
import os
import threading

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1, num_workers=1, name="shop")
atexit.register(pool.close)
orders = threading.Event()


def deliver() -> None:
    orders.wait(2.0)  # mark: waits
    print("delivered")


threading.Thread(target=deliver, name="deliveries").start()
with pool.connection() as conn:
    print(conn.execute("select 'main is over'").fetchone())
