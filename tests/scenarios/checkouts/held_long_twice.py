"""The same line holds a connection for long twice: two suspicions, both taken back.

env: POOLWITNESS_HELD_S=0.3
env: POOLWITNESS_SWEEP_S=0.1
expect: 2 x PW103 at taken, resolved
"""

import os
import time

from psycopg_pool import ConnectionPool


def charge_card(pool: ConnectionPool) -> None:
    conn = pool.getconn()  # mark: taken
    try:
        time.sleep(1.2)
        print(conn.execute("select 42").fetchone())
        conn.commit()
    finally:
        pool.putconn(conn)


with ConnectionPool(os.environ["DSN"], min_size=1, open=True) as pool:
    charge_card(pool)
    charge_card(pool)
