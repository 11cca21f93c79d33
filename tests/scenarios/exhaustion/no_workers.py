"""sys.exit() in a callback has ended the only worker: nobody can make a connection any more.

expect: PW202 at made
expect: PW301 at made
expect: PW201 at asked
"""

import logging
import sys
import threading
import time
from typing import Any

from psycopg_pool import ConnectionPool, PoolTimeout

logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)  # it repeats itself


def give_up(pool: Any) -> None:
    sys.exit("no database")


pool = ConnectionPool(  # mark: made
    "host=127.0.0.1 port=1",
    min_size=1,
    num_workers=1,
    name="shop",
    timeout=0.5,
    reconnect_timeout=0.05,
    reconnect_failed=give_up,
    open=True,
)
while any(thread.name == "shop-worker-0" for thread in threading.enumerate()):
    time.sleep(0.01)
try:
    pool.getconn()  # mark: asked
except PoolTimeout as error:
    print(error)
pool.close()
