"""The program waits for its pool at the start, and there is no server.

expect: PW202 at made
expect: PW201 at waited
"""

import logging

from psycopg_pool import ConnectionPool, PoolTimeout

logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)  # it repeats itself
pool = ConnectionPool("host=127.0.0.1 port=1", min_size=1, num_workers=1, open=False)  # mark: made
try:
    pool.open(wait=True, timeout=0.5)  # mark: waited
except PoolTimeout as error:
    print(error)
