"""Eight threads want one of two connections: six of them fail, and that is one story.

expect: PW201 at held
"""

import os
import threading

from psycopg_pool import ConnectionPool, PoolTimeout

served, refused = threading.Semaphore(0), threading.Semaphore(0)
over = threading.Event()

with ConnectionPool(os.environ["DSN"], min_size=2, timeout=0.5, name="shop", open=True) as pool:
    pool.wait()

    def order() -> None:
        try:
            with pool.connection() as conn:  # mark: held
                conn.execute("select 1")
                served.release()
                over.wait()
        except PoolTimeout:
            refused.release()

    threads = [threading.Thread(target=order) for _ in range(8)]
    for thread in threads:
        thread.start()
    for _ in range(6):
        refused.acquire()
    over.set()
    for thread in threads:
        thread.join()
print("served 2, refused 6")
