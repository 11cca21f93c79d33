"""A program with two pools has a connection of each: that is what two pools are for.

expect: clean
"""

import os

from psycopg_pool import ConnectionPool

with ConnectionPool(os.environ["DSN"], min_size=1, name="orders", open=True) as orders:
    with ConnectionPool(os.environ["DSN"], min_size=1, name="audit", open=True) as audit:
        for number in range(3):
            with orders.connection() as conn, audit.connection() as other:
                print(conn.execute("select %s::int", (number,)).fetchone(), other.execute("select 2").fetchone())
