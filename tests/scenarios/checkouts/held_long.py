"""A thread holds a connection while it waits for somebody else's service, and then returns it.

env: POOLWITNESS_HELD_S=0.3
env: POOLWITNESS_SWEEP_S=0.1
expect: PW103 at taken, resolved
"""

import os
import threading
import time

from psycopg_pool import ConnectionPool

with ConnectionPool(os.environ["DSN"], min_size=1, max_size=2, open=True) as pool:

    def charge_card() -> None:
        with pool.connection() as conn:  # mark: taken
            row = conn.execute("select 42").fetchone()
            time.sleep(1.5)
            print("charged", row)

    thread = threading.Thread(target=charge_card, name="checkout")
    thread.start()
    thread.join()
