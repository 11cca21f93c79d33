"""A null pool as a context manager.

expect: clean
"""

import os

from psycopg_pool import NullConnectionPool

with NullConnectionPool(os.environ["DSN"], open=False, max_size=2) as pool:
    for word in "kept", "not":
        with pool.connection() as conn:
            print(conn.execute("select %s::text", (word,)).fetchone())
