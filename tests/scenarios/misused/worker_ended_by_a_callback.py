"""sys.exit() in the reconnect_failed callback: meant for the program, it ends one worker, silently.

expect: PW301 at made
expect: PW202 at made
"""

import os
import sys
import threading
import time
from typing import Any

from psycopg_pool import ConnectionPool


def give_up(pool: Any) -> None:
    sys.exit(f"no database for {os.path.basename(sys.argv[0])}")


pool = ConnectionPool(  # mark: made
    "host=127.0.0.1 port=1 dbname=shop",
    open=True,
    min_size=1,
    num_workers=1,
    name="shop",
    reconnect_timeout=0.05,
    reconnect_failed=give_up,
)
while any(thread.name == "shop-worker-0" for thread in threading.enumerate()):
    time.sleep(0.01)
print("the worker has gone, the pool is closed:", pool.closed)
pool.close()
