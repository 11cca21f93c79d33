"""try and finally, left by sys.exit.

status: 4
expect: clean
"""

import os
import sys

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1)
try:
    with pool.connection() as conn:
        print(conn.execute("select 'finally'").fetchone())
    sys.exit(4)
finally:
    pool.close()
