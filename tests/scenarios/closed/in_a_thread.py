"""A pool that another thread closes.

expect: clean
"""

import os
import threading

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1)
with pool.connection() as conn:
    print(conn.execute("select 'closed elsewhere'").fetchone())

closer = threading.Thread(target=pool.close)
closer.start()
closer.join()
print(pool.closed)
