"""A thread finishes its work after the main thread, well within the time that this may take.

env: POOLWITNESS_HELD_S=3
env: POOLWITNESS_SWEEP_S=0.1
expect: clean
"""

import atexit
import os
import threading

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1, num_workers=1, name="shop")
atexit.register(pool.close)
orders = threading.Event()


def deliver() -> None:
    orders.wait(0.7)
    print("delivered")


threading.Thread(target=deliver, name="deliveries").start()
print("main is over")
