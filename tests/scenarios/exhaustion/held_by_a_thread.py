"""A thread renders a page with the only connection in hand; the next request gets none.

expect: PW201 at held
"""

import os
import threading

from psycopg_pool import ConnectionPool, PoolTimeout

taken, done = threading.Event(), threading.Event()

with ConnectionPool(os.environ["DSN"], min_size=1, timeout=0.3, open=True) as pool:
    pool.wait()

    def render() -> None:
        with pool.connection() as conn:  # mark: held
            conn.execute("select 1")
            taken.set()
            done.wait()

    thread = threading.Thread(target=render, name="renderer")
    thread.start()
    taken.wait()
    for _ in range(3):
        try:
            pool.getconn()
        except PoolTimeout as error:
            print(error)
    done.set()
    thread.join()
