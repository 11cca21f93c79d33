"""Nobody listens at this port; the pool tries in silence, and the program does without.

expect: PW202 at made
"""

import logging
import time

from psycopg_pool import ConnectionPool

logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)  # it repeats itself
pool = ConnectionPool(  # mark: made
    "host=127.0.0.1 port=1 dbname=shop connect_timeout=5", min_size=1, num_workers=1, name="shop", open=True
)
while not pool.get_stats().get("connections_errors"):
    time.sleep(0.01)
pool.close()
print("went without")
