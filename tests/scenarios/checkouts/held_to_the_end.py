"""A connection is taken at the start for good: held long, and told once.

env: POOLWITNESS_HELD_S=0.3
env: POOLWITNESS_SWEEP_S=0.1
expect: PW103 at taken
"""

import os
import time

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DSN"], min_size=1, max_size=2, open=True)
conn = pool.getconn()  # mark: taken
print(conn.execute("select 1").fetchone())
conn.commit()
time.sleep(1.5)
pool.close()
