"""os._exit skips everything, the verdict too.

status: 7
expect: no verdict
"""

import os

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1, num_workers=1)
with pool.connection() as conn:
    print(conn.execute("select 'no goodbye'").fetchone(), flush=True)
os._exit(7)
