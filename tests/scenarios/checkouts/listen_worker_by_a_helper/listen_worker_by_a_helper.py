"""A worker's owner has said that it listens for ever; who holds a connection of the same helper for long is told still.

env: POOLWITNESS_HELD_S=0.3
env: POOLWITNESS_SWEEP_S=0.1
env: POOLWITNESS_IGNORE=PW103:*/listen_worker_by_a_helper.py
expect: PW103 at helper, resolved
"""

import threading
import time

import reports  # type: ignore[import-not-found]  # beside it
import shopdb  # type: ignore[import-not-found]  # beside it

listening = threading.Event()


def listen() -> None:
    with shopdb.connection() as conn:
        conn.execute("listen stock_of_helpers")
        listening.set()
        for notify in conn.notifies():
            print(notify.channel, notify.payload)
            if notify.payload == "end":
                break


thread = threading.Thread(target=listen, name="listener")
thread.start()
listening.wait()
time.sleep(0.5)
reports.report()
with shopdb.connection() as conn:
    conn.execute("notify stock_of_helpers, 'end'")
thread.join()
shopdb.pool.close()
