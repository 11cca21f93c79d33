"""A daemon thread listens to the very end: the one line of ignoring covers that too.

env: POOLWITNESS_HELD_S=0.3
env: POOLWITNESS_SWEEP_S=0.1
env: POOLWITNESS_IGNORE=PW103:*/listen_worker_to_the_end.py
expect: clean
"""

import os
import threading
import time

from psycopg import sql
from psycopg_pool import ConnectionPool

# Programs that run at the same time may have the same server.
channel = sql.Identifier(f"stock_{os.getpid()}")

pool = ConnectionPool(os.environ["DSN"], min_size=1, kwargs={"autocommit": True}, open=True)
listening = threading.Event()


def listen() -> None:
    with pool.connection() as conn:
        conn.execute(sql.SQL("listen {}").format(channel))
        listening.set()
        for notify in conn.notifies():
            print(notify.payload)


threading.Thread(target=listen, name="listener", daemon=True).start()
listening.wait()
time.sleep(1.2)
print("done")
pool.close()
