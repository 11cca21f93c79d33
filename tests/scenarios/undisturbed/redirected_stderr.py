"""A program that captures its own stderr: it captures what it wrote, and the agent still finds the real one.

expect: PW005 at closed
"""

import io
import os
import sys

from psycopg_pool import ConnectionPool, PoolClosed

captured = sys.stderr = io.StringIO()
print("captured line", file=sys.stderr)

with ConnectionPool(os.environ["DSN"], open=False, min_size=1) as pool:  # mark: closed
    with pool.connection() as conn:
        conn.execute("select 1")
try:
    pool.getconn()
except PoolClosed as error:
    print(type(error).__name__, file=sys.stderr)
print(repr(captured.getvalue()))
