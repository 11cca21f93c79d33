"""A migration of many statements, one of them slow, in one transaction that is older than the limit.

env: POOLWITNESS_HELD_S=0.4
env: POOLWITNESS_SWEEP_S=0.1
expect: clean
"""

import os

from psycopg_pool import ConnectionPool

with ConnectionPool(os.environ["DSN"], min_size=1, open=True) as pool:
    with pool.connection() as conn:
        conn.execute("create temporary table migrated (id int)")
        for number in range(12):
            conn.execute("insert into migrated select %s::int from pg_sleep(0.1)", (number,))
        conn.execute("select pg_sleep(1.2)")
        print(conn.execute("select count(*) from migrated").fetchone())
