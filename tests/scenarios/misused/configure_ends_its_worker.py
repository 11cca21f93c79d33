"""sys.exit() in the configure callback: one worker ends, silently, and the pool counts its connection for ever.

env: POOLWITNESS_SWEEP_S=0.1
expect: PW301 at made
expect: PW107 at made
"""

import os
import sys
import threading
import time
from typing import Any

from psycopg_pool import ConnectionPool

made: list[Any] = []


def configure(conn: Any) -> None:
    made.append(conn)
    if len(made) == 2:
        sys.exit("no search path for the second one")


pool = ConnectionPool(  # mark: made
    os.environ["DSN"], open=True, min_size=2, num_workers=2, name="shop", configure=configure
)
while sum(thread.name.startswith("shop-worker-") for thread in threading.enumerate()) == 2:
    time.sleep(0.01)
time.sleep(1.5)
print("a worker has gone, connections:", pool.get_stats()["pool_size"])
pool.close()
