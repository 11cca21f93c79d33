"""A thread puts its connection into a dict and ends; nobody is left who would return it.

env: POOLWITNESS_HELD_S=0.3
env: POOLWITNESS_SWEEP_S=0.1
expect: PW102 at taken
"""

import os
import threading
import time
from typing import Any

from psycopg_pool import ConnectionPool

cache: dict[str, Any] = {}


def warm_up(pool: ConnectionPool) -> None:
    cache["conn"] = pool.getconn()  # mark: taken
    cache["conn"].execute("select 1")
    cache["conn"].commit()


with ConnectionPool(os.environ["DSN"], min_size=1, max_size=2, open=True) as pool:
    thread = threading.Thread(target=warm_up, args=(pool,), name="warm-up")
    thread.start()
    thread.join()
    time.sleep(1.5)
    with pool.connection() as conn:
        print(conn.execute("select 2").fetchone())
