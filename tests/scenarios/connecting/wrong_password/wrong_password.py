"""The password is wrong: the server says so to the pool alone.

expect: PW202 at made
"""

import logging
import os
import time

from psycopg.conninfo import make_conninfo
from psycopg_pool import ConnectionPool
from server_settings import want_a_password  # type: ignore[import-not-found]  # lies beside this file

logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)  # it repeats itself
user = "poolwitness_by_password"
want_a_password(os.environ["DSN"], user, "right")
conninfo = make_conninfo(os.environ["DSN"], user=user, password="so secret 0815")
pool = ConnectionPool(conninfo, min_size=1, num_workers=1, name="shop", open=True)  # mark: made
while not pool.get_stats().get("connections_errors"):
    time.sleep(0.01)
pool.close()
print("went without")
