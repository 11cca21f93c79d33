"""A thread that the threading module does not know holds a connection: no name, and yet alive.

env: POOLWITNESS_HELD_S=0.3
env: POOLWITNESS_SWEEP_S=0.1
expect: PW103 at taken, resolved
"""

import _thread
import os
import time

from psycopg_pool import ConnectionPool

done = _thread.allocate_lock()
done.acquire()


def work(pool: ConnectionPool) -> None:
    conn = pool.getconn()  # mark: taken
    print(conn.execute("select 1").fetchone())
    conn.commit()
    time.sleep(1.5)
    pool.putconn(conn)
    done.release()


with ConnectionPool(os.environ["DSN"], min_size=1, max_size=2, open=True) as pool:
    _thread.start_new_thread(work, (pool,))
    done.acquire()
