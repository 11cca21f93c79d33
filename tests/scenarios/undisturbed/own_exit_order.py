"""Exit handlers, a non-daemon thread and module-level objects: they end in the same order with the agent.

expect: clean
"""

import atexit
import os
import threading

from psycopg_pool import ConnectionPool


class Speaker:
    def __init__(self, name: str) -> None:
        self.name = name

    def __del__(self) -> None:
        print("finalized", self.name)


speaker = Speaker("at module level")
atexit.register(print, "first registered")
pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1)
atexit.register(pool.close)
atexit.register(print, "last registered")


def outlive() -> None:
    threading.main_thread().join()
    print("thread ends")


threading.Thread(target=outlive).start()
with pool.connection() as conn:
    conn.execute("select 1")
print("main ends")
