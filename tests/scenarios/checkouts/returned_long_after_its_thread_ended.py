"""A thread that has ended left its connection to another, which works with it only seconds later.

env: POOLWITNESS_HELD_S=0.3
env: POOLWITNESS_SWEEP_S=0.1
expect: PW102 at taken, resolved
"""

import os
import threading
import time
from typing import Any

from psycopg_pool import ConnectionPool

handed: list[Any] = []


def warm_up(pool: ConnectionPool) -> None:
    handed.append(pool.getconn())  # mark: taken


with ConnectionPool(os.environ["DSN"], min_size=1, max_size=2, open=True) as pool:
    thread = threading.Thread(target=warm_up, args=(pool,), name="warm-up")
    thread.start()
    thread.join()
    time.sleep(1.5)
    conn = handed.pop()
    print(conn.execute("select 2").fetchone())
    conn.commit()
    pool.putconn(conn)
    del conn
