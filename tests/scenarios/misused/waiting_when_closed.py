"""A thread waits for a connection while main closes the pool: PoolClosed reaches the waiter.

expect: PW005 at closed
"""

import os
import threading
import time

from psycopg_pool import ConnectionPool, PoolClosed

pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1, max_size=1)


def work() -> None:
    try:
        with pool.connection():
            print("got one")
    except PoolClosed as error:
        print(type(error).__name__)


with pool.connection():
    worker = threading.Thread(target=work)
    worker.start()
    while not pool.get_stats().get("requests_waiting"):
        time.sleep(0.01)
    pool.close()  # mark: closed
    worker.join()
