"""A thread gives itself a name while it has a connection: it is still the same thread.

env: POOLWITNESS_HELD_S=0.3
env: POOLWITNESS_SWEEP_S=0.1
expect: PW103 at taken, resolved
"""

import os
import threading
import time

from psycopg_pool import ConnectionPool


def work(pool: ConnectionPool) -> None:
    with pool.connection() as conn:  # mark: taken
        threading.current_thread().name = "import of stock.csv"
        print(conn.execute("select 1").fetchone())
        time.sleep(1.5)


with ConnectionPool(os.environ["DSN"], min_size=1, max_size=2, open=True) as pool:
    thread = threading.Thread(target=work, args=(pool,))
    thread.start()
    thread.join()
