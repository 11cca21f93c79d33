"""PoolClosed that nobody catches ends the program as it does without the agent.

status: 1
expect: PW005 at closed
"""

import os

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1, name="shop")
pool.wait()
pool.close()  # mark: closed
conn = pool.getconn()
