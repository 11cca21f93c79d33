"""The server refuses one database and then another: two reasons, each told once.

expect: 2 x PW202 at made
"""

import logging
import os
import time
from typing import Any

from psycopg.conninfo import make_conninfo
from psycopg_pool import ConnectionPool

logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)  # it repeats itself
pool: Any = ConnectionPool(  # mark: made
    "host=127.0.0.1 port=1", min_size=1, num_workers=1, name="shop", reconnect_timeout=0.05, open=True
)


def fail_again() -> None:
    failures = pool.get_stats().get("connections_errors", 0)
    pool.resize(pool.min_size + 1)
    while pool.get_stats().get("connections_errors", 0) == failures:
        time.sleep(0.01)


fail_again()
pool.conninfo = make_conninfo(os.environ["DSN"], dbname="no_such_shop")
fail_again()
fail_again()
pool.close()
print("went without")
