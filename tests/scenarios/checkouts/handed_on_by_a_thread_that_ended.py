"""A thread takes a connection and ends; another works with it for longer than the limit and returns it.

env: POOLWITNESS_HELD_S=0.4
env: POOLWITNESS_SWEEP_S=0.1
expect: clean
"""

import os
import threading
import time
from typing import Any

from psycopg_pool import ConnectionPool

handed: list[Any] = []

with ConnectionPool(os.environ["DSN"], min_size=1, max_size=2, open=True) as pool:
    thread = threading.Thread(target=lambda: handed.append(pool.getconn()), name="opener")
    thread.start()
    thread.join()
    conn = handed.pop()
    for _ in range(30):
        conn.execute("select 1")
        time.sleep(0.05)
    conn.commit()
    pool.putconn(conn)
    del conn
print("done")
