"""A worker waits in the configure callback for a lock that the program has: told while it lasts, taken back after.

env: POOLWITNESS_HELD_S=0.3
env: POOLWITNESS_SWEEP_S=0.1
expect: PW302 at made, resolved
"""

import os
import threading
import time
from typing import Any

from psycopg_pool import ConnectionPool

settings = threading.Lock()


def configure(conn: Any) -> None:
    with settings:
        conn.prepare_threshold = 0


settings.acquire()
pool = ConnectionPool(  # mark: made
    os.environ["DSN"],
    open=True,
    min_size=1,
    num_workers=1,
    name="shop",
    configure=configure,
)
time.sleep(0.9)
settings.release()
with pool.connection() as conn:
    print(conn.execute("select 'configured'").fetchone())
pool.close()
