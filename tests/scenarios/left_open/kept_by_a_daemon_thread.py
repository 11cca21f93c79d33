"""A daemon thread keeps the module's globals alive, so that nothing holds up the exit: never closed, not
delayed.

expect: PW001 at made
"""

import os
import threading
import time

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1, num_workers=1)  # mark: made
refreshed = threading.Event()


def refresh() -> None:
    while True:
        with pool.connection() as conn:
            conn.execute("select 1")
        refreshed.set()
        time.sleep(3600)


threading.Thread(target=refresh, daemon=True).start()
refreshed.wait()
print("refreshed")
