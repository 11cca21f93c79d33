"""Twelve pools of one line, never two at once: no crowd.

expect: clean
"""

import os

from psycopg_pool import ConnectionPool

for number in range(12):
    with ConnectionPool(os.environ["DSN"], open=False, min_size=1, num_workers=1) as pool:
        with pool.connection() as conn:
            print(conn.execute("select %s::int", (number,)).fetchone())
