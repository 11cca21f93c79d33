"""The queue is full: TooManyRequests is raised at once.

expect: PW201 at held
"""

import os
import threading
import time

from psycopg_pool import ConnectionPool, TooManyRequests

with ConnectionPool(os.environ["DSN"], min_size=1, max_waiting=1, name="shop", open=True) as pool:
    pool.wait()
    with pool.connection() as conn:  # mark: held

        def order() -> None:
            with pool.connection() as conn:
                conn.execute("select 1")

        thread = threading.Thread(target=order)
        thread.start()
        while not pool.get_stats().get("requests_waiting"):
            time.sleep(0.01)
        try:
            pool.getconn()
        except TooManyRequests as error:
            print(error)
    thread.join()
