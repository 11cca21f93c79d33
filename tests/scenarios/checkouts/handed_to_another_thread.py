"""A thread takes connections and hands them to another, which returns them.

expect: clean
"""

import os
import queue
import threading
from typing import Any

from psycopg_pool import ConnectionPool

handed: queue.Queue[Any] = queue.Queue()


def take(pool: ConnectionPool) -> None:
    for _ in range(6):
        handed.put(pool.getconn())
    handed.put(None)


with ConnectionPool(os.environ["DSN"], min_size=1, max_size=2, open=True) as pool:
    thread = threading.Thread(target=take, args=(pool,))
    thread.start()
    while (conn := handed.get()) is not None:
        print(conn.execute("select 1").fetchone())
        conn.commit()
        pool.putconn(conn)
    thread.join()
