"""The configure callback takes more than a second for each connection.

env: POOLWITNESS_SWEEP_S=0.1
expect: PW203 at made
"""

import os
from typing import Any

from psycopg_pool import ConnectionPool


def configure(conn: Any) -> None:
    conn.execute("select pg_sleep(1.2)")
    conn.commit()


pool = ConnectionPool(os.environ["DSN"], min_size=2, configure=configure, open=True)  # mark: made
with pool:
    pool.wait()
    with pool.connection() as conn:
        print(conn.execute("select 1").fetchone())
