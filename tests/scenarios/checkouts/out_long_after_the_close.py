"""The pool is closed while a thread has a connection; the thread keeps it for seconds, and then returns it.

env: POOLWITNESS_SWEEP_S=0.1
expect: PW102 at taken, resolved
"""

import os
import threading
import time

from psycopg_pool import ConnectionPool

taken, closed = threading.Event(), threading.Event()


def export(pool: ConnectionPool) -> None:
    conn = pool.getconn()  # mark: taken
    taken.set()
    closed.wait()
    time.sleep(3.5)
    print(conn.execute("select 'done'").fetchone())
    conn.commit()
    pool.putconn(conn)


with ConnectionPool(os.environ["DSN"], min_size=1, open=True) as pool:
    thread = threading.Thread(target=export, args=(pool,))
    thread.start()
    taken.wait()
closed.set()
thread.join()
