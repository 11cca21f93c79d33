"""A worker's owner has said that it listens for ever; who holds a connection of the same helper for long is told still.

env: POOLWITNESS_HELD_S=0.3
env: POOLWITNESS_SWEEP_S=0.1
env: POOLWITNESS_IGNORE=PW103:*/listen_worker_by_a_helper.py
expect: PW103 at helper, resolved
"""

import os
import threading
import time

import reports  # type: ignore[import-not-found]  # beside it
import shopdb  # type: ignore[import-not-found]  # beside it
from psycopg import sql

# Programs that run at the same time may have the same server.
channel = sql.Identifier(f"stock_{os.getpid()}")

listening = threading.Event()


def listen() -> None:
    with shopdb.connection() as conn:
        conn.execute(sql.SQL("listen {}").format(channel))
        listening.set()
        for notify in conn.notifies():
            print(notify.payload)
            if notify.payload == "end":
                break


thread = threading.Thread(target=listen, name="listener")
thread.start()
listening.wait()
time.sleep(0.5)
reports.report()
with shopdb.connection() as conn:
    conn.execute(sql.SQL("notify {}, 'end'").format(channel))
thread.join()
shopdb.pool.close()
